"""The export task in Python: start, follow and read one export without a DAG, with the names that Labelbox uses.

Operators, sensor and transfers do not use it: they survive crashes and retries, which a Python object cannot.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import ProgressLog, confirmed_totals, poll
from labelbox_export_provider.client.retry import DEFAULT_RETRY
from labelbox_export_provider.client.start_or_adopt import start_or_adopt
from labelbox_export_provider.client.start_request import StartRequest, saving
from labelbox_export_provider.client.types import KeyOwner, StreamTotals, StreamType, TaskStatus
from labelbox_export_provider.domain.records.external_export import parse_export
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.start_record import StartRecord, marked_name
from labelbox_export_provider.domain.request.query import request_fingerprint
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.errors import (
    ConfigurationError,
    ExportFailedError,
    ExportNotReadyError,
    WaitTimeoutError,
)
from labelbox_export_provider.export_task.state import TaskProperties
from labelbox_export_provider.export_task.stream import BufferedStream, ParsedRows, StreamSource, connect

log = logging.getLogger(__name__)

FIRST_PAUSE = 2.0
MAX_PAUSE = 30.0
"""Seconds between two polls of a wait: they begin with `FIRST_PAUSE` and grow by half up to `MAX_PAUSE`."""

_COMPLETE, _FAILED, _CANCELED = TaskStatus.COMPLETE.value, TaskStatus.FAILED.value, TaskStatus.CANCELED.value


def utc_now() -> datetime:
    """Return the date and time in UTC."""
    return datetime.now(timezone.utc)


class ExportTask(TaskProperties, AbstractContextManager["ExportTask"]):
    """One export task: its state, its totals, and its rows as streams.

    Its state is that of the last poll, by `get_task`, `wait_till_done` or `refresh`. `status` is Labelbox's own text.
    `has_result` and all methods that read streams raise `ExportNotReadyError` while the task is neither COMPLETE nor
    FAILED; Labelbox's names for that error, `ExportTask.TaskNotReadyException` and `ExportTask.ExportTaskException`,
    are available, too. Every other error is one of `labelbox_export_provider.errors`.

    `sleep` takes seconds, `clock` returns seconds that only increase, `now` the date and time. With `owns_client` the
    client is closed with the task, which then must be used as a context manager.
    """

    TaskNotReadyException = ExportNotReadyError
    ExportTaskException = ExportNotReadyError

    def __init__(
        self,
        client: LabelboxClient,
        uid: str,
        *,
        user_id: str | None = None,
        owner: KeyOwner | None = None,
        started_at: datetime | None = None,
        owns_client: bool = False,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__(client, uid, user_id=user_id, owner=owner)
        self._started_at = started_at
        self._owns_client = owns_client
        self._given_sleep = sleep
        self._sleep = sleep or time.sleep
        self._clock = clock
        self._now = now
        self._totals: dict[StreamType, StreamTotals | None] = {}

    @classmethod
    def get_task(
        cls, client: LabelboxClient, task_id: str | ExportHandle | Mapping[str, Any], **options: Any
    ) -> ExportTask:
        """Return the export task with an id, or with the handle that an export operator returns.

        `options` are those of the class. Raises `NotFoundError`, `AnotherUsersExportError` or `HandleError`.
        """
        export = parse_export(task_id)
        task = cls(client, export.export_id, **{"user_id": export.user_id, **options})
        task.refresh()
        return task

    @classmethod
    def start(
        cls, client: LabelboxClient, source: Source, *, task_name: str | None = None, **options: Any
    ) -> ExportTask:
        """Start an export of `source`, one per call, and return its task without waiting for it.

        When Labelbox's answer is lost, the export is searched by its name before another one is started; so `task_name`
        gets a mark before it that no other export has. A script that crashes and runs again starts another export: use
        an export operator where that matters. Raises the errors that the operators raise.
        """
        owner = client.run(flows.who_am_i())
        asked = source.render_input(task_name="", owner_timezone=owner.timezone, window=None)
        request = StartRequest(
            mutation=source.mutation,
            mutation_input=asked,
            name=marked_name(uuid.uuid4().hex, task_name or f"{source.kind} {source.id}"),
            fingerprint=request_fingerprint(source.mutation, asked, client.settings.endpoint, owner.organization_id),
            clear_count="0",
            user_id=owner.user_id,
            organization_id=owner.organization_id,
            try_id="script",
            call_limit=client.settings.timeout,
            now=options.get("now", utc_now),
        )
        started = client.run(saving(start_or_adopt(request, None), _keep_nothing))
        return cls(client, started.export_id, owner=owner, started_at=started.record.intent_at, **options)

    def wait_till_done(self, timeout_seconds: float = 7200.0) -> None:
        """Wait until the task has ended; check `status` then: it may be FAILED or CANCELED.

        Raises `WaitTimeoutError` when it still runs after `timeout_seconds`; the export continues. Neither temporary
        failures of Labelbox nor an unknown state end the wait. This call blocks: in a DAG use `ExportTaskSensor`, which
        waits without a worker.
        """
        if not 0 <= timeout_seconds < float("inf"):
            raise ConfigurationError(f"wait_till_done({timeout_seconds!r}): it must be a number of seconds, 0 or more.")
        deadline = self._clock() + timeout_seconds
        pause = FIRST_PAUSE
        progress = ProgressLog(log.info)
        while not self._has_ended():
            left = max(0.0, deadline - self._clock())
            policy = replace(DEFAULT_RETRY, total_seconds=min(DEFAULT_RETRY.total_seconds, left))
            seen = self._client.run(poll(self.uid, self._creator(), self._started_at, self._now, policy))
            self._last_seen = seen.state or self._last_seen
            progress.add(seen)
            left = deadline - self._clock()
            if seen.ended is not None:
                return
            if left <= 0:
                raise WaitTimeoutError(
                    f"{seen.line}. It has not ended within timeout_seconds={timeout_seconds:g} and continues: call "
                    f"wait_till_done() again, or return to it with ExportTask.get_task(client, {self.uid!r})."
                )
            self._sleep(min(pause, left))
            pause = min(1.5 * pause, MAX_PAUSE)

    def has_result(self) -> bool:
        """Return whether there are rows; False for a FAILED task."""
        return self._ended() != _FAILED and self._totals_of(StreamType.RESULT) is not None

    def has_errors(self) -> bool:
        """Return whether there are error rows. A FAILED task may have none; Labelbox then gives no reason."""
        return self._totals_of(StreamType.ERRORS) is not None

    def get_total_file_size(self, stream_type: StreamType = StreamType.RESULT) -> int:
        """Return the bytes of a stream, 0 when it is empty; raise `ExportFailedError` for a FAILED result."""
        totals = self._totals_of(stream_type)
        return 0 if totals is None else totals.size

    def get_total_lines(self, stream_type: StreamType = StreamType.RESULT) -> int:
        """Return the rows of a stream, 0 when it is empty; raise `ExportFailedError` for a FAILED result."""
        totals = self._totals_of(stream_type)
        return 0 if totals is None else totals.lines

    def get_buffered_stream(self, stream_type: StreamType = StreamType.RESULT) -> BufferedStream:
        """Return a stream to iterate over; an empty one has no rows.

        Raises `ExportFailedError` for the result of a FAILED task, which is never treated as an export without rows.
        """
        stream = _stream_type(stream_type)
        totals = self._totals_of(stream)
        return BufferedStream(
            StreamSource(
                label=f"export {self.uid}, {stream.value} stream",
                totals=totals or StreamTotals(0, 0),
                connect=lambda: connect(self._client, self.uid, stream, self._given_sleep),
            )
        )

    @property
    def result(self) -> ParsedRows:
        """The parsed rows, to loop over; `list(task.result)` holds all of them in memory."""
        return ParsedRows(self.get_buffered_stream(StreamType.RESULT))

    @property
    def errors(self) -> ParsedRows:
        """The parsed error rows, to loop over."""
        return ParsedRows(self.get_buffered_stream(StreamType.ERRORS))

    def close(self) -> None:
        """Close the client if it belongs to this task."""
        if self._owns_client:
            self._client.close()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _has_ended(self) -> bool:
        return self._last_seen is not None and self._last_seen.status in {_COMPLETE, _FAILED, _CANCELED}

    def _ended(self) -> str:
        """Return COMPLETE or FAILED, after another poll where the last one saw neither."""
        if not self._has_ended():
            self.refresh()
        status = self.status
        if status in {_COMPLETE, _FAILED}:
            return status
        advice = (
            "it will never have a result; start a new one."
            if status == _CANCELED
            else "it has no streams to read yet; call wait_till_done() first."
        )
        raise ExportNotReadyError(f"Export {self.uid} is {status}: {advice}")

    def _totals_of(self, stream_type: StreamType) -> StreamTotals | None:
        stream = _stream_type(stream_type)
        if self._ended() == _FAILED and stream is StreamType.RESULT:
            raise ExportFailedError(
                f"Export {self.uid} is FAILED and has no result to read. Labelbox gives no reason but, sometimes, "
                "error rows: see has_errors(). Start a new export."
            )
        if stream not in self._totals:
            self._totals[stream] = self._client.run(confirmed_totals(self.uid, stream))
        return self._totals[stream]


def _keep_nothing(record: StartRecord) -> None:
    """Discard the record: a Python process cannot keep it longer than it runs."""


def _stream_type(value: StreamType) -> StreamType:
    try:
        return StreamType(value)
    except ValueError:
        raise ConfigurationError(
            f"stream_type={value!r} is not a stream of an export: must be StreamType.RESULT or StreamType.ERRORS."
        ) from None
