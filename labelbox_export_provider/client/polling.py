"""Polls an export task: the same code in workers and in the triggerer."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.retry import DEFAULT_RETRY, RetryPolicy
from labelbox_export_provider.client.types import ExportTaskState, Flow, Sleep, StreamTotals, StreamType, TaskStatus
from labelbox_export_provider.errors import (
    AccessError,
    ExportCanceledError,
    ExportFailedError,
    ExportNotReadyError,
    IntegrityError,
    LabelboxExportError,
    NotFoundError,
    TemporaryError,
)

log = logging.getLogger(__name__)

VISIBILITY_GRACE = timedelta(seconds=60)
"""How long after its start a task can still be invisible."""
EMPTY_AGAIN_AFTER = 5.0
"""Seconds until a missing header is read again, before the stream is treated as empty."""
BELIEVED_AFTER = 120.0
"""Seconds for which Labelbox must deny an export, or refuse the key, until a wait believes it."""
ASKED_AGAIN_EVERY = 20.0
"""Seconds between two of these answers."""
LINE_EVERY = 60.0
"""Seconds after which a wait writes a line of progress although nothing changed."""

Ended = Literal["COMPLETE", "FAILED", "CANCELED"]
_ENDED: dict[str, Ended] = {
    TaskStatus.COMPLETE.value: "COMPLETE",
    TaskStatus.FAILED.value: "FAILED",
    TaskStatus.CANCELED.value: "CANCELED",
}
_RUNNING = {TaskStatus.IN_PROGRESS.value, TaskStatus.CANCELLING.value}


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of one poll: how the task ended (None while it runs), a line for the log, and the state, if known."""

    ended: Ended | None
    line: str
    state: ExportTaskState | None = None


