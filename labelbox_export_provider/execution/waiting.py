"""How a task lets time pass, and how Airflow stops it: the base of the sensor, of operators and of transfers.

What is short is slept in the worker, by the token that `on_kill` cancels; what is long is deferred, if the task may be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from airflow.sdk import BaseOperator

from labelbox_export_provider.airflow_compat import has_trigger_on_kill
from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.polling import ProgressLog, pause_between_polls, poll
from labelbox_export_provider.client.retry import DEFAULT_RETRY, ONCE, RetryPolicy
from labelbox_export_provider.errors import AccessError, ConfigurationError, NotFoundError, TaskStoppedError
from labelbox_export_provider.execution.log_groups import log_group
from labelbox_export_provider.metrics import Metrics
from labelbox_export_provider.triggers.events import ExportEvent
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger
from labelbox_export_provider.triggers.start_gate import StartGateTrigger

if TYPE_CHECKING:
    from labelbox_export_provider.domain.records.external_export import ExternalExport
    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.hooks.labelbox import LabelboxHook

SAFETY = timedelta(minutes=10)
"""How long after the trigger's own deadline Airflow ends the wait, if the trigger never reports."""
MIN_DEFERRAL = timedelta(seconds=30)
"""Shortest time from a deferral to the event that ends it; shorter rests are slept.

The scheduler hears late from its executor that the phase before the deferral is over (six seconds were seen on a busy
machine). A task that is queued again by then is treated by Airflow 3.3.2 as one that died: it fails, or uses a retry.
"""
LOST_ALARM = timedelta(seconds=5)
"""How long after `execution_timeout` a wait ends by itself.

Airflow's alarm raises in whatever the main thread does. Where that is the writing of a log line, the alarm's own log
line raises another error (a reentrant call), which `logging` drops; there is no second alarm.
"""
MAX_HELD = timedelta(seconds=20)
"""How long a deferrable task polls its export, or repeats one refused request, in the worker.

A short export then needs no second process, which would take about as long; a long one holds the slot no longer.
"""


class PollOptions(TypedDict):
    """Seconds between two polls, and whether they grow: None lets them grow in a worker only."""

    poke_interval: float
    max_wait: float
    exponential_backoff: bool | None


