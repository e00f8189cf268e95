"""The landing of one export: decide, move, verify, and only then publish, the manifest last.

Order: read what is there (an explicit key, other generations); abort what killed tries left under the same keys and
read the totals; refuse to land this export in another form than it is landed in; compare the error rows with their
threshold; move both streams without completing them; remove objects of this export that a killed try with other options
left and no manifest names; complete the errors, then all data objects in one burst; write the list of URIs, then the
manifest, which is itself one whole object; remove what that one replaces. Above the threshold of error rows, the errors
are completed before the result is staged, and the landing fails.

Whatever is killed and when, no object is ever partly visible, and a manifest names only whole, verified objects. After
a failure some whole objects may be there that no manifest names; the next try writes them again, with the same bytes.
A manifest can become outdated in one case: at an explicit key with `replace=True` that of an older export stays, since
its name holds the generation, and names an object that has other bytes by then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import get_args

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import CompletedTotals
from labelbox_export_provider.client.types import StreamTotals, StreamType
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import ErrorCounts, LandedObject, Manifest, Versions
from labelbox_export_provider.domain.records.object_names import ObjectNames, State
from labelbox_export_provider.errors import TooManyErrorRowsError
from labelbox_export_provider.sinks.base import JSON, TEXT, NewObject, Sink
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.landing.explicit_key import OverwriteDecision, decide_overwrite
from labelbox_export_provider.streaming.landing.generations import LandedGenerations
from labelbox_export_provider.streaming.landing.manifests import Landed, landed_object, result_counts, state_of
from labelbox_export_provider.streaming.landing.options import LandedExport, LandingOptions
from labelbox_export_provider.streaming.landing.staging import Job, Stager, complete_all, encoding
from labelbox_export_provider.streaming.landing.totals import ask_totals
from labelbox_export_provider.streaming.pipeline import compression
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.pipeline import StagedStream, TransferHooks
from labelbox_export_provider.streaming.pipeline.progress import LandingProgress
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
    exported_at: datetime | None = None,
    progress: LandingProgress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
) -> LandedExport:
    """Land a COMPLETE export and return its manifest.

    `names` must be made with the compression of `options`. Files are fetched with the client's settings, but without
    its key. `progress` is updated meanwhile, for the report of a failure. Raises `TooManyErrorRowsError` when the error
    stream is longer than allowed (errors are landed then, results are not), `ObjectExistsError` about an explicit key
    or, with `rerun="refuse"`, another generation, `ConfigurationError` when this export is landed in another form,
    `IntegrityError` when anything differs from what Labelbox announced, and `StorageError`. In all cases no object
    is partly visible; some whole ones may be there that no manifest names, and the next try writes them again.

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
            return _Landing(job, host, versions).run(exported_at, now)
        except BaseException as error:
            part.cancel(error)
            if part.error is error:
                raise
        finally:
            part.cancel(StoppedError())
            for each in (host, job.client, calls):
                each.close()
        # Outside of the handler: what the cancelled landing failed with does not help.
        raise part.error or StoppedError


