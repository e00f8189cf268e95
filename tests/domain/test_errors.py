"""The error tree: the drawing in `errors` matches the classes, and which ones a retry may fix."""

from __future__ import annotations

import inspect
import re

import pytest

from labelbox_export_provider import errors
from labelbox_export_provider.errors import LabelboxExportError, TemporaryError

RETRYABLE = {
    "TemporaryError",
    "RateLimitedError",
    "RunningExportLimitError",
    "UnreachableError",
    "ListChangedError",
    "StartUncertainError",
    "TaskStoppedError",
    "IntegrityError",
    "StorageUnavailableError",
    "ObjectChangedError",
}

CLASSES = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, LabelboxExportError)
}


def drawn_parents() -> dict[str, str]:
    """Parent of each class, as the drawing in the module's docstring has it."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ((?:[│├└─ ]{4})*)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    assert drawn_parents() == {name: kind.__bases__[0].__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_says_whether_airflow_should_use_a_retry(name: str) -> None:
    assert CLASSES[name].retryable is (name in RETRYABLE)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_says_in_a_sentence_what_it_means(name: str) -> None:
    assert (CLASSES[name].__doc__ or "").rstrip().endswith(".")


def test_only_configuration_errors_are_value_errors() -> None:
    value_errors = {name for name, kind in CLASSES.items() if issubclass(kind, ValueError)}
    assert value_errors == {
        "ConfigurationError",
        "WindowError",
        "ManualRunError",
        "HandleError",
        "ConnectionSettingsError",
    }


def test_temporary_error_carries_retry_after() -> None:
    """A temporary error carries the seconds that the server asked for."""
    assert TemporaryError("busy").retry_after is None
    assert errors.RateLimitedError("busy", retry_after=7.5).retry_after == 7.5
