"""The steps of a landing, in the order that `land` describes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.polling import CompletedTotals
from labelbox_export_provider.client.types import StreamTotals, StreamType
from labelbox_export_provider.domain.records.landing_plan import LandingPlan, StagedShard, shards_of
from labelbox_export_provider.domain.records.manifest import ErrorCounts, LandedObject, Manifest, Versions
from labelbox_export_provider.errors import LabelboxExportError, TooManyErrorRowsError
from labelbox_export_provider.sinks.base import JSON, TEXT, NewObject, WrittenObject
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.landing.destination import Destination
from labelbox_export_provider.streaming.landing.explicit_key import ExplicitKey
from labelbox_export_provider.streaming.landing.job import Ended, Job
from labelbox_export_provider.streaming.landing.layout import Layout
from labelbox_export_provider.streaming.landing.manifests import (
    Landed,
    landed_object,
    result_counts,
    state_of,
    with_etags,
)
from labelbox_export_provider.streaming.landing.next_try import ending
from labelbox_export_provider.streaming.landing.options import LandedExport
from labelbox_export_provider.streaming.landing.own_objects import OwnObjects
from labelbox_export_provider.streaming.landing.planned import check_plan, make_plan
from labelbox_export_provider.streaming.landing.range_receipts import receipts_of
from labelbox_export_provider.streaming.landing.resumed_writer import complete_all
from labelbox_export_provider.streaming.landing.staging import Stager, not_staged_error
from labelbox_export_provider.streaming.landing.totals import announced_totals, ask_totals
from labelbox_export_provider.streaming.landing.upload_rule import ask_upload_rule
from labelbox_export_provider.streaming.pipeline import compression
from labelbox_export_provider.streaming.pipeline.pipeline import StagedObject, StagedStream
from labelbox_export_provider.streaming.rows.counts import RowCounts

logger = logging.getLogger(__name__)


class Landing:
    """The steps of one landing, each called once."""

    def __init__(
        self,
        job: Job,
        host: FileHost,
        versions: Versions | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        *,
        scope: range | None = None,
        tries: timedelta | None = None,
    ) -> None:
        self._job = job
        self._handle = job.handle
        self._names = job.names
        self._sink = job.sink
        self._options = job.options
        self._versions = versions or Versions(provider="", airflow=None)
        self._now = now
        self._tries = tries
        self._destination: Destination = Layout(job) if job.names.explicit_key is None else ExplicitKey(job)
        self._receipts = receipts_of(job, scope)
        self._stager = Stager(job, host, self._destination, self._receipts)
        self._written: dict[str, WrittenObject] = {}
        self._completing = threading.Lock()

    def run(self, ended: Ended, plan: LandingPlan | None = None) -> LandedExport:
        """Land the export; with a plan that has shards, other tasks have staged its objects."""
        with ending(self._job, self._receipts):
            return self._run(ended, plan)

    def plan(self, ended: Ended, max_shards: int, shard_bytes: int) -> LandingPlan:
        """Look as a landing does, and split the export into shards; error rows above the threshold fail it here."""
        with ending(self._job, self._receipts):
            return self._plan(ended, max_shards, shard_bytes)

    def _plan(self, ended: Ended, max_shards: int, shard_bytes: int) -> LandingPlan:
        job = self._job
        landed = self._destination.prepare(self._keep())
        totals = announced_totals(job.client, job.handle.export_id, job.calls, ended)
        errors, result = totals.errors, totals.result
        if landed is not None and (errors is None or errors.lines == landed.manifest.errors.rows):
            return make_plan(job, None, (), landed=True)
        self._check_error_rows(errors)
        object_bytes = job.object_bytes(result.size) if result is not None and self._receipts.are_possible else None
        if result is None or object_bytes is None or not self._receipts.load():
            return make_plan(job, result, ())
        job.progress.result_bytes = result.size
        job.calls.results(ask_upload_rule(job, self._tries))
        count = -(-result.size // object_bytes)
        shards = shards_of(count, object_bytes, max_shards=max_shards, shard_bytes=shard_bytes)
        return make_plan(job, result, shards if len(shards) > 1 else ())

    def stage(self, plan: LandingPlan, first: int, last: int) -> StagedShard:
        """Stage objects of a plan, and leave their receipts; what an earlier try of this task has staged is kept."""
        objects, self._job.progress.result_bytes = range(first, last), plan.source_bytes
        with ending(self._job, self._receipts):
            staged = self._stage_objects(plan, objects)
        kept = sum(map(self._receipts.is_kept, objects))
        return StagedShard(first=first, last=last, kept=kept, rows=staged.counts.rows, bytes=staged.counts.bytes)

    def _stage_objects(self, plan: LandingPlan, objects: range) -> StagedStream:
        totals = StreamTotals(plan.source_bytes, plan.source_rows)
        try:
            check_plan(plan, self._job, totals)
            self._receipts.load()  # before all threads for calls wait for it, which itself needs one
            OwnObjects(self._job).fence_objects(objects, self._receipts.name_upload)
            staged = self._stager.stage(StreamType.RESULT, totals, objects=objects)
            missing = [number for number in objects if not self._receipts.has(number)]
            if staged is None or missing:
                raise not_staged_error(missing, self._receipts.faults)
        except BaseException:
            self._stager.abort()
            raise
        return staged

    def _keep(self) -> Callable[[str], bool] | None:
        return self._receipts.name_upload if self._receipts.are_possible else None

    def _run(self, ended: Ended, plan: LandingPlan | None) -> LandedExport:
        job = self._job
        end = job.calls.submit(lambda: ended(job.client))
        asked = job.calls.submit(self._ask_totals)
        is_staged = job.progress.by_others = plan is not None and bool(plan.shards)
        if not is_staged:
            self._stager.request_first_file(StreamType.RESULT)
        landed = self._destination.prepare(self._keep())
        (exported_at,) = job.calls.results(end)
        if landed is not None and not self._has_more_errors(landed.manifest, asked):
            return self._keep_landed(landed)
        (totals,) = job.calls.results(asked)
        try:
            if is_staged and plan is not None:
                check_plan(plan, job, totals.result)
            rule = ask_upload_rule(job, self._tries)
            totals, errors, result = self._stage(totals, move=not is_staged)
            job.calls.results(rule)
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

    def _ask_totals(self) -> CompletedTotals:
        """Ask Labelbox for the totals, and where they are those of a landing with receipts, begin to look for these."""
        job = self._job
        totals = ask_totals(job.client, job.handle.export_id, job.calls)
        job.progress.result_bytes = totals.result.size if totals.result is not None else 0
        if job.has_receipts(job.progress.result_bytes):
            job.calls.submit(self._receipts.load)
        return totals

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
        self._remove_receipts(landed.manifest)
        return LandedExport(landed.manifest, landed.uri, skip=self._skips(landed.manifest), moved=False)

    def _remove_receipts(self, manifest: Manifest) -> bool:
        """Remove the receipts of all tries; a small landing that found nothing of another try does not look."""
        has_some = self._receipts.were_found or self._destination.other_tries
        if looks := has_some or self._job.has_receipts(manifest.result.bytes):
            self._receipts.remove()
        return looks

    def _skips(self, manifest: Manifest) -> bool:
        return not manifest.rows_landed and self._options.on_empty == "skip_task"

    def _stage(
        self, totals: CompletedTotals, *, move: bool = True
    ) -> tuple[CompletedTotals, StagedStream | None, StagedStream | None]:
        """Stage both streams; fail before the result moves where there are more error rows than allowed.

        A header that comes late looks as that of an empty stream, so that of the errors is asked for once more.
        """
        self._check_error_rows(totals.errors)
        errors = self._stager.stage(StreamType.ERRORS, totals.errors)
        result = self._stager.stage(StreamType.RESULT, totals.result, move=move)
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
            objects = complete_all(self._job.calls, self._complete, ready)
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
        manifest = with_etags(manifest, self._written, self._destination.check(self._written, key))
        self._job.calls.token.check()
        content = manifest.model_dump_json(indent=1).encode() + b"\n"
        uri = self._destination.publish(self._small_object(key, JSON), content)
        self._in_store(manifest=uri, earlier=False)
        # At the same time, unless something of another try is only found by the second look.
        with self._job.calls.beside(lambda: self._remove_receipts(manifest)) as removal:
            self._destination.after_publish(Landed(manifest, key, uri), self._now())
        if self._job.calls.results(removal) == [False]:
            self._remove_receipts(manifest)
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
