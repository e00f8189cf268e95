"""The base of the transfers: options, their checks, landing, the return value and the message of a failure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from labelbox_export_provider.airflow_compat import AirflowSkipException
from labelbox_export_provider.domain.options.rendered import read_rendered
from labelbox_export_provider.domain.options.rendered_text import text_as_mapping
from labelbox_export_provider.domain.options.templates import late_paths
from labelbox_export_provider.domain.records.external_export import parse_export
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Versions
from labelbox_export_provider.domain.request.source_option import parse_source, plain_source
from labelbox_export_provider.domain.windows.windows import AnyWindow, check_window, parse_window, plain_window
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.denied import OnDenied, check_on_denied, skipping_denied
from labelbox_export_provider.execution.export_job import ExportJob, WaitLimits
from labelbox_export_provider.execution.options import came_by_default
from labelbox_export_provider.execution.start import mark_consumed
from labelbox_export_provider.execution.tries import time_of_tries
from labelbox_export_provider.hooks.labelbox import airflow_version, provider_version
from labelbox_export_provider.links.manifest_page import LabelboxManifestLink
from labelbox_export_provider.links.source_page import LabelboxSourceLink
from labelbox_export_provider.streaming.landing.options import TRANSFER_OPTIONS, LandingOptions
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.streaming.landing.target_check import ask_store
from labelbox_export_provider.transfers.announcement import Landing, announce
from labelbox_export_provider.transfers.landing_task import LandingTask
from labelbox_export_provider.transfers.lineage import ReportsLineage
from labelbox_export_provider.transfers.origin import check_rerun, choose_origin
from labelbox_export_provider.transfers.signature import shows_parameters
from labelbox_export_provider.transfers.targets import check_one_target, handle_before_start

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.request.source import Source
    from labelbox_export_provider.domain.windows.resolved import AnyResolved
    from labelbox_export_provider.links.consoles import Console
    from labelbox_export_provider.streaming.landing.options import LandedExport
    from labelbox_export_provider.triggers.events import ExportEvent


class LabelboxExportTransferOperator(LandingTask, ReportsLineage):
    """Lands result and errors of one export in a store, whole and verified, and returns the manifest in short.

    Why: rows stream from Labelbox to the store in bounded memory, are counted and checked against Labelbox's own
    totals, and only then become visible; the manifest comes last and names only whole objects.
    With `source=` this one task does the whole job: it starts the export or adopts the one that an earlier try started,
    is deferred while time has to pass, and lands. With `export=` it lands what other tasks started and waited for.
    The store is asked before anything is started, so that a missing bucket or permission does not cost an export.
    What it does not do: change a byte of a row; wait, with `export=` (put an `ExportTaskSensor` before it).
    How it fails: no object is ever partly visible. After a failure some whole objects may be there that no manifest
    names; a retry writes them again, the same names with the same bytes. More error rows than `max_error_rows` land the
    errors, but no results, and fail without a retry. With `source=` a FAILED export uses a retry of this task, which
    starts a new one.

    :param export: handle of an export that other tasks started: `export=wait.output` or `export=start.output`. Either
        this or `source`.
    :param source: what to export: `ProjectSource(project_id=...)` or any other source, or its plain dict. This one task
        then starts the export, waits for it without a worker slot (`deferrable`), and lands it.
    :param window: with `source`: which rows, such as `DataIntervalWindow()` for last night's changes or
        `FixedWindow(start, end)`; None for no date filter.
    :param labelbox_conn_id: with `source`, or with id and source of an export: the Labelbox connection; a handle names
        its own.
    :param task_name: with `source`: readable head of the export's name in Labelbox; DAG and task id by default.
    :param poke_interval: with `source`: time between two polls of the export, growing to a minute; 5 seconds by
        default.
    :param timeout: with `source`: longest wait for the export's end, per try; 7 days by default.
    :param limit_timeout: with `source`: longest wait for the start while too many exports run, per try; 6 hours by
        default.
    :param on_denied: with `source`: what happens where Labelbox does not let the key export it, or does not know it
        (any more): "fail", without a retry; or "skip_task", which skips this task and those after it; "fail" by
        default.
    :param deferrable: with `source`: False sleeps in the worker where time has to pass: no triggerer is needed, a
        worker slot is held, and `execution_timeout` counts the waits. Airflow's `default_deferrable` does not matter.
    :param cancel_on_kill: with `source`: cancel the export when somebody marks the task as failed or successful while
        it waits for it, deferred (Airflow 3.3 and newer).
    :param sink_args: extra arguments for the store's calls: encryption, storage class, tags.

    `compression` and all other options of a landing are those of `LandingOptions`, which describes them.
    """

    template_fields: Sequence[str] = (
        "export",
        "source",
        "window",
        "labelbox_conn_id",
        "task_name",
        "resolved_window",
    )
    not_text: ClassVar[frozenset[str]] = frozenset({"export", "source", "window"})
    """Template fields whose rendered value may be something else than text; a subclass adds its own."""
    template_fields_renderers: ClassVar[dict[str, str]] = {"source": "json", "window": "json"}
    target_options: ClassVar[tuple[str, str] | None] = None
    """Names of the options for the layout's prefix and for an explicit key; a subclass's constructor assigns both."""
    operator_extra_links = (LabelboxSourceLink(), LabelboxManifestLink())
    console: Console | None = None
    """Where people see what is in the store; assigned with the class, or when the store is opened."""
    landed: Landing | None = None
    """What this phase of the task has landed."""
    ui_color = "#e8f0fe"

    @shows_parameters(TRANSFER_OPTIONS, before="sink_args")
    def __init__(
        self,
        *,
        export: Any = None,
        source: Source | Mapping[str, Any] | None = None,
        window: AnyWindow | Mapping[str, Any] | None = None,
        labelbox_conn_id: str | None = None,
        task_name: str | None = None,
        poke_interval: float | timedelta | None = None,
        timeout: float | timedelta | None = None,
        limit_timeout: float | timedelta | None = None,
        on_denied: OnDenied | None = None,
        deferrable: bool = True,
        cancel_on_kill: bool = False,
        sink_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        landing = {field.name: kwargs.pop(field.name) for field in TRANSFER_OPTIONS if field.name in kwargs}
        super().__init__(**kwargs)
        self.landing = LandingOptions(**landing)
        of_source: dict[str, Any] = {
            "window": window,
            "labelbox_conn_id": labelbox_conn_id,
            "task_name": task_name,
            "poke_interval": poke_interval,
            "timeout": timeout,
            "limit_timeout": limit_timeout,
            "on_denied": on_denied,
            "cancel_on_kill": cancel_on_kill or None,
        }
        self._by_default = came_by_default(
            kwargs, export=export, source=source, sink_args=sink_args, **landing, **of_source
        )
        self.export, source, of_source = choose_origin(export, plain_source(source), self._by_default, of_source)
        self.source = source
        self.starts_export = source is not None  # which a template that renders to None must not change
        self.window = plain_window(of_source["window"])
        self.labelbox_conn_id = of_source["labelbox_conn_id"]
        self.task_name = of_source["task_name"]
        self.wait_limits = WaitLimits.of(
            poke_interval=_or(of_source["poke_interval"], 5.0),
            timeout=_or(of_source["timeout"], timedelta(days=7)),
            limit_timeout=_or(of_source["limit_timeout"], timedelta(hours=6)),
        )
        self.on_denied: OnDenied = _or(of_source["on_denied"], "fail")
        cancel_on_kill = _or(of_source["cancel_on_kill"], False)
        self._set_waiting(deferrable=deferrable, cancel_on_kill=cancel_on_kill, by_default=self._by_default)
        self.sink_args: Any = {} if sink_args is None else sink_args

    def _read_rendered(self) -> None:
        for name, late in self._late.items():
            if name != "sink_args":
                text = name not in self.not_text
                setattr(self, name, read_rendered(name, getattr(self, name), late, text=text))
        self.sink_args = text_as_mapping(self.sink_args)

    def _check_options(self) -> None:
        if self.target_options is None:
            raise ConfigurationError(
                f"{type(self).__name__} names no target. Write target_options = (..., ...) in the class: its options "
                "for the layout's prefix and for an explicit key."
            )
        self._require_assigned(self.target_options)
        check_on_denied(self.on_denied)
        prefix_option, key_option = self.target_options
        if getattr(self, key_option) is None:
            self.landing = replace(self.landing, replace=self.landing.replace and "replace" not in self._by_default)
        elif "rerun" in self._by_default:
            self.landing = replace(self.landing, rerun="add")
        names = [name for name in self.template_fields if name != "resolved_window"]
        self._late = {name: late_paths(getattr(self, name)) for name in names}
        check_one_target(
            {prefix_option: getattr(self, prefix_option), key_option: getattr(self, key_option)},
            rerun=self.landing.rerun,
            replace=self.landing.replace,
        )
        if "rerun" not in self._by_default:
            check_rerun(self.export, self.landing.rerun)

    def execute(self, context: Context) -> Any:
        """Land the export and return the short form of its manifest; with `source=`, start it or adopt it before."""
        if not self.starts_export:
            return self._land(context, None, None)
        job = self._job(context)
        self._ask_store(job, context)
        return self._start(job, context)

    def start_again(self, context: Context, event: Any = None) -> Any:
        """Resume the start after a pause of the same try, which has asked the store already."""
        del event
        return self._start(self._job(context), context)

    def _ask_store(self, job: ExportJob, context: Context) -> None:
        """Fail before anything is started where the store would refuse the export hours later."""
        with job.reporting(context):
            names = self._names(handle_before_start(job.start, context))
            ask_store(self._open_sink(), names, self.landing)

    def _start(self, job: ExportJob, context: Context) -> Any:
        with skipping_denied(self.on_denied):
            handle = job.started(context, keep_open=True)
        return self._finish(job, handle, job.ended(handle, context), context)

    def asked_source(self) -> object:
        """Return the source as it was given."""
        return self.source

    def _source(self) -> Source:
        return parse_source(self.source)

    def _window(self) -> AnyWindow | None:
        check_window(self.window, None)
        if "window" in self._by_default and not self._source().takes_windows():
            self.window = None
        return None if self.window is None else parse_window(self.window)

    def _known_window(self, context: Any) -> AnyResolved | None:
        return (
            super()._known_window(context) if self.starts_export else getattr(parse_export(self.export), "window", None)
        )

    def _finish(self, job: ExportJob, handle: ExportHandle, event: ExportEvent, context: Context) -> Any:
        job.require_complete(handle, event, context)
        return self._land(context, handle, job)

    def _land(self, context: Context, handle: ExportHandle | None, job: ExportJob | None) -> Any:
        progress = LandingProgress()
        begun = time.monotonic()
        landed = self._run_step(context, handle, job, progress, self._move)
        page = None if self.console is None else self.console.page_of(landed.manifest_uri)
        self.landed = Landing(landed, self._target()[1], time.monotonic() - begun, page, progress.resumed)
        announce(self, context, self.landed)
        summary, found = landed.summary, landed.manifest.export
        if job is not None:
            mark_consumed(context)
        if landed.skip:
            raise AirflowSkipException(
                f"{found.describe()} has no rows, and on_empty is 'skip_task'. Its manifest: {summary.manifest_uri}"
            )
        return summary.model_dump(mode="json")

    def _move(self, **landing: Any) -> LandedExport:
        from labelbox_export_provider.streaming.landing.land import land_export

        versions = Versions(provider=provider_version(), airflow=airflow_version())
        return land_export(**landing, versions=versions, tries=time_of_tries(self))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
