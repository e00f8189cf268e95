"""Windows as operators take them: any kind, as a model or in the plain form that templates are rendered in.

A window is half-open, `[start, end)` in UTC, and a pure function of the run (`kinds`, `params`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.options.rendered_text import HOW_AS_TEXT, text_as_mapping
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.windows.kinds import DataIntervalWindow, FixedWindow, PartitionWindow
from labelbox_export_provider.domain.windows.params import ParamsWindow
from labelbox_export_provider.domain.windows.resolved import (
    ResolvedWindow,
    RunInterval,
    Timetable,
    WindowField,
    wait_until,
)
from labelbox_export_provider.domain.windows.trim_rule import MARGIN, TrimRule, WindowPosition
from labelbox_export_provider.errors import ConfigurationError

__all__ = [
    "MARGIN",
    "AnyWindow",
    "DataIntervalWindow",
    "FixedWindow",
    "ParamsWindow",
    "PartitionWindow",
    "ResolvedWindow",
    "RunInterval",
    "Timetable",
    "TrimRule",
    "WindowField",
    "WindowPosition",
    "check_window",
    "parse_window",
    "plain_window",
    "wait_until",
    "window_conflict",
    "window_kind",
]

AnyWindow: TypeAlias = DataIntervalWindow | FixedWindow | ParamsWindow | PartitionWindow
_MODELS: tuple[type[AnyWindow], ...] = (DataIntervalWindow, FixedWindow, ParamsWindow, PartitionWindow)
_KINDS: dict[object, type[AnyWindow]] = {model.model_fields["kind"].default: model for model in _MODELS}


def window_kind(value: object) -> type[AnyWindow]:
    """Return the class of a window that is given as a model, in its plain form, or as text that holds that form."""
    value = text_as_mapping(value)
    if isinstance(value, _MODELS):
        return type(value)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigurationError(
            "window= takes DataIntervalWindow(), FixedWindow(start, end), ParamsWindow(), PartitionWindow(width) or "
            f"None, not {value!r}.{f' {HOW_AS_TEXT}' if isinstance(value, str) else ''}"
        )
    return _KINDS[kind]


def plain_window(window: object) -> object:
    """Return the form of a window that an operator can template and serialize."""
    return plain(window)


def check_window(window: object, filters: object) -> None:
    """Check a window as far as it is known while a DAG is parsed, and that no filter is on the same field."""
    window, filters = text_as_mapping(window), text_as_mapping(filters)
    if window is None or (is_template(window) and not isinstance(window, Mapping)):
        return
    kind = window_kind(window)
    kind.check_known(window)
    if isinstance(window, Mapping):
        dated = window.get("otherwise", {}) if kind is ParamsWindow else window
        field = dated.get("field", "last_activity_at") if isinstance(dated, Mapping) else None
        if isinstance(filters, Mapping) and filters.get(field) is not None:
            raise ConfigurationError(window_conflict(field))


def window_conflict(field: object) -> str:
    """Return the error of a window and a filter on the same field."""
    return (
        f"Both window= and filters[{field!r}] narrow {field}. Keep window= for runs that follow each other, "
        "or the filter for a fixed range; not both."
    )


def parse_window(value: object) -> AnyWindow:
    """Build a window from its model or from the rendered plain form that an operator keeps."""
    return window_kind(value).parse_rendered(value)
