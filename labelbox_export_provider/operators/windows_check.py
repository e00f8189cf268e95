"""The operator that checks which windows are landed, once or until all of them are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from labelbox_export_provider.airflow_compat import TaskDeferralTimeout
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.options.rendered import read_rendered
from labelbox_export_provider.domain.options.templates import is_template, late_paths
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.domain.request.source_option import plain_source
from labelbox_export_provider.domain.windows.fields import as_utc
from labelbox_export_provider.errors import (
    ConfigurationError,
    LabelboxExportError,
    NoTriggererError,
    WindowsNotLandedError,
)
from labelbox_export_provider.execution.dag_run import run_interval
from labelbox_export_provider.execution.export_job import duration
from labelbox_export_provider.execution.extras import require_extra
from labelbox_export_provider.execution.failures import reporting, tries
from labelbox_export_provider.execution.options import CheckedOperatorMeta
from labelbox_export_provider.execution.stores import AWS_CONN_ID, GCP_CONN_ID, open_store
from labelbox_export_provider.execution.waiting import WaitingTask
from labelbox_export_provider.operators.windows_options import read_address, read_grace, read_moment, read_sources
from labelbox_export_provider.operators.windows_xcom import fit_for_xcom
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.alert import alert, headline
from labelbox_export_provider.windows_check.check import GRACE, Expected, WindowsReport, check_windows
from labelbox_export_provider.windows_check.fill import Fill, Schedule, fills
from labelbox_export_provider.windows_check.listing import list_names
from labelbox_export_provider.windows_check.snapshot import XCOM_KEY
from labelbox_export_provider.windows_check.table import table

if TYPE_CHECKING:
    from airflow.sdk import Context

_DATES_AT_ONCE = 100
_ON_GAP = ("fail", "report")


@dataclass(frozen=True)
class _Found:
    """What one look at the store found."""

    address: StoreAddress
    sink: Sink
    report: WindowsReport
    fills: tuple[Fill, ...]


class LabelboxWindowsCheckOperator(WaitingTask, metaclass=CheckedOperatorMeta):
    """Checks that all windows that are due were landed, and says how to fill each gap.

    Why: a run that was deleted, refused or marked as successful leaves a gap that no task reports. This operator finds
    gaps in the names of what was landed, so it needs neither Labelbox nor the runs. With `timeout` it waits, as a gate
    before tasks that need all windows.
    What it does not do: land anything, or read rows; of manifests it reads the names, unless `rows` is set.
    How it fails: with a gap, without a retry: the message has the table of the sources that lack windows, and for each
    gap the command or the params of a DAG that fill it. A rejected window (more error rows than `max_error_rows`) is a
    gap as well. The table of all sources is in the log; the snapshot for Airflow's UI is the XCom `labelbox_windows`.

    :param prefix: where exports were landed: `s3://bucket/prefix`, `gs://bucket/prefix` or an absolute path; the place
        that holds `manifests/`.
    :param sources: what is exported today: sources such as `ProjectSource(project_id=...)`, their plain dicts, or texts
        such as "project:clp1". All windows of these are expected, and of others none. None takes all that were ever
        landed below the prefix, apart from those that ended long before the others.
    :param since: with `sources`: the first moment, where an earlier one than that of the first landed window.
    :param until: no window that ends later is due; by default the end of the run's data interval, or its logical date.
    :param grace: how long after its end a window may take before it counts as missing: 6 hours, or nothing with
        `timeout`.
    :param on_gap: "fail", or "report" to succeed with a warning in the log.
    :param timeout: longest wait for all windows that are due, per try; None looks once.
    :param poke_interval: time between two looks.
    :param deferrable: False sleeps in the worker between two looks: no triggerer is needed, and a worker slot is held.
    :param landing_dag_id: the DAG that lands these windows. The way to fill a gap of all its sources is then a
        backfill, where it has no run for these windows; else it is the DAG `labelbox_fill_gaps`.
    :param dates_are_ends: dates of that DAG's runs are the ends of windows (`CronTriggerTimetable` with `interval=`).
    :param rows: read the manifests too, for the rows of each window and for the windows of explicit keys.
    :param aws_conn_id: the AWS connection, for `s3://`; None for boto3's own chain of credentials.
    :param verify: False, or the path of a CA bundle, as in `S3Hook`; that of the connection by default.
    :param gcp_conn_id: the Google Cloud connection, for `gs://`.
    :param impersonation_chain: service account to act as, or accounts that lead to it, as in Airflow's own operators.
    :param user_project: the project that pays, for a Google Cloud bucket whose requester pays.
    """

    template_fields: Sequence[str] = (
        "prefix",
        "sources",
        "since",
        "until",
        "landing_dag_id",
        "aws_conn_id",
        "gcp_conn_id",
        "impersonation_chain",
        "user_project",
    )
    template_fields_renderers = {"sources": "json"}  # noqa: RUF012  as in BaseOperator
    ui_color = "#e8f0fe"

    def __init__(
        self,
        *,
        prefix: str,
        sources: Sequence[Source | Mapping[str, Any] | str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        grace: float | timedelta | None = None,
        on_gap: Literal["fail", "report"] = "fail",
        timeout: float | timedelta | None = None,
        poke_interval: float | timedelta = timedelta(minutes=5),
        deferrable: bool = True,
        landing_dag_id: str | None = None,
        dates_are_ends: bool = False,
        rows: bool = False,
        aws_conn_id: str | None = AWS_CONN_ID,
        verify: str | bool | None = None,
        gcp_conn_id: str = GCP_CONN_ID,
        impersonation_chain: str | Sequence[str] | None = None,
        user_project: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix
        self.sources: Any = [plain_source(each) for each in sources] if isinstance(sources, (list, tuple)) else sources
        self.since = since
        self.until = until
        self.timeout = None if timeout is None else duration("timeout", timeout)
        self.grace = read_grace(grace, GRACE if timeout is None else timedelta(0))
        self.on_gap = on_gap
        self.poke_interval = duration("poke_interval", poke_interval)
        self.landing_dag_id = landing_dag_id
        self.dates_are_ends = dates_are_ends
        self.rows = rows
        self.aws_conn_id = aws_conn_id
        self.verify = verify
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.user_project = user_project
        self._set_waiting(deferrable=deferrable, cancel_on_kill=False, by_default=())

    def _check_options(self) -> None:
        self._late = {name: late_paths(getattr(self, name)) for name in self.template_fields}
        if self.on_gap not in _ON_GAP:
            raise ConfigurationError(f"on_gap={self.on_gap!r}: must be 'fail' or 'report'.")
        if self.since is not None and self.sources is None:
            raise ConfigurationError("since= needs sources=: other sources begin with their first landed window.")
        if not is_template(self.prefix):
            scheme = read_address(self.prefix).scheme
            if scheme != "file":
                extra = "amazon" if scheme == "s3" else "google"
                require_extra(
                    f"{type(self).__name__} with prefix={self.prefix!r}",
                    module=f"airflow.providers.{extra}",
                    extra=extra,
                    provider=f"apache-airflow-providers-{extra}",
                )
        if not is_template(self.sources):
            read_sources(self.sources)
        for name in ("since", "until"):
            if not is_template(getattr(self, name)):
                read_moment(name, getattr(self, name))

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once, or until all windows that are due are landed or `timeout` is over."""
        return self._check(context, self.now())

    def start_again(self, context: Context, event: Any = None, since: str | None = None) -> dict[str, Any]:
        """Look again after a pause of the same try."""
        del event
        return self._check(context, self.now() if since is None else datetime.fromisoformat(since))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a pause; one that Airflow ended, since no trigger reported in time, is a failure."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            with self._reporting(context):
                raise NoTriggererError(
                    f"No triggerer resumed this task, which looks every {self.poke_interval} whether all windows are "
                    "landed. Check that one runs."
                ) from None

    def _check(self, context: Context, began: datetime) -> dict[str, Any]:
        with self._reporting(context):
            self._read_rendered()
            while True:
                over = self.timeout is None or self.now() >= began + self.timeout
                found = self._look_or_wait(context, over=over)
                if found is not None and (over or found.report.all_landed):
                    break
                pause = self.poke_interval if self.timeout is None else began + self.timeout - self.now()
                until = self.now() + min(pause, self.poke_interval)
                self.log.info("The next look is at %s.", iso_utc(until))
                self.rest_until(until, self.poke_interval, {"since": began.isoformat()})
        return self._ended(found, context)

    def _look_or_wait(self, context: Context, *, over: bool) -> _Found | None:
        """Return what is there; None where a store that does not answer may do so at the next look."""
        try:
            found = self._look(context)
        except LabelboxExportError as error:
            self.cancel_token.raise_error()
            if over or not error.retryable:
                raise
            self.log.warning("The store could not be listed: %s", error)
            return None
        self.cancel_token.raise_error()
        self._log(found, last=over or found.report.all_landed)
        made = fit_for_xcom(found.report, found.fills, found.sink, found.address, landing_dag_id=self.landing_dag_id)
        context["ti"].xcom_push(key=XCOM_KEY, value=made)
        return found

    def _look(self, context: Context) -> _Found:
        address = read_address(self.prefix)
        sink = open_store(
            address,
            aws_conn_id=self.aws_conn_id,
            verify=self.verify,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            user_project=self.user_project,
        )
        expected = Expected(
            sources=read_sources(self.sources),
            since=read_moment("since", self.since),
            until=read_moment("until", self.until) or _due(context),
            grace=self.grace,
        )
        report = check_windows(list_names(sink, address.prefix, read=self.rows), self.now(), expected)
        return _Found(address, sink, report, fills(report, self._schedule(context)))

    def _schedule(self, context: Context) -> Schedule | None:
        dag_id = self.landing_dag_id
        if dag_id is None:
            return None

        def has_run(dates: Sequence[datetime]) -> bool:
            some = (list(dates[first : first + _DATES_AT_ONCE]) for first in range(0, len(dates), _DATES_AT_ONCE))
            return any(context["ti"].get_dr_count(dag_id, logical_dates=each) for each in some)

        return Schedule(dag_id, dates_are_ends=self.dates_are_ends, has_run=has_run)

    def _log(self, found: _Found, *, last: bool) -> None:
        if not last:
            self.log.info("%s", headline(found.report, str(found.address)))
            return
        log = self.log.info if found.report.all_landed else self.log.warning
        log("Windows below %s, as of %s:", found.address, iso_utc(found.report.checked_at))
        for line in table(found.report, found.fills).splitlines():
            log("%s", line)

    def _ended(self, found: _Found, context: Context) -> dict[str, Any]:
        report = found.report
        if not report.all_landed:
            text = headline(report, str(found.address))
            if self.timeout is not None:
                text += f" They were waited for {self.timeout} (timeout)."
            if self.on_gap == "fail":
                with self._reporting(context, appendix=alert(report, found.fills)):
                    raise WindowsNotLandedError(text)
            self.log.warning("%s This task succeeds, since on_gap is 'report'.", text)
        return {
            "prefix": str(found.address),
            "checked_at": iso_utc(report.checked_at),
            "all_landed": report.all_landed,
            "sources": sum(each.expected for each in report.sources),
            "missing": sum(gap.windows for gap in report.gaps if gap.state == "missing"),
            "rejected": sum(gap.windows for gap in report.gaps if gap.state == "rejected"),
        }

    def _reporting(self, context: Context, appendix: str = "") -> AbstractContextManager[None]:
        return reporting(
            self,
            lambda error: FailureReport(
                error, in_store="not touched by this task", without_export=True, appendix=appendix, **tries(context)
            ),
        )

    def _read_rendered(self) -> None:
        for name, late in self._late.items():
            value = getattr(self, name)
            if value is not None or late:
                text = name not in ("sources", "impersonation_chain") and not isinstance(value, datetime)
                setattr(self, name, read_rendered(name, value, late, text=text))


def _due(context: Context) -> datetime | None:
    """Return the moment that a run stands for; None for one without a date, which means now."""
    run = run_interval(context)
    moment = run.end or run.logical_date
    return None if moment is None else as_utc(moment)  # Airflow's own class does other arithmetic
