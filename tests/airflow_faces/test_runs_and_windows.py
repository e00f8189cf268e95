"""Every way a run can come about in Airflow 3 gives the right window or a refusal that names the fix.

Runs are made by Airflow's own timetables, request bodies and task context; only the database is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import islice, pairwise
from typing import Any, cast

import pendulum
import pytest
from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    BaseOperator,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    Param,
)
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable as IntervalsOfTheServer
from airflow.timetables.trigger import CronTriggerTimetable as TriggersOfTheServer
from support.airflow.runs import (
    DAY,
    FIRED,
    FIRST,
    PRESSED,
    Run,
    asset_triggered,
    context_of,
    fired_at,
    only_run,
    scheduled,
    serialized,
    triggered,
)
from support.kinds_of_run import INTERVALS, NIGHTLY, PAGE, PARTITIONS, RUNS, outcome, with_table

from labelbox_export_provider import (
    DataIntervalWindow,
    ParamsWindow,
    PartitionWindow,
    ProjectExportOperator,
    window_params,
)
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.domain.windows.windows import ResolvedWindow
from labelbox_export_provider.errors import ConfigurationError, ManualRunError, WindowError
from labelbox_export_provider.execution.dag_run import run_interval
from labelbox_export_provider.testing import FakeLabelbox

THE_DAY = "22 Nov 02:00 to 23 Nov 02:00"
HALF_PAST_TEN = "22 Nov 10:30 to 23 Nov 10:30"
ZERO, NONE, PARTITION = "refused: zero width", "refused: no interval", "refused: a partition"

EXPECTED = {
    "`CronDataIntervalTimetable`: scheduled, `catchup` included": THE_DAY,
    "`CronDataIntervalTimetable`: backfill of 22 November": THE_DAY,
    "`CronDataIntervalTimetable`: by hand, with a logical date": THE_DAY,
    "`CronDataIntervalTimetable`: `airflow dags test`": THE_DAY,
    "`DeltaDataIntervalTimetable`: scheduled": THE_DAY,
    "`DeltaDataIntervalTimetable`: backfill of 22 November": THE_DAY,
    "`DeltaDataIntervalTimetable`: by hand, with a logical date": HALF_PAST_TEN,
    "`CronTriggerTimetable` with `interval`: scheduled": THE_DAY,
    "`CronTriggerTimetable` with `interval`: backfill of 22 November": "21 Nov 02:00 to 22 Nov 02:00",
    "`CronTriggerTimetable` with `interval`: by hand, with a logical date": HALF_PAST_TEN,
    "`CronTriggerTimetable` without `interval`: scheduled": ZERO,
    "`MultipleCronTriggerTimetable`: scheduled": ZERO,
    '`"0 2 * * *"`, `"@daily"`: scheduled': ZERO,
    '`"0 2 * * *"`, `"@daily"`: backfill of 22 November': ZERO,
    '`"0 2 * * *"`, `"@daily"`: `airflow dags test`': ZERO,
    "`timedelta(days=1)`: scheduled": ZERO,
    "`DeltaTriggerTimetable`: scheduled": ZERO,
    '`"@once"`: scheduled': ZERO,
    "no schedule: by hand, with a logical date": ZERO,
    "`AssetOrTimeSchedule` of `CronDataIntervalTimetable`: by its time": THE_DAY,
    "`AssetOrTimeSchedule` of `CronTriggerTimetable`: by its time": ZERO,
    "triggered by an asset": NONE,
    "`CronPartitionTimetable` with `run_offset=-1`: scheduled": PARTITION,
    "`CronPartitionTimetable`: backfill of 22 November": PARTITION,
    "`CronPartitionTimetable`: by hand, with a partition key": PARTITION,
    "assets with partitions whose key is no date": NONE,
    "any schedule: by hand, **without** a logical date": NONE,
    "any schedule: by the API, with a logical date and both ends (1 to 8 November)": "1 Nov 00:00 to 8 Nov 00:00",
}
FORM = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def window_of(run: Run, window: Any, params: dict[str, Any] | None = None) -> ResolvedWindow:
    resolved: ResolvedWindow = window.resolve(run_interval(context_of(run, window, params)))
    return resolved


@pytest.mark.parametrize("how", RUNS)
def test_every_way_a_run_can_come_about_gives_its_data_interval_or_is_refused(how: str) -> None:
    assert outcome(RUNS[how](), DataIntervalWindow()) == EXPECTED[how]


@pytest.mark.parametrize("how", RUNS)
def test_a_partition_window_is_given_by_runs_with_a_partition_date_and_by_no_others(how: str) -> None:
    expected = THE_DAY if EXPECTED[how] == PARTITION else "refused: no partition date"
    assert outcome(RUNS[how](), PartitionWindow(DAY)) == expected


@pytest.mark.parametrize("how", [how for how, expected in EXPECTED.items() if expected.startswith("refused")])
def test_a_refusal_names_the_timetable_or_window_to_use(how: str) -> None:
    with pytest.raises(WindowError) as raised:
        window_of(RUNS[how](), DataIntervalWindow())
    message = str(raised.value)
    assert "Nothing was exported." in message
    fix = "window=PartitionWindow(" if EXPECTED[how] == PARTITION else "schedule=CronDataIntervalTimetable("
    if isinstance(raised.value, ManualRunError):
        fix = "Trigger the DAG again with a logical date"
    assert fix in message


SPRING = "2026-03-29T10:30:00Z"


@pytest.mark.parametrize(
    ("cron", "zone", "pressed"),
    [
        ("0 2 * * *", "Europe/Berlin", SPRING),
        ("30 1 * * *", "Europe/London", SPRING),
        ("0 0 * * *", "Africa/Cairo", "2026-04-24T10:30:00Z"),
    ],
)
@pytest.mark.parametrize("timetables", [CronDataIntervalTimetable, IntervalsOfTheServer])
def test_a_run_by_hand_where_clocks_go_forward_is_not_told_to_change_its_schedule(
    cron: str, zone: str, pressed: str, timetables: Any
) -> None:
    """The timetable that a message would recommend is the DAG's; the night has a scheduled run, as it says."""
    run = triggered(timetables(cron, timezone=zone), logical_date=pressed)
    with pytest.raises(ManualRunError) as raised:
        window_of(run, DataIntervalWindow())
    message = str(raised.value)
    assert "of zero width" in message
    assert "The schedule is right (CronDataIntervalTimetable)" in message
    assert "clear its scheduled run" in message
    assert "schedule=" not in message
    assert run.interval is not None
    nights = islice(scheduled(run.schedule, datetime.fromisoformat(pressed) - 5 * DAY), 6)
    assert run.interval[1] in {night.interval[1] for night in nights if night.interval is not None}


