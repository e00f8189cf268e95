"""Deferrals: the triggers and time limits of sensors, of operators that wait, and of transfers with a source."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypedDict

from labelbox_export_provider.airflow_compat import has_trigger_on_kill
from labelbox_export_provider.domain.records.external_export import ExternalExport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

if TYPE_CHECKING:
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

log = logging.getLogger(__name__)

SAFETY = timedelta(minutes=10)
"""How long after the trigger's own deadline Airflow ends the wait, if the trigger never reports."""


MIN_DEFERRAL = timedelta(seconds=7)
"""Shortest time from the deferral to the trigger's event.

A LocalExecutor may report the end of the task's first phase up to five seconds late (`[workers]
min_heartbeat_interval`). Airflow 3.3.2 treats a task that is running again by then as one that died, and uses a retry.
"""


class PollOptions(TypedDict):
    """Seconds between two polls, and what is done when the wait ends early."""

    poke_interval: float
    max_wait: float
    exponential_backoff: bool
    cancel_on_kill: bool


def waiting_trigger(
    export: ExportHandle | ExternalExport, labelbox_conn_id: str, timeout: timedelta, poll_options: PollOptions
) -> tuple[ExportTaskTrigger, timedelta]:
    """Return the trigger of an export, and the time after which Airflow itself ends the wait."""
    now = datetime.now(timezone.utc)
    if poll_options["cancel_on_kill"] and not has_trigger_on_kill():
        log.warning(
            "cancel_on_kill=True has no effect on this Airflow: a trigger is notified of the end of its task from "
            "Airflow 3.3 on. If this task is marked as failed or successful while it waits, the export continues: "
            "cancel it in Labelbox."
        )
    trigger = ExportTaskTrigger(
        labelbox_conn_id=labelbox_conn_id,
        export_id=export.export_id,
        user_id=export.user_id,
        started_at=None if export.started_at is None else export.started_at.isoformat(),
        deadline=(now + timeout).isoformat(),
        not_before=(now + min(MIN_DEFERRAL, timeout)).isoformat(),
        **poll_options,
    )
    return trigger, timeout + SAFETY


def delay_trigger(until: datetime, now: datetime, wait_limits: timedelta) -> tuple[DateTimeTrigger, timedelta]:
    """Return the trigger that resumes a task at a moment, and the time after which Airflow itself resumes it.

    A moment that is very near is put off to `MIN_DEFERRAL`. `wait_limits` is how late a triggerer may be.
    """
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # only for tasks that wait for a moment

    moment = max(until, now + MIN_DEFERRAL)
    return DateTimeTrigger(moment=moment), moment - now + wait_limits + SAFETY