class WaitingTask(BaseOperator):
    """A task whose every wait, request and landing ends when Airflow stops it."""

    deferrable: bool = True
    """Whether long waits are left to the triggerer, which needs no worker slot; else they are slept."""
    cancel_on_kill: bool = False
    """Whether the trigger cancels the export when somebody marks the deferred task as failed or successful."""
    _token: CancelToken | None = None
    _begun: datetime | None = None

    def _set_waiting(self, *, deferrable: object, cancel_on_kill: object, by_default: Collection[str]) -> None:
        """Take two options, which must go together unless one of them came by `default_args`."""
        for name, value in (("deferrable", deferrable), ("cancel_on_kill", cancel_on_kill)):
            if not isinstance(value, bool):
                raise ConfigurationError(f"{name}={value!r}: must be True or False.")
        if cancel_on_kill and not deferrable:
            if "cancel_on_kill" not in by_default:
                raise ConfigurationError(
                    "cancel_on_kill=True works with deferrable=True only: set it, or leave it out."
                )
            cancel_on_kill = False
        self.deferrable = bool(deferrable)
        self.cancel_on_kill = bool(cancel_on_kill)

    @property
    def cancel_token(self) -> CancelToken:
        """The token of this phase: Airflow runs each phase on a copy of the task."""
        if self._token is None:
            self._token, self._begun = CancelToken(), self.now()
            if (timeout := self.execution_timeout) is not None:
                late = TaskStoppedError(
                    f"This task ran longer than its execution_timeout ({timeout}) and was stopped; Airflow's own alarm "
                    "did not end it."
                )
                self._token.cancel_after((timeout + LOST_ALARM).total_seconds(), late)
        return self._token

    def on_kill(self) -> None:
        """End the phase under way, which then raises the error by itself.

        Airflow calls this inside a signal handler (SIGTERM), and kills the process five seconds later. It also does so
        after `execution_timeout`, when the phase is over.
        """
        self.cancel_token.cancel(
            TaskStoppedError(
                "Airflow stopped this task (SIGTERM): somebody marked or cleared it, or its worker shuts down. A task "
                "that was marked as failed or successful is not tried again."
            )
        )

    def now(self) -> datetime:
        """Return the moment that decides whether a window has settled, and whether a wait is over."""
        return datetime.now(timezone.utc)

    def will_defer(self, until: datetime) -> bool:
        """Return whether `rest_until` that moment is a deferral: a long rest, or one of many short ones."""
        return self.deferrable and until - (self._begun or self.now()) >= MIN_DEFERRAL

    def rest_until(self, moment: datetime, late: timedelta, kwargs: Mapping[str, Any] | None = None) -> None:
        """Return at that moment; a deferral resumes with `start_again`, at that moment or some seconds later.

        `late` is how late a triggerer may be before Airflow resumes the task itself.
        """
        now = self.now()
        if not self.will_defer(moment):
            self.cancel_token.wait((moment - now).total_seconds())
            return
        moment = max(moment, now + MIN_DEFERRAL)
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # only for tasks that rest for long

        self.defer(
            trigger=DateTimeTrigger(moment=moment),
            method_name="start_again",
            kwargs=dict(kwargs) if kwargs else None,
            timeout=moment - now + late + SAFETY,
        )

    def rest_at_gate(self, left: timedelta, kwargs: Mapping[str, Any], **of_start: Any) -> NoReturn:
        """Defer a start that was refused at the running-export limit until it is released, or for as long as is left.

        It resumes with `start_again`. `of_start` are the arguments of the trigger that the task itself does not know.
        """
        now = self.now()
        trigger = StartGateTrigger(
            **of_start,
            priority_weight=self.priority_weight,
            deadline=(now + left).isoformat(),
            refused_at=now.isoformat(),
            not_before=(now + MIN_DEFERRAL).isoformat(),
        )
        self.defer(trigger=trigger, method_name="start_again", kwargs=dict(kwargs), timeout=left + SAFETY)

    def wait_for_end(
        self,
        hook: LabelboxHook,
        export: ExportHandle | ExternalExport,
        timeout: timedelta,
        options: PollOptions,
        *,
        at_once: bool,
    ) -> ExportEvent:
        """Return how an export has ended, or TIMEOUT; a long wait is a deferral that resumes with `execute_complete`.

        `at_once`: poll before the first pause as well.
        """
        with log_group(self.log, f"Wait for export {export.export_id}"):
            event = self._poll_until_end(hook, export, timeout, options, at_once=at_once)
        self.send_waited(export, event)
        return event

    def send_waited(self, export: ExportHandle | ExternalExport, event: ExportEvent) -> None:
        """Send the metric of a wait that ended in the worker; the trigger sends that of its own."""
        Metrics.of_task(self, export.source).waited(export.started_at, self.now(), event.outcome)

    def _poll_until_end(
        self,
        hook: LabelboxHook,
        export: ExportHandle | ExternalExport,
        timeout: timedelta,
        options: PollOptions,
        *,
        at_once: bool,
    ) -> ExportEvent:
        progress = ProgressLog(self.log.info)
        # Whoever will defer anyway does not sleep through an outage of Labelbox before.
        policy = ONCE if self.deferrable else DEFAULT_RETRY
        begun = self.now()
        polls = 0
        while True:
            event = poll_once(hook, export, progress, policy) if at_once or polls else None
            if event is not None:
                return event
            polls += 1
            grows = options["exponential_backoff"] is not False
            pause = timedelta(seconds=pause_between_polls(polls, options["poke_interval"], options["max_wait"], grows))
            held = self.now() - begun
            left = timeout - held
            if self.deferrable and held + pause > MAX_HELD and left >= MIN_DEFERRAL:
                self._defer_wait(hook.labelbox_conn_id, export, left, options)
            if left <= timedelta(0):
                return ExportEvent("TIMEOUT", export.export_id)
            self.cancel_token.wait(min(pause, left).total_seconds())

    def _defer_wait(
        self, labelbox_conn_id: str, export: ExportHandle | ExternalExport, timeout: timedelta, options: PollOptions
    ) -> NoReturn:
        if self.cancel_on_kill and not has_trigger_on_kill():
            self.log.warning(
                "cancel_on_kill=True has no effect on this Airflow: a trigger is notified of the end of its task from "
                "Airflow 3.3 on. If this task is marked as failed or successful while it waits, the export continues: "
                "cancel it in Labelbox."
            )
        now = self.now()
        trigger = ExportTaskTrigger(
            labelbox_conn_id=labelbox_conn_id,
            export_id=export.export_id,
            user_id=export.user_id,
            started_at=None if export.started_at is None else export.started_at.isoformat(),
            deadline=(now + timeout).isoformat(),
            not_before=(now + MIN_DEFERRAL).isoformat(),
            cancel_on_kill=self.cancel_on_kill,
            **options,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout + SAFETY)


def poll_once(
    hook: LabelboxHook,
    export: ExportHandle | ExternalExport,
    progress: ProgressLog,
    policy: RetryPolicy = DEFAULT_RETRY,
) -> ExportEvent | None:
    """Return the event that a trigger would send now, or None while the export runs; logs its progress.

    Errors that are not events are raised as they are: a bad connection, a reply that the protocol does not know.
    """
    export_id = export.export_id
    flow = poll(export_id, export.user_id, export.started_at, lambda: datetime.now(timezone.utc), policy)
    try:
        found = hook.run(flow)
    except (NotFoundError, AccessError) as error:
        return ExportEvent.of(error, export_id)
    progress.add(found)
    return None if found.ended is None else ExportEvent(found.ended, export_id, found.line)