def test_a_refused_run_says_what_its_timetable_has_to_be() -> None:
    """The cron and the zone of the DAG are those to keep."""
    for schedule in (
        CronTriggerTimetable("30 4 * * 1-5", timezone="Europe/Berlin"),
        TriggersOfTheServer("30 4 * * 1-5", timezone="Europe/Berlin"),
        AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("30 4 * * 1-5", timezone="Europe/Berlin"), assets=[Asset("any")]
        ),
    ):
        with pytest.raises(WindowError) as raised:
            window_of(fired_at(schedule), DataIntervalWindow())
        assert "schedule=CronDataIntervalTimetable('30 4 * * 1-5', timezone='Europe/Berlin')" in str(raised.value)


@pytest.mark.parametrize(
    ("start", "advised"),
    [
        (
            pendulum.datetime(2026, 11, 22, tz="Asia/Tokyo"),
            "CronDataIntervalTimetable('0 4 * * *', timezone='Asia/Tokyo')",
        ),
        (datetime(2026, 11, 22, tzinfo=timezone.utc), "CronDataIntervalTimetable('0 4 * * *', timezone='UTC')"),
        (pendulum.parse("2026-11-22T00:00:00+00:00"), "CronDataIntervalTimetable('0 4 * * *', timezone='UTC')"),
        (pendulum.parse("2026-11-22T00:00:00+09:00"), "CronDataIntervalTimetable('0 2 * * *', timezone='UTC')"),
    ],
)
def test_a_cron_string_is_advised_in_the_zone_of_its_start_date(start: Any, advised: str) -> None:
    """Airflow takes the zone from there; an offset is none, so the message gives its example."""
    dag = DAG("nightly", schedule="0 4 * * *", start_date=start)
    with pytest.raises(WindowError) as raised:
        DataIntervalWindow().resolve(run_interval(_facts(fired_at(NIGHTLY)) | {"dag": dag}))
    assert f"schedule={advised} (from" in str(raised.value)


