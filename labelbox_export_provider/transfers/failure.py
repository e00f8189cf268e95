"""The report of a transfer that fails while it lands.

Its text is `domain/records/failure_report.py`; `give_up` of `execution/failures.py` raises it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.errors import IntegrityError, LabelboxExportError, TooManyErrorRowsError
from labelbox_export_provider.execution.failures import tries, upstream_start_task, web_url
from labelbox_export_provider.execution.start import mark_consumed
from labelbox_export_provider.transfers.origin import known_of

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.execution.export_job import ExportJob
    from labelbox_export_provider.streaming.landing.progress import LandingProgress


def landing_report(
    task: BaseOperator,
    error: LabelboxExportError,
    context: Context,
    *,
    export: Any,
    handle: ExportHandle | None,
    progress: LandingProgress,
    job: ExportJob | None,
) -> FailureReport:
    """Return the report of a landing that failed; `job` is that of a task which started the export itself."""
    if job is not None:
        if isinstance(error, (TooManyErrorRowsError, IntegrityError)):
            # What the export holds will not change. A retry still reads it again, but whoever clears the task after
            # that wants a new one.
            mark_consumed(context)
        return job.report(
            *(error, context),
            handle=handle,
            moved=progress.describe(),
            in_store=progress.in_store.describe(),
            kept=progress.kept,
        )
    return FailureReport(
        error,
        handle=handle,
        link=web_url(handle),
        start_task_id=upstream_start_task(task),
        stage_task_id=getattr(task, "stage_task_id", None) if progress.stage_again else None,
        **({} if handle is not None else known_of(export)),
        moved=progress.describe(),
        in_store=progress.in_store.describe(),
        kept=progress.kept,
        **tries(context),
    )
