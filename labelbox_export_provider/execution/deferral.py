"""Hand a wait over to the triggerer: the same for sensors, for operators that wait, and for transfers of a source."""

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
"""How much later than the trigger's own deadline Airflow ends the wait, should the trigger never report."""


MIN_DEFERRAL = timedelta(seconds=7)
"""How long after the deferral the trigger keeps quiet.

A LocalExecutor may report the end of the task's first phase up to five seconds late (`[workers]
min_heartbeat_interval`). Airflow 3.3.2 takes a task that is running again by then for one that died, and uses a retry.
"""


class PollOptions(TypedDict):
    """How often to look, in seconds, and until when to wait."""

    poke_interval: float
    max_wait: float
    exponential_backoff: bool
    cancel_on_kill: bool


def waiting_trigger(
    export: ExportHandle | ExternalExport, labelbox_conn_id: str, timeout: timedelta, poll_options: PollOptions
) -> tuple[ExportTaskTrigger, timedelta]:
    """Make the trigger for an export, and the time after which Airflow itself is to end the wait."""
    now = datetime.now(timezone.utc)
    if poll_options["cancel_on_kill"] and not has_trigger_on_kill():
        log.warning(
            "cancel_on_kill=True has no effect on this Airflow: triggers hear of the end of their task from Airflow "
            "3.3 on. If this task is marked as failed or successful while it waits, the export goes on: cancel it in "
            "Labelbox."
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
    """Return the trigger that lets a task rest until a moment, and the time after which Airflow itself ends the rest.

    The rest is a little longer where the moment is very near to now. `wait_limits` is how long a triggerer may be late.
    """
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger  # only where something rests

    moment = max(until, now + MIN_DEFERRAL)
    return DateTimeTrigger(moment=moment), moment - now + wait_limits + SAFETY