def test_a_run_from_before_a_change_of_timetable_asks_for_a_new_dag_id() -> None:
    """Cleared or reprocessed it keeps its interval: the timetable that the DAG has by now is not to blame."""
    run = replace(fired_at(NIGHTLY), schedule=INTERVALS)
    with pytest.raises(WindowError) as raised:
        window_of(run, DataIntervalWindow())
    message = str(raised.value)
    assert "made under an earlier timetable" in message
    assert "a new dag_id" in message
    assert "schedule=" not in message


@pytest.mark.parametrize("window", [DataIntervalWindow(), PartitionWindow(DAY)])
@pytest.mark.parametrize("schedule", [NIGHTLY, timedelta(days=1), "@once"])
def test_advice_to_change_a_timetable_names_the_new_dag_id(window: Any, schedule: Any) -> None:
    """Without one, the windows of the runs so far are lost."""
    run = only_run(schedule) if schedule == "@once" else fired_at(schedule)
    with pytest.raises(WindowError, match="a new dag_id, and start_date= one interval before the first refused run"):
        window_of(run, window)


def test_a_dag_without_a_schedule_needs_no_new_dag_id() -> None:
    """Its runs by hand keep no schedule from starting where it should."""
    for body in ({}, {"logical_date": PRESSED.isoformat()}):
        with pytest.raises(WindowError) as raised:
            window_of(triggered(None, **body), DataIntervalWindow())
        assert "dag_id" not in str(raised.value)
        assert "window=ParamsWindow() with DAG(params=window_params())" in str(raised.value)


def test_a_partitioned_dag_that_is_triggered_without_a_key_asks_for_one() -> None:
    """Its timetable is the right one already."""
    with pytest.raises(ManualRunError, match="Trigger the DAG again with a partition key"):
        window_of(triggered(PARTITIONS), PartitionWindow(DAY))


@pytest.mark.parametrize("how", RUNS)
def test_a_form_left_empty_changes_nothing(how: str) -> None:
    run = RUNS[how]()
    try:
        expected = window_of(run, DataIntervalWindow())
    except WindowError:
        with pytest.raises(
            WindowError, match=r"with the fields 'Window start' .* and 'Window end' .* filled in"
        ) as raised:
            window_of(run, ParamsWindow(), window_params())
        assert "ParamsWindow()" not in str(raised.value), "which the DAG has"
    else:
        assert window_of(run, ParamsWindow(), window_params()) == expected


@pytest.mark.parametrize("body", [{}, {"logical_date": PRESSED.isoformat()}])
@pytest.mark.parametrize("schedule", [None, INTERVALS, NIGHTLY])
def test_a_form_filled_in_gives_any_run_by_hand_its_window(schedule: Any, body: dict[str, Any]) -> None:
    window = window_of(triggered(schedule, conf=FORM, **body), ParamsWindow(), window_params())
    assert (window.start, window.end) == (pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 2, 1))


@pytest.mark.parametrize(
    ("conf", "part"),
    [
        ({"start": FORM["start"]}, "given 'Window start' (param 'start') and not 'Window end' (param 'end')"),
        (
            {"end": FORM["end"], "start": None},
            "given 'Window end' (param 'end') and not 'Window start' (param 'start')",
        ),
    ],
)
def test_a_form_half_filled_in_is_refused_by_the_labels_of_its_fields(conf: dict[str, Any], part: str) -> None:
    """The remedy is to trigger again; the schedule is right."""
    with pytest.raises(ManualRunError) as raised:
        window_of(triggered(INTERVALS, conf=conf, logical_date=PRESSED.isoformat()), ParamsWindow(), window_params())
    assert part in str(raised.value)
    assert "Trigger the DAG again, with both fields filled in" in str(raised.value)
    assert "chedule" not in str(raised.value)


def test_half_a_window_in_the_defaults_of_the_params_is_not_blamed_on_a_form() -> None:
    """Nobody fills in a form for a scheduled run."""
    params = {**window_params(), "start": Param(FORM["start"], type="string")}
    with pytest.raises(WindowError, match="Correct the defaults of these params in the DAG file") as raised:
        window_of(fired_at(INTERVALS), ParamsWindow(), params)
    assert not isinstance(raised.value, ManualRunError)


