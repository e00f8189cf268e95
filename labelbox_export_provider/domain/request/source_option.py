"""A source as one value, as transfers take it: a model, or the plain dict that Airflow renders templates in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.options.rendered_text import HOW_AS_TEXT, text_as_mapping
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.request.source import Source, refuse_window
from labelbox_export_provider.domain.request.sources import SOURCES, check_everything
from labelbox_export_provider.domain.windows.windows import check_window
from labelbox_export_provider.errors import ConfigurationError


def plain_source(value: Any) -> Any:
    """Return a source in plain form, with its kind; of any other value only the parts are converted."""
    return {"kind": value.kind, **plain(value)} if isinstance(value, Source) else plain(value)


def parse_source(value: object) -> Source:
    """Build the source when the task runs, from its model, its plain form, or text that holds the plain form."""
    value = text_as_mapping(value)
    return _model_of(value).parse_rendered(value)


def may_take_window(value: object) -> bool:
    """Return whether a source can be narrowed by date, as far as it is known while a DAG is parsed."""
    value = text_as_mapping(value)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    return not isinstance(kind, str) or kind not in SOURCES or SOURCES[kind].takes_windows()


def check_source(value: object, window: object) -> None:
    """Check what is known of a source and of its window while a DAG is parsed."""
    value = text_as_mapping(value)
    known = isinstance(value, Mapping) and not is_template(value.get("kind"))
    if not known and is_template(value):
        check_window(window, None)
        return
    model = _model_of(value)
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else plain_source(value)
    model.check_known(given)
    if window is not None:
        refuse_window(model)
    check_window(window, given.get("filters"))
    if model is SOURCES["catalog"] and not is_template(given.get("everything")):
        narrowed = bool(given.get("filters")) or window is not None
        check_everything(everything=bool(given.get("everything")), narrowed=narrowed)


def _model_of(value: object) -> type[Source]:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    if not isinstance(kind, str) or kind not in SOURCES:
        kinds = ", ".join(map(repr, SOURCES))
        raise ConfigurationError(
            f"source= takes a source such as ProjectSource(project_id=...), or a dict with its kind, such as "
            f"{{'kind': 'project', 'project_id': ...}}; valid kinds: {kinds}. Given: {_shown(value)}."
            + (f" {HOW_AS_TEXT}" if isinstance(value, str) else "")
        )
    return SOURCES[kind]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
