"""The options of a landing, checked while a DAG is parsed, and its result."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Any, Literal, get_args

from labelbox_export_provider.domain.records.manifest import LandedSummary, Manifest, Rerun
from labelbox_export_provider.domain.records.object_names import Compression
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.streaming.pipeline.memory_plan import (
    DEFAULT_MAX_MEMORY,
    MemoryPlan,
    check_memory_options,
    plan_memory,
)
from labelbox_export_provider.streaming.rows.trimming import MAX_TRIM_ROW

OnEmpty = Literal["manifest_only", "write_empty", "skip_task"]

DEFAULT_MAX_OBJECT_BYTES = 512 * 1024**2
_MIN_OBJECT_BYTES = 64 * 1024
"""A smaller number is probably meant in another unit: one object would hold a handful of rows."""


@dataclass(frozen=True, slots=True)
class LandingOptions:
    """How an export is landed; raises `ConfigurationError` on values that can never work.

    The one place where these options are written: the transfers take them under these names, with these defaults.

    :param compression: or "zstd" (needs the `zstd` extra), or None for the bytes as they come. `Content-Encoding` is
        never set.
    :param on_empty: what an export without rows leaves: its manifest; or "write_empty", an object without rows as well;
        or "skip_task", which skips the task after the manifest is written.
    :param verify_compression: unpack what was compressed, and compare it with the rows that were read, before it is
        published: for half a CPU second per GiB, a fault of memory or of the compressor costs a retry and not rows.
    :param max_error_rows: longest error stream with which the results are still landed.
    :param rerun: in the layout, when another export of the same question (source, window, filters, details) is there:
        add a generation beside it; or "replace" it, once the new manifest is there; or "refuse".
    :param replace: with an explicit key: overwrite what is there, unless it is this very export already or a newer one.
    :param max_object_bytes: bytes of the source that go into one object of the layout, split at the ends of rows; None
        never splits. An explicit key is always one object.
    :param max_memory: bytes that the transfer may hold above what its process needs by itself, whatever the size of the
        export; where rows are trimmed, one row on top.
    :param workers: parallel downloads; more help where each call takes long.
    :param part_bytes: size of the parts that are uploaded; smaller where `max_memory` asks for it, larger only for a
        single object beyond 140 GiB.
    :param max_trim_row: not an option of the transfers: rows with more bytes are kept without reading their time.
    :param receipt_bytes: not an option of the transfers: with an explicit key, bytes of the source from one receipt to
        the next; a multiple of the size of members, so that it decides no byte.
    """

    compression: Compression | None = "gzip"
    verify_compression: bool = False
    on_empty: OnEmpty = "manifest_only"
    max_error_rows: int = 0
    rerun: Rerun = "add"
    replace: bool = False
    max_object_bytes: int | None = DEFAULT_MAX_OBJECT_BYTES
    max_memory: int = DEFAULT_MAX_MEMORY
    workers: int | None = None
    part_bytes: int | None = None
    max_trim_row: int = MAX_TRIM_ROW
    receipt_bytes: int = DEFAULT_MAX_OBJECT_BYTES

    def __post_init__(self) -> None:
        _one_of("compression", self.compression, (None, *get_args(Compression)))
        if self.compression == "zstd" and find_spec("zstandard") is None:
            raise ConfigurationError(
                "compression='zstd' needs the zstandard library, which is not installed: "
                "pip install 'airflow-provider-labelbox-export[zstd]', or set compression='gzip' or None."
            )
        _one_of("rerun", self.rerun, get_args(Rerun))
        _one_of("on_empty", self.on_empty, get_args(OnEmpty))
        _whole_number("max_error_rows", self.max_error_rows, least=0)
        _whole_number("max_trim_row", self.max_trim_row, least=1)
        _whole_number("receipt_bytes", self.receipt_bytes, least=1)
        _check_object_bytes(self.max_object_bytes)
        for name, value in (("replace", self.replace), ("verify_compression", self.verify_compression)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{name}={value!r}: must be True or False.")
        check_memory_options(max_memory=self.max_memory, workers=self.workers, part_bytes=self.part_bytes)

    def plan(self, sink: Sink, size: int, **known: Any) -> MemoryPlan:
        """Return the plan for an object of `size` bytes in this store; `known` is what `plan_memory` takes besides."""
        return plan_memory(
            size=size,
            max_memory=self.max_memory,
            workers=self.workers,
            part_bytes=self.part_bytes,
            minimum_part_bytes=sink.minimum_part_bytes,
            maximum_part_bytes=sink.maximum_part_bytes,
            maximum_parts=sink.maximum_parts,
            maximum_object_bytes=sink.maximum_object_bytes,
            **known,
        )


TRANSFER_OPTIONS = tuple(
    field for field in fields(LandingOptions) if field.name not in {"max_trim_row", "receipt_bytes"}
)
"""What a transfer takes of these options."""


@dataclass(frozen=True, slots=True)
class LandedExport:
    """What is in the store now. With `skip` the task must be skipped, because the export is empty.

    `moved` is False where an earlier try had already landed this export, so that no bytes moved.
    """

    manifest: Manifest
    manifest_uri: str
    skip: bool = False
    moved: bool = True

    @property
    def summary(self) -> LandedSummary:
        """The short form that a transfer returns; `rows` are those that were landed."""
        manifest = self.manifest
        return LandedSummary(
            manifest_uri=self.manifest_uri,
            uris_uri=manifest.uris,
            rows=manifest.rows_landed,
            errors=manifest.errors.rows,
            state=manifest.state,
            window=manifest.export.window,
            source=manifest.export.source,
            export_id=manifest.export.export_id,
        )


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name}={value!r}: must be one of {', '.join(map(repr, allowed))}.")


def _whole_number(name: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}={value!r}: must be a whole number of at least {least}.")


def _check_object_bytes(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < _MIN_OBJECT_BYTES:
        raise ConfigurationError(
            f"max_object_bytes={value!r}: must be None (never split) or a whole number of bytes of the source of at "
            f"least {_MIN_OBJECT_BYTES} (64 KiB); the default is {DEFAULT_MAX_OBJECT_BYTES} (512 MiB)."
        )
