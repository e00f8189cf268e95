"""Reads options as Airflow's rendering leaves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.domain.options.rendered_text import text_as_mapping
from labelbox_export_provider.domain.options.templates import (
    Path,
    refuse_empty_text,
    refuse_unrendered,
    refuse_vanished,
)


def read_rendered(name: str, value: Any, late: tuple[Path, ...], *, text: bool) -> Any:
    """Return an option when the task runs; `late` are the places in it that were filled in since the DAG was parsed.

    Text that holds a mapping is parsed, and a value that native rendering made of a text becomes text again. An emptied
    value and a value that is still a template are refused, so that nothing unintended is sent.
    """
    refuse_empty_text(name, value)
    if text:
        refuse_vanished(name, value, late)
        value = None if value is None else str(value)
    else:
        value = text_as_mapping(value)
        refuse_vanished(name, value, late)
        if isinstance(value, Mapping):
            refuse_empty_text(name, value)
    refuse_unrendered(name, value)
    return value
