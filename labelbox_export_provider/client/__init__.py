"""The Labelbox client: GraphQL over HTTP, retries, polling, and starts that are adopted instead of repeated.

Public names, for `ExportTask` in a script, are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelbox_export_provider.client.http_clients import LabelboxClient
    from labelbox_export_provider.client.settings import ConnectionSettings

__all__ = ["ConnectionSettings", "LabelboxClient"]

_HOMES = {"ConnectionSettings": "settings", "LabelboxClient": "http_clients"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