@pytest.mark.parametrize("value", ["tomorrow", "", 7, "2026-01-01"])
def test_the_form_itself_takes_nothing_but_instants(value: object) -> None:
    with pytest.raises((ParamValidationError, WindowError)):
        window_of(triggered(None, conf=FORM | {"start": value}), ParamsWindow(), window_params())


def test_the_form_may_have_other_names_and_other_params_beside_them() -> None:
    params = {**window_params("since", "until"), "project_id": "x"}
    run = triggered(None, conf={"since": FORM["start"], "until": FORM["end"]})
    assert window_of(run, ParamsWindow("since", "until"), params).start == pendulum.datetime(2026, 1, 1)
    with pytest.raises(WindowError, match=r"no param 'start' \(there are: 'project_id', 'since', 'until'\)"):
        window_of(run, ParamsWindow(), params)
    with pytest.raises(ConfigurationError, match="both name the param"):
        window_params("x", "x")


@pytest.mark.parametrize(
    ("schedule", "since"),
    [
        (CronDataIntervalTimetable("0 2 * * *", timezone="UTC"), "2026-02-26"),
        (CronDataIntervalTimetable("0 2 * * *", timezone="Europe/Berlin"), "2026-03-26"),
        (CronDataIntervalTimetable("0 2 * * *", timezone="Europe/Berlin"), "2026-10-22"),
        (CronDataIntervalTimetable("0 * * * *", timezone="Europe/Berlin"), "2026-10-24T22:00"),
        (CronDataIntervalTimetable("0 0 * * *", timezone="America/Havana"), "2026-10-29"),
        (CronDataIntervalTimetable("0 0 * * *", timezone="Africa/Cairo"), "2026-04-21"),
        (CronDataIntervalTimetable("30 1 1 * *", timezone="Australia/Lord_Howe"), "2026-01-01"),
        (CronDataIntervalTimetable("0 6 * * 1-5", timezone="America/New_York"), "2026-03-04"),
        (DeltaDataIntervalTimetable(timedelta(hours=7)), "2026-02-27"),
        (CronTriggerTimetable("0 2 * * *", timezone="UTC", interval=DAY), "2026-10-22"),
    ],
)
def test_the_windows_of_scheduled_runs_touch_without_a_gap(schedule: Any, since: str) -> None:
    runs = islice(scheduled(schedule, at(since)), 12)
    windows = [DataIntervalWindow().resolve(run_interval(_facts(run))) for run in runs]
    assert [before.end for before in windows[:-1]] == [after.start for after in windows[1:]]


@pytest.mark.parametrize(
    ("zone", "since", "shared_hours"),
    [
        ("UTC", "2026-02-25", 0),
        ("Europe/Berlin", "2026-03-25", 0),
        ("Europe/Berlin", "2026-10-21", 0),
        ("America/New_York", "2026-10-28", 0),
        ("Australia/Lord_Howe", "2026-04-01", 0),
        # their clocks change at midnight itself
        ("America/Havana", "2026-10-28", 0),
        ("America/Havana", "2026-03-04", 1),
        ("Africa/Cairo", "2026-04-20", 1),
    ],
)
def test_the_partitions_of_local_days_leave_no_gap(zone: str, since: str, shared_hours: int) -> None:
    runs = islice(scheduled(CronPartitionTimetable("0 0 * * *", timezone=zone), at(since)), 12)
    windows = [PartitionWindow(DAY, timezone=zone).resolve(run_interval(_facts(run))) for run in runs]
    shared = [before.end - after.start for before, after in pairwise(windows)]
    assert min(shared) >= timedelta(0)
    assert sum(shared, timedelta(0)) == timedelta(hours=shared_hours)


@pytest.mark.parametrize(("zone", "skipped"), [("Europe/Berlin", False), ("Africa/Cairo", True)])
def test_a_run_offset_makes_airflow_skip_a_partition_where_clocks_change_at_midnight(zone: str, skipped: bool) -> None:
    """No window can heal a run that is never made; docs/windows.md tells to leave `run_offset` out there."""
    runs = islice(scheduled(CronPartitionTimetable("0 0 * * *", timezone=zone, run_offset=-1), at("2026-04-20")), 8)
    dates = [run.partition_date for run in runs if run.partition_date is not None]
    assert any(after - before > timedelta(hours=25) for before, after in pairwise(dates)) is skipped