class ProgressLog:
    """Writes the lines of the polls of one wait: when state or percentage changed, or a minute after the last line.

    A poll every five seconds for a week would otherwise fill the log of its task with a hundred thousand lines.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._written: tuple[object, float] | None = None

    def add(self, found: PollResult) -> None:
        """Write the line of one poll, or leave it out."""
        now = self._clock()
        seen = found.line if found.state is None else (found.state.status, found.state.completion_percentage)
        if self._written is None or self._written[0] != seen or now - self._written[1] >= LINE_EVERY:
            self._write(found.line)
            self._written = (seen, now)


def pause_between_polls(polls: int, poke_interval: float, max_wait: float, exponential_backoff: bool) -> float:
    """Return the seconds to wait after that many polls: `poke_interval`, doubled up to `max_wait` if so asked."""
    pause = poke_interval
    if exponential_backoff:
        pause = min(pause * 2.0 ** min(polls - 1, 20), max(max_wait, pause))
    # Exports that were started together must not be polled together for ever.
    return pause * random.uniform(0.9, 1.1)  # noqa: S311  spreads load, keeps no secret


def poll(
    export_id: str,
    user_id: str | None,
    started_at: datetime | None,
    now: Callable[[], datetime],
    policy: RetryPolicy = DEFAULT_RETRY,
) -> Flow[PollResult]:
    """Poll an export task once.

    A temporary failure of Labelbox and a new task that is not visible yet count as "still running": the time limit of
    the wait bounds them. Unknown states count as running too, with a warning. An unknown id raises `NotFoundError`, a
    refused key `AccessError`, once Labelbox has answered so for two minutes.
    """
    try:
        state = yield from _believed_state(export_id, user_id, started_at, now, policy)
    except TemporaryError as error:
        log.warning("Export %s could not be polled, the wait continues: %s", export_id, error)
        return PollResult(None, f"Export {export_id}: Labelbox did not answer")
    return result_of(export_id, state, started_at, now())


def result_of(export_id: str, state: ExportTaskState | None, started_at: datetime | None, now: datetime) -> PollResult:
    """Return what a state means for a wait; None is the state of a task that may be too new to be visible."""
    if state is None:
        return PollResult(None, f"Export {export_id}: not visible yet")
    ended = _ENDED.get(state.status)
    if ended is not None:
        return PollResult(ended, ended_line(export_id, ended), state)
    if state.status not in _RUNNING:
        log.warning("Export %s is in an unknown state: %r. The wait continues.", export_id, state.status)
    return PollResult(None, _running_line(state, started_at or state.created_at, now), state)


def _believed_state(
    export_id: str,
    user_id: str | None,
    started_at: datetime | None,
    now: Callable[[], datetime],
    policy: RetryPolicy,
) -> Flow[ExportTaskState | None]:
    """Return the state of an export, or None while it may be too new to be visible.

    One empty answer or one refused key does not end a wait of hours: a replica may lag, and an authentication service
    may be restarting. Both are believed once Labelbox has given them for `BELIEVED_AFTER` seconds, or for as long as
    the policy lasts.
    """
    waited = 0.0
    while True:
        try:
            return (yield from flows.task_state(export_id, user_id, policy))
        except (NotFoundError, AccessError) as error:
            if may_be_invisible(error, started_at, now()):
                return None
            if waited + ASKED_AGAIN_EVERY > min(BELIEVED_AFTER, policy.total_seconds):
                raise
            if waited == 0.0:
                log.warning(denial_line(export_id, error))
        yield Sleep(ASKED_AGAIN_EVERY, f"the answer about export {export_id} is not believed yet")
        waited += ASKED_AGAIN_EVERY


def may_be_invisible(error: LabelboxExportError, started_at: datetime | None, now: datetime) -> bool:
    """Return whether Labelbox denies a task only because it is too new to be shown."""
    return isinstance(error, NotFoundError) and started_at is not None and now - started_at <= VISIBILITY_GRACE


def denial_line(export_id: str, error: LabelboxExportError) -> str:
    """Return the warning about an answer that ends the wait if Labelbox keeps giving it."""
    return f"Export {export_id}: {error} The wait ends if Labelbox answers so for {BELIEVED_AFTER:.0f} s."


def ended_line(export_id: str, ended: Ended) -> str:
    """Return the sentence about an export that has ended, without a time: only the time of the poll is known."""
    return {
        "COMPLETE": f"Export {export_id} is COMPLETE.",
        "FAILED": f"Export {export_id} is FAILED and has no result to read. Labelbox gives no reason.",
        "CANCELED": f"Export {export_id} was canceled and has no result to read.",
    }[ended]


def _running_line(state: ExportTaskState, since: datetime | None, now: datetime) -> str:
    elapsed = "" if since is None else f", {timedelta(seconds=round((now - since).total_seconds()))} since its start"
    return f"Export {state.export_id}: {state.status}{_progress(state.completion_percentage)}{elapsed}"


def _progress(value: float | None) -> str:
    if value is None:
        return ""
    # It is undocumented whether the percentage ends at 1 or at 100: a 1 may be the end or the beginning.
    if 0 < value <= 1:
        return f", completionPercentage {value:g}"
    return f", {value:.0f} %"


def require_complete(
    export_id: str, user_id: str | None = None, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[ExportTaskState]:
    """Return the state of an export whose streams may be read now.

    An export that still runs shows no header, exactly as an empty one does, so reading it too early would look like an
    export without rows. Raises `ExportNotReadyError`, or `ExportFailedError` and `ExportCanceledError` for one that has
    failed.
    """
    state = yield from flows.task_state(export_id, user_id, policy)
    ended = _ENDED.get(state.status)
    if ended is None:
        raise ExportNotReadyError(
            f"Export {export_id} is {state.status}, so it has no results yet. Put an ExportTaskSensor before the task "
            "that reads it (export=wait.output), or start it with wait_for_completion=True."
        )
    if ended == "FAILED":
        raise ExportFailedError(ended_line(export_id, ended))
    if ended == "CANCELED":
        raise ExportCanceledError(ended_line(export_id, ended))
    return state


@dataclass(frozen=True, slots=True)
class CompletedTotals:
    """Sizes of both streams of a COMPLETE export; None stands for an empty stream."""

    result: StreamTotals | None
    errors: StreamTotals | None

    def to_json(self) -> dict[str, dict[str, int]]:
        """Return rows and bytes of both streams."""
        return {name: _counts(totals) for name, totals in (("result", self.result), ("errors", self.errors))}


def _counts(totals: StreamTotals | None) -> dict[str, int]:
    return {"rows": 0, "bytes": 0} if totals is None else {"rows": totals.lines, "bytes": totals.size}


def completed_totals(export_id: str, policy: RetryPolicy = DEFAULT_RETRY) -> Flow[CompletedTotals]:
    """Read the totals of both streams of a COMPLETE export, each as `confirmed_totals` does."""
    result = yield from confirmed_totals(export_id, StreamType.RESULT, policy)
    errors = yield from confirmed_totals(export_id, StreamType.ERRORS, policy)
    return CompletedTotals(result, errors)


def confirmed_totals(
    export_id: str, stream: StreamType, policy: RetryPolicy = DEFAULT_RETRY
) -> Flow[StreamTotals | None]:
    """Read the totals of one stream of an export that has ended; None when the stream is certainly empty.

    A missing result header is accepted only after a second read some seconds later and a missing first file, since a
    header that is merely late would make a full export look empty. For the error stream, which is usually empty, a
    missing first file is enough, without the wait. Raises `IntegrityError` where header and files disagree; another
    try reads them again.
    """
    totals = yield from flows.stream_totals(export_id, stream, policy)
    if totals is not None:
        return totals
    if stream is StreamType.ERRORS and not (yield from flows.has_file(export_id, stream, policy)):
        return None
    return (yield from _asked_again(export_id, stream, policy))


def _asked_again(export_id: str, stream: StreamType, policy: RetryPolicy) -> Flow[StreamTotals | None]:
    yield Sleep(
        EMPTY_AGAIN_AFTER, f"the {stream.value} stream of export {export_id} looks empty; reading its header again"
    )
    totals = yield from flows.stream_totals(export_id, stream, policy)
    if totals is None and (yield from flows.has_file(export_id, stream, policy)):
        raise IntegrityError(
            f"Export {export_id} has no header for its {stream.value} stream, which means no rows, but the stream has "
            "a first file. It is not treated as empty."
        )
    return totals
