"""Stores that exports land in: the contract for authors of a store, and the stores for directories, S3 and GCS.

Public names are loaded on first use, so that a store costs its imports only where it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelbox_export_provider.sinks.base import (
        CRC32C,
        EXPORT_ID,
        ExpectedObject,
        ListedObject,
        NewObject,
        ObjectWriter,
        Part,
        PartBody,
        Sink,
        StoredObject,
        WrittenObject,
        check_relative_key,
    )
    from labelbox_export_provider.sinks.file import FileSink
    from labelbox_export_provider.sinks.gcs.sink import GCSSink
    from labelbox_export_provider.sinks.part_account import PartAccount
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from labelbox_export_provider.sinks.upload_rule import UploadRule

__all__ = [
    "CRC32C",
    "EXPORT_ID",
    "ExpectedObject",
    "FileSink",
    "GCSSink",
    "ListedObject",
    "NewObject",
    "ObjectWriter",
    "Part",
    "PartAccount",
    "PartBody",
    "S3Sink",
    "Sink",
    "StoredObject",
    "UploadRule",
    "WrittenObject",
    "check_relative_key",
]

_HOMES = {
    "FileSink": "file",
    "GCSSink": "gcs.sink",
    "PartAccount": "part_account",
    "S3Sink": "s3.sink",
    "UploadRule": "upload_rule",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'base')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
