"""The export of one task: started or adopted, and waited for; operators and transfers share it.

Time has to pass until the window has settled, while too many exports run, and while the task's own export runs. No
retry is used up; a task that is deferrable holds no worker slot where that takes long (`WaitingTask`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from labelbox_export_provider.client.polling import CompletedTotals, completed_totals
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.failure_report import NOTHING_WRITTEN, FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.windows.windows import ResolvedWindow, wait_until
from labelbox_export_provider.errors import (
    ConfigurationError,
    HandleError,
    IntegrityError,
    LabelboxExportError,
    NoTriggererError,
    RateLimitedError,
    RunningExportLimitError,
)
from labelbox_export_provider.execution.failures import give_up, reporting, start_report
from labelbox_export_provider.execution.start import ExportStart, mark_consumed
from labelbox_export_provider.execution.waiting import PollOptions, WaitingTask
from labelbox_export_provider.metrics import Metrics
from labelbox_export_provider.triggers.events import ExportEvent

if TYPE_CHECKING:
    from airflow.sdk import Context

HANDLE_KEY = "labelbox_export_handle"
"""XCom key under which a deferred task keeps its handle, or what it waits for before it has one."""
DEFERRED_UNTIL = "deferred_until"
"""Member of that XCom while there is no handle yet."""
REFUSED = "refused"
"""Keyword of the deferral that holds since when, and how often, the start of a try was refused at a limit."""
MAX_BACKOFF = 300.0
"""Seconds between two starts at most, while too many exports run."""


@dataclass(frozen=True)
class WaitLimits:
    """How long a task waits, and how often it polls. Both limits hold per try."""

    poke_interval: timedelta
    timeout: timedelta
    limit_timeout: timedelta

    @classmethod
    def of(cls, **limits: object) -> WaitLimits:
        """Read the three options; fails with `ConfigurationError`, which names the one that is wrong."""
        return cls(**{option: duration(option, value) for option, value in limits.items()})


class ExportJob:
    """The export of one task, from its start to its end.

    `task` is resumed as a `PhasedOperator` is, and `refused` is what its deferral kept of earlier refusals of this
    start. Every failure is raised with the block of `FailureReport`.
    """

    def __init__(
        self, task: WaitingTask, start: ExportStart, wait_limits: WaitLimits, refused: dict[str, Any] | None = None
    ) -> None:
        self.task = task
        self.start = start
        self.wait_limits = wait_limits
        self.refused = refused

    def started(self, context: Context, *, keep_open: bool) -> ExportHandle:
        """Return the handle of the export, or defer until it may be started.

        `keep_open` is for tasks that wait afterwards: they call `mark_consumed` when all is done.
        """
        with self.reporting(context):
            self._settle(context)
            handle = None
            while handle is None:
                try:
                    handle = self.start.run(context, mark_consumed=not keep_open)
                except (RunningExportLimitError, RateLimitedError) as refusal:
                    self._rest_at_limit(refusal, context)
        self.task.log.info("%s %s", "Adopted" if handle.adopted else "Started", handle.describe())
        metrics = Metrics.of_task(context["ti"], handle.source)
        metrics.count("adopted" if handle.adopted else "started")
        if self.refused is not None:
            metrics.time("queued", self.task.now() - datetime.fromisoformat(self.refused["since"]))
        return handle

    def ended(self, handle: ExportHandle, context: Context, *, resumed: bool = False) -> ExportEvent:
        """Return how an export has ended, or defer while it runs; one that was just started is not polled at once."""
        context["ti"].xcom_push(key=HANDLE_KEY, value=handle.to_json())
        options: PollOptions = {
            "poke_interval": self.wait_limits.poke_interval.total_seconds(),
            "max_wait": 60.0,
            "exponential_backoff": None,
        }
        with self.reporting(context, handle=handle):
            return self.task.wait_for_end(
                self.start.hook, handle, self.wait_limits.timeout, options, at_once=handle.adopted or resumed
            )

    def awaited(self, context: Context, payload: Mapping[str, Any] | None) -> tuple[ExportHandle, ExportEvent]:
        """Resume the task after its wait: return the handle that it kept, and what the trigger reported."""
        handle = self._kept_handle(context)
        return handle, ExportEvent.parse(payload) or self.ended(handle, context, resumed=True)

    def overdue(self, context: Context) -> tuple[ExportHandle, ExportEvent]:
        """Resume the task after a wait that Airflow ended, since no trigger reported in time."""
        kept = self._kept(context)
        if isinstance(kept, Mapping) and DEFERRED_UNTIL in kept:
            error = NoTriggererError(
                f"No triggerer resumed this task, which was to start its export at {kept[DEFERRED_UNTIL]}. Check that "
                "one runs. No export was started: clear this task and it starts it."
            )
            give_up(self.report(error, context))
        handle = self._kept_handle(context)
        return handle, ExportEvent("UNREPORTED", handle.export_id)

    def _kept_handle(self, context: Context) -> ExportHandle:
        try:
            return ExportHandle.parse(self._kept(context))
        except HandleError:
            why = (
                f"The XCom {HANDLE_KEY!r}, in which this task keeps its export while it is deferred, is missing or was "
                "changed. The export itself continues: clear this task, and it finds it again."
            )
            give_up(self.report(HandleError(why), context, in_store=NOTHING_WRITTEN))

    def _kept(self, context: Context) -> Any:
        """Read what this try kept for itself before it was deferred; Airflow clears it when the next try begins."""
        ti = context["ti"]
        index = -1 if ti.map_index is None else ti.map_index
        return ti.xcom_pull(task_ids=self.task.task_id, key=HANDLE_KEY, map_indexes=index)

    def require_complete(self, handle: ExportHandle, event: ExportEvent, context: Context) -> None:
        """Raise what the wait ended with, unless the export is COMPLETE."""
        error = event.error(self.wait_limits.timeout)
        if error is not None:
            give_up(self.report(error, context, handle=handle))

    def totals(self, handle: ExportHandle, event: ExportEvent, context: Context) -> CompletedTotals:
        """Return the totals of both streams of a COMPLETE export, or raise what the wait ended with."""
        self.require_complete(handle, event, context)
        with self.reporting(context, handle=handle):
            try:
                totals: CompletedTotals = self.start.hook.run(completed_totals(handle.export_id))
            except IntegrityError:
                mark_consumed(context)  # the export will not change: whoever clears the task wants a new one
                raise
        self.task.log.info("%s is complete: %s", handle.describe(), totals.to_json())
        return totals

    def reporting(self, context: Context, **known: Any) -> AbstractContextManager[None]:
        """Raise what fails inside with the report of this task."""
        return reporting(self.task, lambda error: self.report(error, context, **known))

    def report(self, error: LabelboxExportError, context: Context, **known: Any) -> FailureReport:
        """Return a report of the task, its source and its export; `known` adds what only the task knows."""
        source = f"{self.start.source.kind} {self.start.source.id}"
        link: str | None = None
        window: ResolvedWindow | None = None
        with suppress(LabelboxExportError):  # this connection may be the failure that is reported
            link = self.start.web_url()
        with suppress(LabelboxExportError):  # or this window
            window = self.start.resolve(context)
        return start_report(error, context, source=source, link=link, window=window, **known)

    def _settle(self, context: Context) -> None:
        window = self.start.resolve(context)
        while window is not None and (settled := wait_until(window, self.task.now())) is not None:
            self._rest_until(settled, f"the window [{iso_utc(window.start)}, {iso_utc(window.end)}) settles", context)

    def _rest_until(self, until: datetime, why: str, context: Context) -> None:
        deferred = self.task.will_defer(until)
        if deferred:
            context["ti"].xcom_push(key=HANDLE_KEY, value={DEFERRED_UNTIL: iso_utc(until)})
        self.task.log.info(
            "Nothing is started before %s: %s.%s", iso_utc(until), why, " Deferred until then." if deferred else ""
        )
        kept = None if self.refused is None else {REFUSED: self.refused}
        self.task.rest_until(until, self.wait_limits.limit_timeout, kept)

    def _rest_at_limit(self, refusal: RunningExportLimitError | RateLimitedError, context: Context) -> None:
        now = self.task.now()
        before = self.refused or {"since": now.isoformat(), "times": 0}
        since, times = datetime.fromisoformat(before["since"]), int(before["times"]) + 1
        Metrics.of_task(context["ti"], self.start.source).count("refused")
        left = self.wait_limits.limit_timeout - (now - since)
        if left <= timedelta(0):
            raise type(refusal)(
                f"{refusal.message} The start was refused {times} times since {iso_utc(since)}, which is longer than "
                f"limit_timeout ({self.wait_limits.limit_timeout}).",
                details=refusal.details,
                retry_after=refusal.retry_after,
            )
        self.refused = {"since": since.isoformat(), "times": times}
        if isinstance(refusal, RunningExportLimitError) and self.task.will_defer(now + left):
            self._rest_at_gate(refusal, since, left, context)
        backoff = RetryPolicy(
            first_wait=min(self.wait_limits.poke_interval.total_seconds(), MAX_BACKOFF), max_wait=MAX_BACKOFF
        )
        pause = max(backoff.wait_before(times + 1, asked) for asked in (None, refusal.retry_after))
        self._rest_until(
            now + min(timedelta(seconds=pause), left),
            f"Labelbox refused the start ({refusal}); it is tried again until {iso_utc(now + left)} "
            "(limit_timeout), and no retry is used up",
            context,
        )

    def _rest_at_gate(
        self, refusal: RunningExportLimitError, since: datetime, left: timedelta, context: Context
    ) -> NoReturn:
        """Defer until exports have ended; the trigger keeps the moment of the first refusal, which gives the turn."""
        until = iso_utc(self.task.now() + left)
        window = self.start.resolve(context)
        context["ti"].xcom_push(key=HANDLE_KEY, value={DEFERRED_UNTIL: f"{until} at the latest"})
        self.task.log.info(
            "Nothing is started before fewer exports run: Labelbox refused the start (%s). Deferred; it is tried again "
            "in its turn, until %s (limit_timeout), and no retry is used up.",
            refusal,
            until,
        )
        self.task.rest_at_gate(
            left,
            {REFUSED: self.refused},
            labelbox_conn_id=self.start.hook.labelbox_conn_id,
            source=f"{self.start.source.kind} {self.start.source.id}",
            name=self.start.export_name,
            arrived_at=since.isoformat(),
            window_start=None if window is None else window.start.isoformat(),
            in_project=refusal.in_project,
        )


def duration(option: str, value: object) -> timedelta:
    """Read a length of time as Airflow's sensors do: a timedelta, or seconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    length = timedelta(seconds=value) if number else value  # type: ignore[arg-type]  # the line above checks
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise ConfigurationError(f"{option}={value!r}: must be a timedelta or a number of seconds above 0.")
    return length
