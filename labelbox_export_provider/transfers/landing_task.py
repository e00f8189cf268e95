"""The base of tasks that land an export or do a step of it: what a landing takes, from the options of the task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import ObjectNames, explicit_names, layout_names
from labelbox_export_provider.execution.failures import reporting
from labelbox_export_provider.execution.kept_results import ended_with_results
from labelbox_export_provider.execution.log_groups import log_group
from labelbox_export_provider.execution.operator import PhasedOperator
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.streaming.landing.target_check import check_target
from labelbox_export_provider.transfers.failure import landing_report
from labelbox_export_provider.transfers.origin import find_handle, rerun_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.records.failure_report import FailureReport
    from labelbox_export_provider.errors import LabelboxExportError
    from labelbox_export_provider.execution.export_job import ExportJob
    from labelbox_export_provider.sinks.base import Sink
    from labelbox_export_provider.streaming.landing.progress import LandingProgress

T = TypeVar("T")


class LandingTask(PhasedOperator):
    """A task with the options of a landing, a store, and an export whose handle it knows or finds."""

    export: Any
    landing: LandingOptions
    log_title = "Land the export"
    _by_default: AbstractSet[str]

    @abstractmethod
    def _open_sink(self) -> Sink:
        """Return the store, ready to write; fails with an error that names what is wrong with it."""

    @abstractmethod
    def _target(self) -> tuple[str | None, str | None]:
        """Return prefix and explicit key after rendering; one of them is None."""

    def _names(self, handle: ExportHandle) -> ObjectNames:
        prefix, key = self._target()
        if key is not None:
            return explicit_names(handle, key, self.landing.compression)
        return layout_names(handle, prefix or "", self.landing.compression)

    def _run_step(
        self,
        context: Context,
        handle: ExportHandle | None,
        job: ExportJob | None,
        progress: LandingProgress,
        step: Callable[..., T],
    ) -> T:
        """Call `step` with the arguments of a landing; a failure is raised with the report of this task."""

        def report(error: LabelboxExportError) -> FailureReport:
            return landing_report(self, error, context, export=self.export, handle=handle, progress=progress, job=job)

        with reporting(self, report), log_group(self.log, self.log_title):
            self._read_rendered()
            handle = handle or find_handle(self.export, self.labelbox_conn_id)
            options = replace(self.landing, rerun=rerun_of(handle, self.landing.rerun, self._by_default))
            with LabelboxHook(handle.labelbox_conn_id, token=self.cancel_token).get_conn() as client:
                names, sink = self._names(handle), self._open_sink()
                check_target(sink, names, options)
                return step(
                    client=client,
                    handle=handle,
                    names=names,
                    sink=sink,
                    options=options,
                    ended=lambda client: ended_with_results(client, handle),
                    progress=progress,
                    token=self.cancel_token,
                )
