"""Options that Airflow fills in when the task runs: checks at parse time and after rendering."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, TypeAlias

from pydantic import BaseModel

from labelbox_export_provider.domain.options.rendered_text import text_as_list, text_as_mapping
from labelbox_export_provider.errors import ConfigurationError

Path: TypeAlias = tuple[str | int, ...]

LATER = "{{ given later }}"
"""A placeholder for the output of another task."""


def is_template(value: Any) -> bool:
    """Return whether a value, or anything inside it, is filled in only when the task runs."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(is_template(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_template(item) for item in value)
    # Anything else, an XComArg for instance, stands for the output of another task.
    return not isinstance(
        value, (bool, int, float, bytes, date, timedelta, enum.Enum, BaseModel, set, frozenset, type(None))
    )


def stand_ins(value: Any) -> Any:
    """Return a copy in which a template replaces each output of another task.

    So all that is known of options can be checked while a DAG is parsed: models take templates in every field.
    """
    if isinstance(value, Mapping):
        return {key: stand_ins(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [stand_ins(item) for item in value]
    return LATER if is_template(value) else value


def refuse_unrendered(name: str, value: object) -> None:
    """Refuse what is still a template when the task runs: Airflow renders each text once, and not inside objects."""
    for path in late_paths(value):
        raise ConfigurationError(
            f"{shown_path(name, path)} is still a template after rendering: {inside(value, path)!r}. Airflow renders a "
            "text once: make it one template that gives the value itself."
        )


def refuse_empty_text(name: str, value: object) -> None:
    """Refuse text that a template left empty or as "None": it would silently mean "no filter"."""
    if isinstance(value, str) and value.strip() in {"", "None", "null", "undefined"}:
        raise ConfigurationError(
            f"{name} rendered to {value!r}. An empty value is not treated as 'none': leave the option out, "
            "or make the template give a value for every run."
        )
    if isinstance(value, Mapping):
        for key, item in value.items():
            refuse_empty_text(f"{name}[{key!r}]", item)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            refuse_empty_text(f"{name}[{position}]", item)


def late_paths(value: object, so_far: Path = ()) -> tuple[Path, ...]:
    """Find the places inside a value that are filled in later, so that `refuse_vanished` can check them again."""
    if isinstance(value, Mapping):
        return tuple(path for key, item in value.items() for path in late_paths(item, (*so_far, key)))
    if isinstance(value, (list, tuple)):
        return tuple(path for position, item in enumerate(value) for path in late_paths(item, (*so_far, position)))
    return (so_far,) if is_template(value) else ()


def refuse_vanished(name: str, value: Any, paths: tuple[Path, ...]) -> None:
    """Refuse a place that a template should have filled and that is empty: it would silently mean "no filter"."""
    for path in paths:
        found = inside(value, path)
        found = text_as_list(text_as_mapping(found))
        emptied = found in ({}, [], ()) or (isinstance(found, (list, tuple)) and all(item is None for item in found))
        if found is None or emptied:
            raise ConfigurationError(
                f"{shown_path(name, path)} rendered to {found!r}. A missing value is not treated as 'none': leave "
                "the option out, or make the template give a value for every run."
            )


def inside(value: Any, path: Path) -> Any:
    """Return the value at a place inside a value."""
    for step in path:
        holds_it = isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and isinstance(step, int))
        value = value[step] if holds_it else value
    return value


def shown_path(name: str, path: Path) -> str:
    """Return a place inside an option in Python's notation, for messages."""
    return name + "".join(f"[{step!r}]" for step in path)
