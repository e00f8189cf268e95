"""Options that Airflow fills in only when the task runs: what can be checked before, and what must not come of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, TypeAlias

from pydantic import BaseModel

from labelbox_export_provider.spec.errors import ConfigurationError
from labelbox_export_provider.spec.option_model import OptionModel

Path: TypeAlias = tuple[str | int, ...]


def is_template(value: Any) -> bool:
    """Tell whether a value, or anything inside it, is filled in only when the task runs."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(is_template(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_template(item) for item in value)
    # What is left over, an XComArg for instance, stands for a value that another task will give.
    return not isinstance(
        value, (bool, int, float, bytes, date, timedelta, enum.Enum, BaseModel, set, frozenset, type(None))
    )


def check_options(model: type[OptionModel], given: object) -> None:
    """Check what is known of options while a DAG is parsed: all names, and the values that are no templates."""
    if given is None or (is_template(given) and not isinstance(given, Mapping)):
        return
    if isinstance(given, Mapping):
        model.check_names(given)
        given = {name: value for name, value in given.items() if not is_template(value)}
    model.parse(given)


def refuse_empty_text(name: str, value: object) -> None:
    """Refuse text that a template left empty or as "None": it would silently mean "no filter"."""
    if isinstance(value, str) and value.strip() in {"", "None", "null", "undefined"}:
        raise ConfigurationError(
            f"{name} rendered to {value!r}. An empty value is not taken for 'none': leave the option out, "
            "or make the template give a value for every run."
        )
    if isinstance(value, Mapping):
        for key, item in value.items():
            refuse_empty_text(f"{name}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            refuse_empty_text(f"{name}[{position}]", item)


def late_paths(value: object, so_far: Path = ()) -> tuple[Path, ...]:
    """Find the places inside a value that are filled in later, so that `refuse_vanished` can look at them again."""
    if isinstance(value, Mapping):
        return tuple(path for key, item in value.items() for path in late_paths(item, (*so_far, key)))
    if isinstance(value, (list, tuple)):
        return tuple(path for position, item in enumerate(value) for path in late_paths(item, (*so_far, position)))
    return (so_far,) if is_template(value) else ()


def refuse_vanished(name: str, value: Any, paths: tuple[Path, ...]) -> None:
    """Refuse a place that was to be filled in and holds nothing: it would silently mean "no filter"."""
    for path in paths:
        found = value
        for step in path:
            inside = isinstance(found, Mapping) or (isinstance(found, (list, tuple)) and isinstance(step, int))
            found = found[step] if inside else found
        emptied = found in ({}, [], ()) or (isinstance(found, (list, tuple)) and all(item is None for item in found))
        if found is None or emptied:
            shown = name + "".join(f"[{step!r}]" for step in path)
            raise ConfigurationError(
                f"{shown} rendered to {found!r}. A missing value is not taken for 'none': leave the option out, or "
                "make the template give a value for every run."
            )
