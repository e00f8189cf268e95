"""What Airflow calls of a task that starts its export itself, once it was deferred."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from labelbox_export_provider.airflow_compat import TaskDeferralTimeout
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.execution.export_job import REFUSED, ExportJob
from labelbox_export_provider.triggers.events import ExportEvent

if TYPE_CHECKING:
    from airflow.sdk import Context


class PhasedOperator(BaseOperator):
    """A task whose try has several phases on workers, with time in between: the base of starts and of transfers.

    A phase begins with `execute` where nothing is started yet, and with `_finish` where the export has ended.
    """

    start_refused: Mapping[str, Any] | None = None
    """Since when, and how often, the start of this try was refused at a limit; it comes with the deferral, since
    Airflow logs an error when an XCom is asked for that is not there."""

    @abstractmethod
    def _job(self, context: Context) -> ExportJob:
        """Give the export of this task."""

    @abstractmethod
    def _finish(self, job: ExportJob, handle: ExportHandle, event: ExportEvent, context: Context) -> Any:
        """Make the result of an export that has ended, or raise what the wait ended with."""

    def start_again(self, context: Context, event: Any = None) -> Any:
        """Resume after a rest; what the trigger reports does not matter, since the start looks for itself."""
        del event
        return self.execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Resume with the export that was waited for, or raise what the wait ended with."""
        job = self._job(context)
        return self._finish(job, *job.awaited(context, event), context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral; one that Airflow ended, since no trigger reported in time, is a time-out."""
        kwargs = dict(next_kwargs or {})
        self.start_refused = kwargs.pop(REFUSED, None)
        try:
            return super().resume_execution(next_method, kwargs, context)
        except TaskDeferralTimeout:
            job = self._job(context)
            return self._finish(job, *job.overdue(context), context)