def test_a_trigger_timetable_with_an_interval_leaves_an_hour_out_where_clocks_go_back() -> None:
    """Airflow counts 24 hours back from each run. docs/windows.md tells to use CronDataIntervalTimetable there."""
    timetable = CronTriggerTimetable("0 2 * * *", timezone="Europe/Berlin", interval=DAY)
    runs = islice(scheduled(timetable, at("2026-10-20")), 10)
    windows = [DataIntervalWindow().resolve(run_interval(_facts(run))) for run in runs]
    gaps = [after.start - before.end for before, after in pairwise(windows)]
    assert sorted(gaps)[-2:] == [timedelta(0), timedelta(hours=1)]


def test_a_coarser_timetable_leaves_a_gap_behind_the_runs_of_a_finer_one() -> None:
    """docs/windows.md asks for a new `dag_id` with every change of timetable."""
    last = DagRunInfo.interval(FIRST, FIRED)
    weekly = serialized(CronDataIntervalTimetable("0 2 * * 0", timezone="UTC")).timetable
    bounds = TimeRestriction(earliest=FIRST, latest=None, catchup=True)
    following = weekly.next_dagrun_info_v2(last_dagrun_info=last, restriction=bounds)
    assert following is not None
    assert following.data_interval is not None
    assert following.data_interval.start != FIRED


def test_a_partition_of_the_day_that_begins_waits_for_its_end() -> None:
    run = fired_at(CronPartitionTimetable(NIGHTLY, timezone="UTC"))  # no run_offset: the day that begins now
    window = window_of(run, PartitionWindow(DAY))
    assert window.start == pendulum.datetime(2026, 11, 23, 2)
    assert window.ready_at == pendulum.datetime(2026, 11, 24, 2, 5)


@pytest.mark.parametrize(
    ("run", "window"),
    [
        (fired_at(NIGHTLY), DataIntervalWindow(settle=0)),
        (triggered(INTERVALS), DataIntervalWindow(settle=0)),
        (triggered(INTERVALS), ParamsWindow()),
        (triggered(INTERVALS, conf={"start": FORM["start"]}), ParamsWindow()),
        (asset_triggered(), DataIntervalWindow(settle=0)),
        (fired_at(PARTITIONS), DataIntervalWindow(settle=0)),
        (fired_at(INTERVALS), PartitionWindow(DAY)),
        (fired_at(INTERVALS), DataIntervalWindow(open_start_at="2027-01-01T00:00:00Z")),
    ],
)
def test_a_refused_run_asks_nothing_of_labelbox_and_fails_without_a_retry(
    fake: FakeLabelbox, run: Run, window: Any
) -> None:
    context = context_of(run, window, window_params())
    with pytest.raises(AirflowFailException, match="Nothing was exported"):
        cast("BaseOperator", context["task"]).execute(context)
    assert fake.exports == []
    assert fake.requests.api == []


@pytest.mark.parametrize(
    "window",
    [
        DataIntervalWindow(lookback=DAY, settle=0, open_start_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00")),
        PartitionWindow(DAY, timezone="Europe/Berlin"),
        ParamsWindow(otherwise=DataIntervalWindow(lookback=60)),
        {"kind": "data_interval", "lookback": "{{ params.lookback }}"},
    ],
)
def test_an_operator_with_any_window_serializes_and_renders(window: Any) -> None:
    with DAG("nightly", schedule=None, start_date=PRESSED, params={**window_params(), "lookback": "P3D"}) as dag:
        task = ProjectExportOperator(task_id="start", project_id="x", window=window)
    again = cast("Any", DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).get_task("start"))
    assert again.window == task.window
    task.render_template_fields({"params": {"lookback": "P3D"}})
    assert "{{" not in str(task.window)


def test_the_table_in_the_docs_is_what_airflow_does() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page


def test_the_examples_of_the_page_run() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    assert len(blocks) >= 6


def _facts(run: Run) -> Any:
    """The context as far as windows read it: building the whole for each run of a year takes long."""
    start, end = run.interval or (None, None)
    given = {"run_id": "scheduled__1", "partition_key": run.partition_key, "partition_date": run.partition_date}
    return given | ({} if run.interval is None else {"data_interval_start": start, "data_interval_end": end})
