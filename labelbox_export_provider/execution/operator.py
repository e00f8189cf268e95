"""The base of operators that start an export: the phases of a try."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context

from labelbox_export_provider.airflow_compat import TaskDeferralTimeout
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.windows.resolved import AnyResolved, describe_window
from labelbox_export_provider.domain.windows.windows import AnyWindow, ResolvedWindow, parse_window
from labelbox_export_provider.errors import ConfigurationError, LabelboxExportError
from labelbox_export_provider.execution.dag_run import resolved
from labelbox_export_provider.execution.export_job import REFUSED, ExportJob, WaitLimits
from labelbox_export_provider.execution.failures import project_web_url, reporting, start_report
from labelbox_export_provider.execution.options import CheckedOperatorMeta
from labelbox_export_provider.execution.start import ExportStart
from labelbox_export_provider.execution.waiting import WaitingTask
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.triggers.events import ExportEvent

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.request.source import Source

_MAX_LENGTH = 80


class PhasedOperator(WaitingTask, metaclass=CheckedOperatorMeta):
    """A task whose try has several phases on workers, with deferrals in between: the base of starts and of transfers.

    A phase begins with `execute` before the start, and with `_finish` once the export has ended.
    """

    labelbox_conn_id: str | None
    task_name: str | None
    window: Any
    wait_limits: WaitLimits
    starts_export: bool = True
    """Whether the task starts an export itself, instead of taking one that another task started."""
    resolved_window: str = "{{ ti.task.show_window() if ti is defined and ti.task is defined else '' }}"
    """A template field that no user sets: it shows the window of the run among the rendered templates of a task."""
    start_refused: dict[str, Any] | None = None
    """Since when, and how often, the start of this try was refused at a limit; kept in the deferral, since Airflow logs
    an error when an XCom is read that does not exist."""

    @abstractmethod
    def _check_options(self) -> None:
        """Check what is known of the options while the DAG is parsed; called once the task is constructed.

        A subclass that overrides it calls `super()._check_options()` first.
        """

    def _require_assigned(self, options: Iterable[str]) -> None:
        """Refuse a subclass whose constructor forgets one of its options, which would fail when the task runs."""
        missing = [f"self.{name}" for name in options if not hasattr(self, name)]
        if missing:
            raise ConfigurationError(f"{type(self).__name__}.__init__ must assign {' and '.join(missing)}.")

    @abstractmethod
    def asked_source(self) -> object:
        """Return the options that name the source, as they are at this moment; they may be wrong."""

    @abstractmethod
    def _read_rendered(self) -> None:
        """Read what the templates rendered to, and refuse what one of them emptied or left as it was."""

    @abstractmethod
    def _source(self) -> Source:
        """Return the source, from options that were rendered."""

    @abstractmethod
    def _window(self) -> AnyWindow | None:
        """Return the window, from options that were rendered."""

    def asked(self) -> tuple[Source, AnyWindow | None]:
        """Return what is exported, once the templates were rendered; fails with `ConfigurationError`."""
        self._read_rendered()
        return self._source(), self._window()

    def _job(self, context: Context) -> ExportJob:
        """Return the export of this task, once its options were rendered."""
        with reporting(self, lambda error: self._report_before_start(error, context)):
            source, window = self.asked()
            hook = LabelboxHook(self.labelbox_conn_id or LabelboxHook.default_conn_name, token=self.cancel_token)
            start = ExportStart(hook=hook, source=source, window=window, task_name=self.task_name)
        return ExportJob(self, start, self.wait_limits, self.start_refused)

    def _report_before_start(self, error: LabelboxExportError, context: Context) -> FailureReport:
        """Return a report with what the options alone hold, each as given: one of them may be what is wrong."""
        source = self.asked_source()
        given = source if isinstance(source, Mapping) else {}
        project_id = given.get("project_id")
        window: ResolvedWindow | None = None
        with suppress(LabelboxExportError):
            window = None if self.window is None else resolved(parse_window(self.window), context)
        link = (
            project_web_url(self.labelbox_conn_id, project_id) if isinstance(project_id, str) and project_id else None
        )
        return start_report(error, context, source=_described(given), link=link, window=window)

    @pass_context
    def show_window(self, context: Any) -> str:
        """Return the window of a run for `resolved_window`; it never fails, since the task does so with its report."""
        try:
            if (window := self._known_window(dict(context))) is None:
                return "none"
        except LabelboxExportError as error:
            return f"none: {error.message}"
        return describe_window(window)

    def _known_window(self, context: Any) -> AnyResolved | None:
        window = self._window()
        return None if window is None else resolved(window, context)

    @abstractmethod
    def _finish(self, job: ExportJob, handle: ExportHandle, event: ExportEvent, context: Context) -> Any:
        """Return the result of an export that has ended, or raise what the wait ended with."""

    def start_again(self, context: Context, event: Any = None) -> Any:
        """Resume the start; what the trigger reports does not matter, since the start polls for itself."""
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


def _described(source: Mapping[str, Any]) -> str | None:
    parts = (value for name, value in source.items() if name not in {"export_params", "filters", "everything"})
    text = " ".join(str(part) for part in parts if part is not None)
    return (text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}…") or None
