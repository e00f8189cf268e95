"""Lands one export: decides, moves, verifies, and only then publishes, the manifest last.

Order: abort what killed tries left under the same keys, look at an explicit key, read the totals, hold the error rows
against their threshold, move both streams without completing them, complete errors, then data, then write the list of
URIs, then the manifest. Whatever is killed and when, a manifest names only whole, verified objects, and the next try
writes the same names with the same bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import get_args

from labelbox_export_provider.labelbox import flows
from labelbox_export_provider.labelbox.drivers import LabelboxClient
from labelbox_export_provider.labelbox.model import ExportFile, StreamTotals, StreamType
from labelbox_export_provider.labelbox.waiting import CompletedTotals, completed_totals
from labelbox_export_provider.spec.dates import iso_utc
from labelbox_export_provider.spec.errors import ConfigurationError, TooManyErrorRowsError
from labelbox_export_provider.spec.handle import ExportHandle
from labelbox_export_provider.spec.layout import ObjectNames, State
from labelbox_export_provider.spec.manifest import ErrorCounts, LandedObject, Manifest, ResultCounts, Versions
from labelbox_export_provider.streaming import checksum, packing
from labelbox_export_provider.streaming.budget import plan_memory
from labelbox_export_provider.streaming.explicit import look
from labelbox_export_provider.streaming.file_host import FileHost
from labelbox_export_provider.streaming.lines import RowCounts
from labelbox_export_provider.streaming.members import MEMBER_BYTES
from labelbox_export_provider.streaming.options import LandedExport, LandingOptions
from labelbox_export_provider.streaming.pipeline import (
    StagedStream,
    Stream,
    Surroundings,
    Treatment,
    stage_stream,
)
from labelbox_export_provider.streaming.progress import LandingProgress, Progress
from labelbox_export_provider.streaming.sinks.base import (
    CONTENT_RECIPE,
    EXPORT_ID,
    JSON,
    SOURCE_RANGE,
    TEXT,
    NewObject,
    Sink,
    WrittenObject,
)

__all__ = ["LandedExport", "LandingOptions", "LandingProgress", "land_export"]

logger = logging.getLogger(__name__)


def land_export(
    *,
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    versions: Versions,
    options: LandingOptions | None = None,
    exported_at: datetime | None = None,
    progress: LandingProgress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    surroundings: Surroundings | None = None,
) -> LandedExport:
    """Land a COMPLETE export and give its manifest.

    `names` has to be made with the compression of `options`. Files are fetched as the client's settings say, but
    without its key. `progress` is filled on the way, for whoever reports a failure. Raises `TooManyErrorRowsError` when
    the error stream is longer than allowed (errors are landed then, results are not), `ObjectExistsError` about an
    explicit key, `IntegrityError` when anything disagrees with what Labelbox announced, and `StorageError`. In all
    cases nothing partial is visible, and another try may follow.
    """
    job = _Job(
        client,
        handle,
        names,
        sink,
        versions,
        options or LandingOptions(),
        progress or LandingProgress(),
        surroundings or Surroundings(),
    )
    host = FileHost(client.settings, user_agent=f"airflow-provider-labelbox-export/{versions.provider}")
    try:
        return _Landing(job, host).run(exported_at, now)
    finally:
        host.close()


def recipe(handle: ExportHandle, options: LandingOptions) -> str:
    """Name everything that decides the bytes of a data object besides the export itself."""
    packed = packing.recipe(options.compression, MEMBER_BYTES)
    window = handle.window
    if window is None or not window.trim:
        return f"1;{packed};untrimmed"
    ends = ",".join(
        "-" if end is None else iso_utc(end)
        for end in (window.queried_start, window.start, window.end, window.queried_end)
    )
    return f"1;{packed};{window.field},{ends},{options.max_trim_line}"


@dataclass(frozen=True, slots=True)
class _Job:
    client: LabelboxClient
    handle: ExportHandle
    names: ObjectNames
    sink: Sink
    versions: Versions
    options: LandingOptions
    progress: LandingProgress
    surroundings: Surroundings


class _Landing:
    def __init__(self, job: _Job, host: FileHost) -> None:
        self._job = job
        self._handle = job.handle
        self._names = job.names
        self._sink = job.sink
        self._options = job.options
        self._host = host
        self._recipe = recipe(job.handle, job.options)
        self._create_only = False
        self._staged: list[StagedStream] = []

    def run(self, exported_at: datetime | None, now: Callable[[], datetime]) -> LandedExport:
        self._abort_leftovers()
        self._refuse_twin()
        verdict = look(self._sink, self._names, self._handle, recipe=self._recipe, replace=self._options.replace)
        if verdict.landed is not None:
            logger.info("%s is landed already: %s", self._handle.describe(), verdict.landed.uri)
            return LandedExport(verdict.landed.manifest, verdict.landed.uri, moved=False)
        self._create_only = verdict.create_only
        totals = self._job.client.run(completed_totals(self._handle.export_id))
        try:
            self._check_error_rows(totals.errors)
            errors = self._stage(StreamType.ERRORS, totals.errors)
            result = self._stage(StreamType.RESULT, totals.result)
            landed_errors = self._complete_errors(totals.errors, errors)
            objects = self._complete_result(result)
        except BaseException:
            for staged in self._staged:
                staged.abort()
            raise
        return self._publish(
            Manifest(
                state=_state(landed_errors, objects),
                generation=self._names.generation,
                export=self._handle,
                query=self._handle.query,
                result=_result_counts(totals, result),
                errors=landed_errors,
                objects=objects,
                uris=self._write_uris(objects),
                compression=self._options.compression,
                started_at=self._handle.started_at,
                exported_at=exported_at,
                landed_at=now(),
                versions=self._job.versions,
            )
        )

    def _abort_leftovers(self) -> None:
        names = self._names
        keys = [names.data(), names.errors, *(names.manifest(state) for state in get_args(State))]
        keys += [names.uris] if names.uris is not None else []
        for key in keys:
            if aborted := self._sink.abort_open_uploads(key):
                logger.info("%s: removed %d open upload(s) of an earlier try.", self._sink.uri(key), aborted)

    def _refuse_twin(self) -> None:
        for key in self._names.data_otherwise_compressed():
            if self._sink.head(key) is not None:
                raise ConfigurationError(
                    f"{self._sink.uri(key)} holds the rows of this export, landed with another compression. Landed "
                    f"again with compression={self._options.compression!r} they would be there twice for readers of "
                    "data/. Land it as it was, or remove that object and its manifest first."
                )

    def _check_error_rows(self, errors: StreamTotals | None) -> None:
        rows = 0 if errors is None else errors.lines
        if rows <= self._options.max_error_rows:
            return
        written = self._complete_errors(errors, self._stage(StreamType.ERRORS, errors))
        raise TooManyErrorRowsError(
            f"{self._handle.describe()} has {rows} error rows, more than max_error_rows={self._options.max_error_rows} "
            f"allows. They are in {written.uri}; no results and no manifest were written. Read them, then mend their "
            "cause and clear the start task with downstream, or raise max_error_rows and clear this task."
        )

    def _stage(self, stream: StreamType, totals: StreamTotals | None) -> StagedStream | None:
        if totals is None:
            return None
        options, sink = self._options, self._sink
        is_result = stream is StreamType.RESULT
        window = self._handle.window
        plan = plan_memory(
            size=totals.size,
            max_memory=options.max_memory,
            workers=options.workers,
            part_bytes=options.part_bytes,
            minimum_part_bytes=sink.minimum_part_bytes,
            maximum_part_bytes=sink.maximum_part_bytes,
            maximum_parts=sink.maximum_parts,
            members=-(-totals.size // MEMBER_BYTES),
            reserved=sum(staged.kept_in_memory for staged in self._staged),
        )

        def ask(offset: int) -> ExportFile:
            return self._job.client.run(flows.file_at(self._handle.export_id, stream, offset))

        def watch(progress: Progress) -> None:
            self._job.progress.begin(stream.value, totals.lines, progress)

        staged = stage_stream(
            Stream(f"{self._handle.describe()}, {stream.value} stream", totals, ask),
            host=self._host,
            open_object=lambda _: sink.begin(self._new_object(stream, totals)),
            treatment=Treatment(
                options.compression,
                window.trim_rule() if window is not None and is_result else None,
                options.max_trim_line,
            ),
            plan=plan,
            surroundings=replace(self._job.surroundings, watch=watch),
        )
        self._staged.append(staged)
        return staged

    def _new_object(self, stream: StreamType, totals: StreamTotals) -> NewObject:
        is_result = stream is StreamType.RESULT
        return NewObject(
            self._names.data() if is_result else self._names.errors,
            packing.content_type(self._options.compression),
            {
                EXPORT_ID: self._handle.export_id,
                SOURCE_RANGE: f"{stream.value}:0-{totals.size - 1}" if totals.size else f"{stream.value}:empty",
                CONTENT_RECIPE: self._recipe,
            },
            create_only=is_result and self._create_only,
        )

    def _complete_errors(self, totals: StreamTotals | None, staged: StagedStream | None) -> ErrorCounts:
        if totals is None or staged is None or not staged.size:
            return ErrorCounts(rows=0, bytes=0, uri=None)
        uri = staged.complete()[0].uri
        self._job.progress.in_store = f"the error rows ({uri}), no results, no manifest"
        return ErrorCounts(rows=totals.lines, bytes=totals.size, uri=uri)

    def _complete_result(self, staged: StagedStream | None) -> tuple[LandedObject, ...]:
        if staged is not None and staged.size:
            (written,) = staged.complete()
        else:
            if staged is not None:
                staged.abort()
            if self._options.on_empty != "write_empty":
                return ()
            new = self._new_object(StreamType.RESULT, StreamTotals(0, 0))
            written = self._sink.put(new, packing.nothing(self._options.compression))
        self._job.progress.in_store = f"the rows ({written.uri}), whole and verified, but no manifest that names them"
        counts = staged.counts if staged is not None else RowCounts()
        return (_landed_object(written, counts),)

    def _write_uris(self, objects: tuple[LandedObject, ...]) -> str | None:
        if self._names.uris is None or not objects:
            return None
        content = "".join(f"{landed.uri}\n" for landed in objects).encode()
        return self._sink.put(self._small_object(self._names.uris, TEXT), content).uri

    def _publish(self, manifest: Manifest) -> LandedExport:
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        written = self._sink.put(self._small_object(self._names.manifest(manifest.state), JSON), content)
        self._job.progress.in_store = f"everything ({written.uri})"
        skip = not sum(landed.rows for landed in manifest.objects) and self._options.on_empty == "skip_task"
        return LandedExport(manifest, written.uri, skip=skip)

    def _small_object(self, key: str, content_type: str) -> NewObject:
        return NewObject(key, content_type, {EXPORT_ID: self._handle.export_id})


def _landed_object(written: WrittenObject, counts: RowCounts) -> LandedObject:
    return LandedObject(
        uri=written.uri,
        rows=counts.rows_kept,
        bytes=written.size,
        source_bytes=counts.bytes_kept,
        crc32c=checksum.text(written.crc32c),
        etag=written.etag,
        version_id=written.version_id,
    )


def _result_counts(totals: CompletedTotals, staged: StagedStream | None) -> ResultCounts:
    counts = staged.counts if staged is not None else RowCounts()
    return ResultCounts(
        rows=counts.rows,
        bytes=totals.result.size if totals.result is not None else 0,
        rows_trimmed=counts.rows_trimmed,
        rows_after_end=counts.rows_after_end,
        rows_before_start=counts.rows_before_start,
        rows_unknown=counts.rows_unknown,
        max_row_bytes=counts.max_row_bytes,
        crc32c=checksum.text(staged.source_crc32c if staged is not None else 0),
    )


def _state(errors: ErrorCounts, objects: tuple[LandedObject, ...]) -> State:
    if errors.rows:
        return "errors"
    return "ok" if sum(landed.rows for landed in objects) else "empty"
