"""The landing of one export: look, move, verify, and only then publish, the manifest last.

Order: keep earlier tries of this export from publishing, and look at what is landed (`Destination.prepare`: refuse,
give way, or be done); meanwhile make sure that the export has ended, and read the totals; compare the error rows with
their threshold; move both streams without completing them; ask for the error rows once more; complete the errors, then
all data objects in one burst; write the list of URIs; check that all of them are there, and nothing else of this
export; write the manifest, which is itself one whole object; look again, and remove what this export replaces, or
itself where a newer one replaces it. Above the threshold of error rows, the errors are completed before the result is
staged, and the landing fails.

Whatever is killed and when, no object is ever partly visible, and a manifest names only whole, verified objects. After
a failure some whole objects may be there that no manifest names; the next try writes them again, with the same bytes.
A manifest can become outdated in one case: at an explicit key with `replace=True` that of an older export stays, since
its name holds the generation, and names an object that has other bytes by then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import CompletedTotals
from labelbox_export_provider.client.types import StreamTotals, StreamType
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import ErrorCounts, LandedObject, Manifest, Versions
from labelbox_export_provider.domain.records.object_names import ObjectNames
from labelbox_export_provider.errors import LabelboxExportError, TooManyErrorRowsError
from labelbox_export_provider.sinks.base import JSON, TEXT, NewObject, Sink, WrittenObject
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.landing.destination import Destination
from labelbox_export_provider.streaming.landing.explicit_key import ExplicitKey
from labelbox_export_provider.streaming.landing.job import Job
from labelbox_export_provider.streaming.landing.layout import Layout
from labelbox_export_provider.streaming.landing.manifests import Landed, landed_object, result_counts, state_of
from labelbox_export_provider.streaming.landing.options import LandedExport, LandingOptions
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.streaming.landing.staging import Stager
from labelbox_export_provider.streaming.landing.totals import ask_totals
from labelbox_export_provider.streaming.pipeline import compression
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.pipeline import StagedObject, StagedStream, TransferHooks
from labelbox_export_provider.streaming.rows.counts import RowCounts

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
    ended: Callable[[LabelboxClient], datetime | None] = lambda _: None,
    progress: LandingProgress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
) -> LandedExport:
    """Land a COMPLETE export and return its manifest.

    `ended` makes sure that the export is COMPLETE, fails where it must not be landed, and returns when it ended, if
    that is known. It is called beside the landing's own first questions, and nothing is moved before it has returned.
    `names` must be made with the compression of `options`. Files are fetched with the client's settings, but without
    its key. `progress` is updated meanwhile, for the report of a failure. Raises `TooManyErrorRowsError` when the error
    stream is longer than allowed (errors are landed then, results are not), `ObjectExistsError` about an explicit key,
    another generation with `rerun="refuse"` or a newer one to which this export gives way, `ConfigurationError` when
    this export is landed in another form, or another question was asked below the prefix, `IntegrityError` when
    anything differs from what Labelbox announced, and `StorageError`. In all cases no object is partly visible; some
    whole ones may be there that no manifest names, and the next try writes them again.

    `token.cancel(error)`, from any thread or signal handler, ends the landing: everything that it opened is aborted,
    and `error` is raised. The landing itself never cancels it.
    """
    with (token or CancelToken()).part() as part:
        calls = CallPool(part)
        job = Job(
            client.bound_to(part),
            handle,
            names,
            sink,
            options or LandingOptions(),
            progress or LandingProgress(),
            transfer_hooks or TransferHooks(),
            calls,
        )
        host = FileHost(client.settings, user_agent=client.user_agent, token=part)
        try:
            return _Landing(job, host, versions, now).run(ended)
        except BaseException as error:
            part.cancel(error)
            if part.error is error:
                raise
        finally:
            part.cancel(StoppedError())
            job.progress.resumed = host.resumed
            for each in (host, job.client, calls):
                each.close()
        # Outside of the handler: what the cancelled landing failed with does not help.
        raise part.error or StoppedError


class _Landing:
    def __init__(self, job: Job, host: FileHost, versions: Versions, now: Callable[[], datetime]) -> None:
        self._job = job
        self._handle = job.handle
        self._names = job.names
        self._sink = job.sink
        self._options = job.options
        self._versions = versions
        self._now = now
        self._destination: Destination = Layout(job) if job.names.explicit_key is None else ExplicitKey(job)
        self._stager = Stager(job, host, self._destination)
        self._written: dict[str, WrittenObject] = {}
        self._completing = threading.Lock()

    def run(self, ended: Callable[[LabelboxClient], datetime | None]) -> LandedExport:
        job = self._job
        end = job.calls.submit(lambda: ended(job.client))
        asked = job.calls.submit(lambda: ask_totals(job.client, job.handle.export_id, job.calls))
        self._stager.request_first_file(StreamType.RESULT)
        landed = self._destination.prepare()
        (exported_at,) = job.calls.results(end)
        if landed is not None and not self._has_more_errors(landed.manifest, asked):
            return self._keep_landed(landed)
        (totals,) = job.calls.results(asked)
        try:
            totals, errors, result = self._stage(totals)
            self._destination.before_completion()
            landed_errors = self._complete_errors(totals.errors, errors)
            objects = self._complete_result(result)
        except BaseException as error:
            self._stager.abort()
            if isinstance(error, Exception):
                self._destination.after_failure(self._written)
            raise
        manifest = Manifest(
            state=state_of(landed_errors, objects),
            generation=self._names.generation,
            export=self._handle,
            query=self._handle.query,
            result=result_counts(totals.result, result),
            errors=landed_errors,
            objects=objects,
            uris=self._write_uris(objects),
            compression=self._options.compression,
            max_object_bytes=self._job.object_bytes(totals.result.size if totals.result is not None else 0),
            rerun=self._options.rerun,
            replaces=self._destination.replaces,
            started_at=self._handle.started_at,
            exported_at=exported_at,
            landed_at=self._now(),
            versions=self._versions,
        )
        return self._publish(manifest)

    def _has_more_errors(self, landed: Manifest, asked: Future[CompletedTotals]) -> bool:
        """Return whether Labelbox names error rows that the landing of an earlier try had not heard of."""
        try:
            errors = self._job.calls.results(asked)[0].errors
        except LabelboxExportError as error:
            logger.info("The error rows of the landed export were not compared: %s", error)
            return False
        return errors is not None and errors.lines != landed.errors.rows

    def _keep_landed(self, landed: Landed) -> LandedExport:
        logger.info("%s is landed already: %s", self._handle.describe(), landed.uri)
        self._destination.after_publish(landed, self._now())
        return LandedExport(landed.manifest, landed.uri, skip=self._skips(landed.manifest), moved=False)

    def _skips(self, manifest: Manifest) -> bool:
        return not manifest.rows_landed and self._options.on_empty == "skip_task"

    def _stage(self, totals: CompletedTotals) -> tuple[CompletedTotals, StagedStream | None, StagedStream | None]:
        """Stage both streams; fail before the result moves where there are more error rows than allowed.

        A header that comes late looks as that of an empty stream, so that of the errors is asked for once more.
        """
        self._check_error_rows(totals.errors)
        errors = self._stager.stage(StreamType.ERRORS, totals.errors)
        result = self._stager.stage(StreamType.RESULT, totals.result)
        again = self._job.client.run(flows.stream_totals(self._handle.export_id, StreamType.ERRORS))
        if again is not None and again != totals.errors:
            logger.warning(
                "%s: there are %d error rows, which was not known at first.", self._handle.describe(), again.lines
            )
            if errors is not None:
                self._stager.discard(errors)
            self._check_error_rows(again)
            totals, errors = replace(totals, errors=again), self._stager.stage(StreamType.ERRORS, again)
        return totals, errors, result

    def _check_error_rows(self, errors: StreamTotals | None) -> None:
        rows = 0 if errors is None else errors.lines
        if rows <= self._options.max_error_rows:
            return
        written = self._complete_errors(errors, self._stager.stage(StreamType.ERRORS, errors))
        raise TooManyErrorRowsError(
            f"The export has {rows} error row{'s' * (rows != 1)}, more than "
            f"max_error_rows={self._options.max_error_rows} allows: they were landed, the results were not. Read them, "
            "then fix their cause and clear the start task with downstream, or raise max_error_rows and clear this "
            "task.",
            details=f"{self._handle.describe()}; error rows in {written.uri}",
        )

    def _complete_errors(self, totals: StreamTotals | None, staged: StagedStream | None) -> ErrorCounts:
        if totals is None or staged is None or not staged.size:
            return ErrorCounts(rows=0, bytes=0, uri=None)
        uri = self._note(staged.complete()[0]).uri
        self._in_store(errors=uri)
        return ErrorCounts(rows=totals.lines, bytes=totals.size, uri=uri)

    def _complete_result(self, staged: StagedStream | None) -> tuple[LandedObject, ...]:
        if staged is not None and staged.size:
            ready = [each for each in staged.objects if each.size]
            self._in_store(planned=len(ready))
            objects = tuple(self._job.calls.map(self._complete, ready))
        elif self._options.on_empty == "write_empty":
            new = self._stager.new_object(StreamType.RESULT, StreamTotals(0, 0))
            written = self._note(self._sink.put(new, compression.nothing(self._options.compression)))
            objects = (landed_object(written, RowCounts()),)
        else:
            return ()
        self._in_store(first=objects[0].uri, planned=len(objects))
        return objects

    def _write_uris(self, objects: tuple[LandedObject, ...]) -> str | None:
        if self._names.uris is None or not objects:
            return None
        content = "".join(f"{landed.uri}\n" for landed in objects).encode()
        return self._note(self._sink.put(self._small_object(self._names.uris, TEXT), content)).uri

    def _publish(self, manifest: Manifest) -> LandedExport:
        key = self._names.manifest(manifest.state)
        self._destination.check(self._written, key)
        self._job.calls.token.check()
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        uri = self._destination.publish(self._small_object(key, JSON), content)
        self._in_store(manifest=uri, earlier=False)
        self._destination.after_publish(Landed(manifest, key, uri), self._now())
        return LandedExport(manifest, uri, skip=self._skips(manifest))

    def _note(self, written: WrittenObject) -> WrittenObject:
        self._written[written.key] = written
        return written

    def _complete(self, staged: StagedObject) -> LandedObject:
        written = staged.complete()
        with self._completing:
            self._note(written)
            self._in_store(objects=self._job.progress.in_store.objects + 1)
        return landed_object(written, staged.counts)

    def _in_store(self, **known: Any) -> None:
        self._job.progress.in_store = replace(self._job.progress.in_store, **known)

    def _small_object(self, key: str, content_type: str) -> NewObject:
        return NewObject(key, content_type, self._job.metadata())