class _Landing:
    def __init__(self, job: Job, host: FileHost, versions: Versions) -> None:
        self._job = job
        self._handle = job.handle
        self._names = job.names
        self._sink = job.sink
        self._options = job.options
        self._host = host
        self._versions = versions
        self._generations: LandedGenerations | None = None
        if job.names.explicit_key is None:
            self._generations = LandedGenerations(job.sink, job.names, job.names.window, job.handle)

    def run(self, exported_at: datetime | None, now: Callable[[], datetime]) -> LandedExport:
        names, options = self._names, self._options
        self._check_other_generations()
        decision = self._decide()
        if decision.landed is not None:
            return self._keep_landed(decision.landed)
        stager = Stager(self._job, self._host, create_only=decision.create_only)
        totals = self._prepare(stager)
        object_bytes = self._job.object_bytes(totals.result)
        if self._generations is not None:
            self._generations.refuse_another_form(options.compression, object_bytes)
        try:
            errors, result = self._stage(totals, stager)
            written = self._keys_to_write(errors, result)
            if self._generations is not None:
                self._generations.remove_unnamed(written)
            landed_errors = self._complete_errors(totals.errors, errors)
            objects = self._complete_result(result, stager)
        except BaseException:
            stager.abort()
            raise
        landed = self._publish(
            Manifest(
                state=state_of(landed_errors, objects),
                generation=names.generation,
                export=self._handle,
                query=self._handle.query,
                result=result_counts(totals.result, result),
                errors=landed_errors,
                objects=objects,
                uris=self._write_uris(objects),
                compression=options.compression,
                max_object_bytes=object_bytes,
                started_at=self._handle.started_at,
                exported_at=exported_at,
                landed_at=now(),
                versions=self._versions,
            )
        )
        self._remove_replaced(written, landed)
        return landed

    def _decide(self) -> OverwriteDecision:
        names, options = self._names, self._options
        form = encoding(self._handle, options)
        return decide_overwrite(self._sink, names, self._handle, encoding=form, replace=options.replace)

    def _keep_landed(self, landed: Landed) -> LandedExport:
        logger.info("%s is landed already: %s", self._handle.describe(), landed.uri)
        self._abort_leftovers(self._fixed_keys())
        return LandedExport(landed.manifest, landed.uri, moved=False)

    def _stage(self, totals: CompletedTotals, stager: Stager) -> tuple[StagedStream | None, StagedStream | None]:
        """Stage both streams; fail before the result moves where there are more error rows than allowed."""
        self._check_error_rows(totals.errors, stager)
        errors = stager.stage(StreamType.ERRORS, totals.errors)
        return errors, stager.stage(StreamType.RESULT, totals.result)

    def _prepare(self, stager: Stager) -> CompletedTotals:
        """Fence earlier tries of this export; request the totals and the first file meanwhile."""
        calls = self._job.calls
        fence = calls.submit(self._fence_earlier_tries)
        stager.request_first_file(StreamType.RESULT)
        totals = ask_totals(self._job.client, self._handle.export_id, calls)
        if totals.result is not None:
            self._abort_leftovers(self._further_keys(totals.result))
        calls.results(fence)
        return totals

    def _fence_earlier_tries(self) -> None:
        """Keep a try that may still run from publishing, and only then read what it has published."""
        self._abort_leftovers(self._fixed_keys())
        own = self._generations.read_own_manifest() if self._generations is not None else None
        if own is not None:
            self._job.progress.in_store = f"this export, as an earlier try landed it ({own.uri})"

    def _fixed_keys(self) -> list[str]:
        names = self._names
        keys = [names.data(), names.errors, *(names.manifest(state) for state in get_args(State))]
        return keys + ([names.uris] if names.uris is not None else [])

    def _further_keys(self, totals: StreamTotals) -> list[str]:
        object_bytes = self._job.object_bytes(totals)
        count = 1 if object_bytes is None else -(-totals.size // object_bytes)
        return [self._names.data(number) for number in range(1, count)]

    def _abort_leftovers(self, keys: Iterable[str]) -> None:
        def abort(key: str) -> None:
            if aborted := self._sink.abort_open_uploads(key, exact=True):
                logger.info("%s: aborted %d open upload(s) of an earlier try.", self._sink.uri(key), aborted)

        self._job.calls.map(abort, keys)

    def _check_other_generations(self) -> None:
        if self._generations is None:
            return
        if self._options.rerun == "refuse":
            self._generations.refuse_others()
        if self._options.rerun == "replace":
            self._generations.check_listing()

    def _check_error_rows(self, errors: StreamTotals | None, stager: Stager) -> None:
        rows = 0 if errors is None else errors.lines
        if rows <= self._options.max_error_rows:
            return
        written = self._complete_errors(errors, stager.stage(StreamType.ERRORS, errors))
        raise TooManyErrorRowsError(
            f"The export has {rows} error row{'s' * (rows != 1)}, more than "
            f"max_error_rows={self._options.max_error_rows} allows: they were landed, the results were not. Read them, "
            "then fix their cause and clear the start task with downstream, or raise max_error_rows and clear this "
            "task.",
            details=f"{self._handle.describe()}; error rows in {written.uri}",
        )

    def _keys_to_write(self, errors: StagedStream | None, result: StagedStream | None) -> set[str]:
        keys = {self._names.data(each.number) for each in result.objects if each.size} if result is not None else set()
        if not keys and self._options.on_empty == "write_empty":
            keys.add(self._names.data())
        if keys and self._names.uris is not None:
            keys.add(self._names.uris)
        if errors is not None and errors.size:
            keys.add(self._names.errors)
        return keys

    def _complete_errors(self, totals: StreamTotals | None, staged: StagedStream | None) -> ErrorCounts:
        if totals is None or staged is None or not staged.size:
            return ErrorCounts(rows=0, bytes=0, uri=None)
        uri = staged.complete()[0].uri
        self._job.progress.in_store = f"the error rows ({uri}), no results, no manifest"
        return ErrorCounts(rows=totals.lines, bytes=totals.size, uri=uri)

    def _complete_result(self, staged: StagedStream | None, stager: Stager) -> tuple[LandedObject, ...]:
        if staged is not None and staged.size:
            objects = tuple(
                landed_object(written, each.counts)
                for each, written in complete_all(staged, self._job.calls, self._record_completed)
            )
        elif self._options.on_empty == "write_empty":
            new = stager.new_object(StreamType.RESULT, StreamTotals(0, 0))
            written = self._sink.put(new, compression.nothing(self._options.compression))
            objects = (landed_object(written, RowCounts()),)
        else:
            return ()
        label = objects[0].uri if len(objects) == 1 else f"{len(objects)} objects, the first is {objects[0].uri}"
        self._job.progress.in_store = f"the rows ({label}), whole and verified, but no manifest that names them"
        return objects

    def _record_completed(self, done: int, of: int) -> None:
        self._job.progress.in_store = (
            f"for certain {done} of {of} objects with rows, each whole and verified, and no manifest that names them"
        )

    def _write_uris(self, objects: tuple[LandedObject, ...]) -> str | None:
        if self._names.uris is None or not objects:
            return None
        content = "".join(f"{landed.uri}\n" for landed in objects).encode()
        return self._sink.put(self._small_object(self._names.uris, TEXT), content).uri

    def _publish(self, manifest: Manifest) -> LandedExport:
        self._job.calls.token.check()
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        written = self._sink.put(self._small_object(self._names.manifest(manifest.state), JSON), content)
        self._job.progress.in_store = f"everything ({written.uri})"
        skip = not manifest.rows_landed and self._options.on_empty == "skip_task"
        return LandedExport(manifest, written.uri, skip=skip)

    def _remove_replaced(self, written: set[str], landed: LandedExport) -> None:
        if self._generations is None:
            return
        self._generations.remove_no_longer_named(written)
        if self._options.rerun == "replace":
            self._job.progress.in_store = f"everything ({landed.manifest_uri}), and older generations beside it"
            self._generations.remove_older()
            self._job.progress.in_store = f"everything ({landed.manifest_uri})"

    def _small_object(self, key: str, content_type: str) -> NewObject:
        return NewObject(key, content_type, self._job.metadata())
