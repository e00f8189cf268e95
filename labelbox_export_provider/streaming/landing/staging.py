"""Staging: the streams of one export are moved into a store, verified but not visible yet."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import Future
from dataclasses import replace
from functools import lru_cache, partial

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.retry import DEFAULT_RETRY, ONCE, RetryPolicy
from labelbox_export_provider.client.types import ExportFile, StreamTotals, StreamType
from labelbox_export_provider.errors import LabelboxExportError, StorageError
from labelbox_export_provider.sinks.base import ENCODING, SOURCE_RANGE, NewObject, ObjectWriter
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.landing.destination import Destination
from labelbox_export_provider.streaming.landing.job import Job, encoding
from labelbox_export_provider.streaming.landing.next_try import describe_share
from labelbox_export_provider.streaming.landing.receipts import Receipts
from labelbox_export_provider.streaming.pipeline import compression
from labelbox_export_provider.streaming.pipeline.members import MEMBER_BYTES
from labelbox_export_provider.streaming.pipeline.memory_plan import MemoryPlan
from labelbox_export_provider.streaming.pipeline.pipeline import (
    OutputFormat,
    StagedStream,
    Stream,
    stage_stream,
)
from labelbox_export_provider.streaming.pipeline.progress import Progress

logger = logging.getLogger(__name__)


class Stager:
    """Stages the streams of one job; `abort` aborts what is staged and not completed."""

    def __init__(self, job: Job, host: FileHost, destination: Destination, receipts: Receipts) -> None:
        self._job = job
        self._host = host
        self._destination = destination
        self._receipts = receipts
        # One text for all objects, since each keeps its metadata to the end.
        self._metadata = job.metadata()
        self._encoding = lru_cache(partial(encoding, job.handle, job.options))
        self._staged: list[StagedStream] = []
        self._recorded: StagedStream | None = None
        """The stream whose objects, or ranges, have receipts."""
        self._first_files: dict[StreamType, Future[ExportFile]] = {}

    def request_first_file(self, stream: StreamType) -> None:
        """Request the first file of a stream ahead of its use.

        Nobody waits for it before. It is requested once: after a failure it is requested again when it is needed, and
        that failure is raised.
        """
        self._first_files[stream] = self._job.calls.submit(lambda: self._ask(stream, 0, ONCE))

    def stage(
        self, stream: StreamType, totals: StreamTotals | None, *, objects: range | None = None, move: bool = True
    ) -> StagedStream | None:
        """Move a stream and verify it; None when it is empty.

        With `objects` these alone, and their sum is not compared with the totals. Without `move`, all objects must have
        been staged by other tasks.
        """
        if totals is None:
            return None
        job = self._job
        job.calls.token.check()
        output_format = self._output_format(stream, totals)
        receipts = None
        if stream is StreamType.RESULT and job.has_receipts(totals.size) and self._receipts.are_possible:
            receipts = self._receipts
            self._look_at_receipts(totals, job.receipt_bytes or 0, objects, move=move)

        def ask(offset: int) -> ExportFile:
            # Once only: the next request is for a URL that has not expired.
            if offset == 0 and (ahead := self._first_files.pop(stream, None)) is not None:
                with contextlib.suppress(LabelboxExportError):
                    return job.calls.results(ahead)[0]
            return self._ask(stream, offset)

        def watch(progress: Progress) -> None:
            job.progress.add_stream(stream.value, totals.lines, progress)

        def open_object(number: int) -> ObjectWriter:
            return job.sink.begin(self.new_object(stream, totals, number))

        staged = stage_stream(
            Stream(f"export {job.handle.export_id}, {stream.value} stream", totals, ask),
            host=self._host,
            open_object=open_object,
            output_format=output_format,
            plan=self._plan(totals, output_format),
            calls=job.calls,
            transfer_hooks=replace(job.transfer_hooks, watch=watch),
            receipts=receipts,
            objects=objects,
        )
        self._staged.append(staged)
        self._recorded = staged if receipts is not None else self._recorded
        return staged

    def _look_at_receipts(self, totals: StreamTotals, object_bytes: int, objects: range | None, *, move: bool) -> None:
        """Find out which objects an earlier try has stored; fail if some are missing and must not be moved here."""
        every = range(-(-totals.size // object_bytes)) if objects is None else objects
        self._receipts.confirm(totals, every, lambda number: self.new_object(StreamType.RESULT, totals, number))
        missing = [number for number in every if not self._receipts.is_kept(number)]
        if kept := {*every} - {*missing}:
            share = describe_share(kept, every, totals.size, object_bytes, self._receipts.unit)
            logger.info(
                "%s: %s were stored by an earlier try; they are not moved again.", self._job.handle.describe(), share
            )
        # Receipts of more objects than there are stay where an earlier plan had smaller ones: nothing is made of them.
        if not move and missing:
            self._job.progress.stage_again = True
            raise not_staged_error(missing, self._receipts.faults)

    def _output_format(self, stream: StreamType, totals: StreamTotals) -> OutputFormat:
        options, window = self._job.options, self._job.handle.window
        if stream is not StreamType.RESULT:
            return OutputFormat(options.compression, verify=options.verify_compression)
        rule = window.trim_rule() if window is not None else None
        object_bytes = self._job.object_bytes(totals.size)
        return OutputFormat(options.compression, rule, options.max_trim_row, object_bytes, options.verify_compression)

    def _plan(self, totals: StreamTotals, output_format: OutputFormat) -> MemoryPlan:
        return self._job.options.plan(
            self._job.sink,
            output_format.object_bytes or totals.size,
            members=-(-totals.size // MEMBER_BYTES),
            reserved=sum(staged.kept_in_memory for staged in self._staged),
        )

    def new_object(self, stream: StreamType, totals: StreamTotals, number: int = 0) -> NewObject:
        """Return the description of one object of a stream."""
        job, is_result = self._job, stream is StreamType.RESULT
        object_bytes = job.object_bytes(totals.size) if is_result else None
        first = number * (object_bytes or 0)
        end = totals.size if object_bytes is None else min(totals.size, first + object_bytes)
        return NewObject(
            job.names.data(number) if is_result else job.names.errors,
            compression.content_type(job.options.compression),
            {
                **self._metadata,
                SOURCE_RANGE: f"{stream.value}:{first}-{end - 1}" if totals.size else f"{stream.value}:empty",
                ENCODING: self._encoding(object_bytes),
            },
            create_only=is_result and self._destination.create_only,
            hold_small=object_bytes is None,
        )

    def _ask(self, stream: StreamType, offset: int, policy: RetryPolicy = DEFAULT_RETRY) -> ExportFile:
        return self._job.client.run(flows.file_at(self._job.handle.export_id, stream, offset, policy))

    def discard(self, staged: StagedStream) -> None:
        """Abort a stream that is not to be completed."""
        self._staged.remove(staged)
        self._job.calls.abort(staged.writers())

    def abort(self) -> None:
        """Abort what is not completed, but for objects that a receipt names."""
        receipts = self._receipts
        self._job.calls.abort(
            each.writer
            for staged in self._staged
            for each in staged.objects
            if each.writer is not None and not (staged is self._recorded and receipts.has(each.number))
        )


def not_staged_error(missing: list[int], faults: list[str]) -> StorageError:
    """Return the error about objects that other tasks had to stage."""
    some = ", ".join(map(str, missing[:10])) + (" and more" if len(missing) > 10 else "")
    return StorageError(
        f"{len(missing)} object(s) of the export are not staged, or their receipts are not sound"
        f"{f' (numbers {some})' if missing else ''}. Nothing was published. Clear the tasks that stage them, with "
        "downstream: what is sound is not moved again.",
        details="; ".join(faults[:10]) or None,
    )
