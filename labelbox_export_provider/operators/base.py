"""The base of the export operators: options, their checks, starting, waiting, and the message of a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from labelbox_export_provider.domain.options.option_model import OptionModel, plain
from labelbox_export_provider.domain.options.rendered import read_rendered
from labelbox_export_provider.domain.options.templates import Path, late_paths
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.request.source import Source, refuse_window
from labelbox_export_provider.domain.windows.windows import AnyWindow, check_window, parse_window, plain_window
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.denied import OnDenied, check_on_denied, skipping_denied
from labelbox_export_provider.execution.export_job import ExportJob, WaitLimits
from labelbox_export_provider.execution.operator import PhasedOperator
from labelbox_export_provider.execution.options import came_by_default, own_params
from labelbox_export_provider.execution.start import mark_consumed
from labelbox_export_provider.hooks.labelbox import LabelboxHook
from labelbox_export_provider.links.source_page import LabelboxSourceLink
from labelbox_export_provider.triggers.events import ExportEvent

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.request.export_params import ExportParams
    from labelbox_export_provider.domain.request.filters import Filters

_NOT_TEXT = frozenset({"export_params", "filters", "window", "everything", "data_row_ids", "global_keys"})


class ExportOperator(PhasedOperator):
    """Starts an export, or adopts the one that an earlier try started, and returns its handle.

    Why: the start is not idempotent, so a plain retry would run the export twice. This operator names the export after
    the task, remembers it in the task state store, and looks before it starts (docs/never-twice.md).
    What it does not do: read results; give `export=<task>.output` to a sensor and a transfer. It holds no worker slot
    while waiting for long (`deferrable`): for its window to settle, while too many exports run, and for its export
    (`wait_for_completion`).
    How it fails: wrong options while the DAG is parsed, or before the first call where they are templated; a run
    without a usable interval with the timetable to use; refusals of Labelbox without a retry, passing ones with.

    :param export_params: which optional fields the rows carry, under Labelbox's names. Not `params`, which are
        Airflow's own.
    :param filters: which data rows; joined by AND.
    :param window: which rows by date, such as `DataIntervalWindow()` for last night's changes or
        `FixedWindow(start, end)`; None for no date filter.
    :param labelbox_conn_id: the Labelbox connection.
    :param task_name: readable head of the export's name in Labelbox; DAG and task id by default.
    :param wait_for_completion: defer until the export has ended; a retry of this task then replaces a FAILED export.
    :param poke_interval: time between two polls of the export, growing to a minute.
    :param timeout: longest wait for the export's end, per try.
    :param limit_timeout: longest wait for the start while too many exports run, per try; deferred, without a retry.
    :param on_denied: what happens where Labelbox does not let the key export the source, or does not know it (any
        more): "fail", without a retry; or "skip_task", which skips this task and those after it.
    :param deferrable: False sleeps in the worker where time has to pass: no triggerer is needed, a worker slot is held,
        and `execution_timeout` counts the waits. Airflow's `default_deferrable` does not matter.
    :param cancel_on_kill: with `wait_for_completion`: cancel the export when somebody marks the task as failed or
        successful while it is deferred (Airflow 3.3 and newer).
    """

    source_model: ClassVar[type[Source] | None] = None
    source_options: ClassVar[tuple[str, ...]] = ()

    template_fields: Sequence[str] = (
        "export_params",
        "filters",
        "window",
        "labelbox_conn_id",
        "task_name",
        "resolved_window",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"export_params": "json", "filters": "json", "window": "json"}
    operator_extra_links = (LabelboxSourceLink(),)
    ui_color = "#e8f0fe"

    def __init_subclass__(cls, *, source: type[Source] | None = None, **kwargs: Any) -> None:
        """Take the source that the class statement names; its own fields become options and, in general, templates."""
        super().__init_subclass__(**kwargs)
        if source is None:
            return
        if not issubclass(source, Source):
            raise ConfigurationError(f"{cls.__name__}: source={source!r} must be a class such as ProjectSource.")
        cls.source_model = source
        cls.source_options = tuple(name for name in source.model_fields if name not in Source.model_fields)
        if "template_fields" not in vars(cls):
            switches = {name for name, field in source.model_fields.items() if field.annotation is bool}
            cls.template_fields = (
                *cls.template_fields,
                *(name for name in cls.source_options if name not in {*cls.template_fields, *switches}),
            )

    def __init__(
        self,
        *,
        export_params: ExportParams | Mapping[str, Any] | None = None,
        filters: Filters | Mapping[str, Any] | None = None,
        window: AnyWindow | Mapping[str, Any] | None = None,
        labelbox_conn_id: str | None = LabelboxHook.default_conn_name,
        task_name: str | None = None,
        wait_for_completion: bool = False,
        poke_interval: float | timedelta = 5.0,
        timeout: float | timedelta = timedelta(days=7),
        limit_timeout: float | timedelta = timedelta(hours=6),
        on_denied: OnDenied = "fail",
        deferrable: bool = True,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        source = self._named_source()
        by_default = came_by_default(kwargs, filters=filters, window=window, cancel_on_kill=cancel_on_kill)
        if "filters" in by_default and not source.takes_filters():
            filters = None
        if "window" in by_default and not source.takes_windows():
            window = None
        self.export_params = plain(export_params)
        self.filters = plain(filters)
        self.window = plain_window(window)
        self.labelbox_conn_id = LabelboxHook.default_conn_name if labelbox_conn_id is None else labelbox_conn_id
        self.task_name = task_name
        self.wait_for_completion = wait_for_completion
        self.wait_limits = WaitLimits.of(poke_interval=poke_interval, timeout=timeout, limit_timeout=limit_timeout)
        self.on_denied = on_denied
        self._set_waiting(deferrable=deferrable, cancel_on_kill=cancel_on_kill, by_default=by_default)
        if cancel_on_kill and not wait_for_completion and "cancel_on_kill" not in by_default:
            raise ConfigurationError(
                "cancel_on_kill=True works with wait_for_completion=True only: set it, or set cancel_on_kill on the "
                "sensor that waits for this export."
            )
        for name, given in (("export_params", export_params), ("filters", filters)):
            _check_model(source, name, given)  # before `plain`, which drops the class of a model

    @classmethod
    def _named_source(cls) -> type[Source]:
        if cls.source_model is None:
            raise ConfigurationError(
                f"{cls.__name__} names no source. Write class {cls.__name__}(ExportOperator, source=ProjectSource), or "
                "derive it from an operator of one source, such as ProjectExportOperator."
            )
        return cls.source_model

    def _check_options(self) -> None:
        source = self._named_source()
        self._require_assigned(self.source_options)
        check_on_denied(self.on_denied)
        for name in ("export_params", "filters"):
            _check_model(source, name, getattr(self, name))
            setattr(self, name, plain(getattr(self, name)))
        self.window = plain_window(self.window)
        self._refuse_misplaced_params()
        names = {*self.source_options, *self.template_fields} - {"resolved_window"}
        self._late: dict[str, tuple[Path, ...]] = {name: late_paths(getattr(self, name)) for name in names}
        literal = {name: plain(getattr(self, name)) for name in self.source_options}
        source.check_known({name: value for name, value in literal.items() if value is not None})
        if self.window is not None:
            refuse_window(source)
        check_window(self.window, self.filters)

    def _refuse_misplaced_params(self) -> None:
        """Catch `params={"attachments": True}`: Airflow would make a form of it and the export would lack the field."""
        params_model = self._named_source().model_fields["export_params"].annotation
        known = set(getattr(params_model, "model_fields", ()))
        misplaced = sorted(known & own_params(self))
        if misplaced:
            raise ConfigurationError(
                f"params= holds {', '.join(map(repr, misplaced))}, but params belong to Airflow's trigger form. "
                f"Write export_params={{{', '.join(f'{name!r}: ...' for name in misplaced)}}}."
            )

    def _read_rendered(self) -> None:
        for name, late in self._late.items():
            text = name not in _NOT_TEXT
            setattr(self, name, read_rendered(name, getattr(self, name), late, text=text))

    def _source(self) -> Source:
        names = (*self.source_options, "export_params", "filters")
        values = {name: getattr(self, name) for name in names}
        return self._named_source().parse_rendered({name: value for name, value in values.items() if value is not None})

    def _window(self) -> AnyWindow | None:
        check_window(self.window, self.filters)
        return None if self.window is None else parse_window(self.window)

    def execute(self, context: Context) -> Any:
        """Start or adopt; return the handle, or defer until the export may start or has ended."""
        job = self._job(context)
        with skipping_denied(self.on_denied):
            handle = job.started(context, keep_open=self.wait_for_completion)
        if not self.wait_for_completion:
            return handle.to_json()
        return self._finish(job, handle, job.ended(handle, context), context)

    def _finish(self, job: ExportJob, handle: ExportHandle, event: ExportEvent, context: Context) -> dict[str, Any]:
        totals = job.totals(handle, event, context)
        mark_consumed(context)
        return {**handle.to_json(), "totals": totals.to_json()}

    def asked_source(self) -> object:
        """Return the options of the source as they were given."""
        kind = self._named_source().model_fields["kind"].default
        return {"kind": kind, **{name: getattr(self, name) for name in self.source_options}}


def _check_model(source: type[Source], name: str, given: object) -> None:
    model = source.model_fields[name].annotation
    if isinstance(model, type) and issubclass(model, OptionModel):
        model.check_known(given)
