"""Every way a run can come about in Airflow 3 gives the right window or a refusal that names the fix.

Runs are made by Airflow's own timetables, request bodies and task context; only the database is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any, cast

import pendulum
import pytest
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, BaseOperator, CronDataIntervalTimetable, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.interval import CronDataIntervalTimetable as IntervalsOfTheServer
from airflow.timetables.trigger import CronTriggerTimetable as TriggersOfTheServer
from support.airflow.runs import (
    DAY,
    PRESSED,
    Run,
    asset_triggered,
    context_of,
    fired_at,
    only_run,
    scheduled,
    triggered,
)
from support.airflow.versions import counts_clock_changes
from support.airflow.windows import FORM, facts_of, window_of
from support.kinds_of_run import INTERVALS, NIGHTLY, PAGE, PARTITIONS, RUNS, outcome, with_table

from labelbox_export_provider import (
    DataIntervalWindow,
    ParamsWindow,
    PartitionWindow,
    ProjectExportOperator,
    window_params,
)
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.errors import ManualRunError, WindowError
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


@pytest.mark.parametrize("how", RUNS)
def test_every_kind_of_run_has_an_interval_or_is_refused(how: str) -> None:
    """Every way in which a run is created gives its data interval, or is refused."""
    assert outcome(RUNS[how](), DataIntervalWindow()) == EXPECTED[how]


@pytest.mark.parametrize("how", RUNS)
def test_only_runs_with_a_partition_date_have_its_window(how: str) -> None:
    """A `PartitionWindow` is given by runs with a partition date and by no others."""
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
def test_a_run_in_a_skipped_hour_keeps_its_schedule(cron: str, zone: str, pressed: str, timetables: Any) -> None:
    """A manual run in an hour that clocks skip is not advised to change its schedule.

    The timetable that a message would recommend is the DAG's; the night has a scheduled run, as it says.
    """
    run = triggered(timetables(cron, timezone=zone), logical_date=pressed)
    if counts_clock_changes():
        window = window_of(run, DataIntervalWindow())
        assert window.start < window.end
        return
    with pytest.raises(ManualRunError) as raised:
        window_of(run, DataIntervalWindow())
    message = str(raised.value)
    assert "of zero width" in message
    assert "The schedule is right (CronDataIntervalTimetable)" in message
    assert "clear its scheduled run" in message
    assert "schedule=" not in message
    assert run.interval is not None
    pressed_at = datetime.fromisoformat(pressed.replace("Z", "+00:00"))
    nights = islice(scheduled(run.schedule, pressed_at - 5 * DAY), 6)
    assert run.interval[1] in {night.interval[1] for night in nights if night.interval is not None}


def test_a_refused_run_names_the_timetable_it_needs() -> None:
    """The message of a refused run names the timetable that it needs.

    The cron and the zone of the DAG are those to keep.
    """
    for schedule in (
        CronTriggerTimetable("30 4 * * 1-5", timezone="Europe/Berlin"),
        TriggersOfTheServer("30 4 * * 1-5", timezone="Europe/Berlin"),
        AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("30 4 * * 1-5", timezone="Europe/Berlin"), assets=[Asset("any")]
        ),
    ):
        with pytest.raises(WindowError) as raised:
            window_of(fired_at(schedule), DataIntervalWindow())
        advised = "schedule=CronDataIntervalTimetable('30 4 * * 1-5', timezone='Europe/Berlin')"
        # `airflow.sdk` has this timetable from 3.2 on only.
        assert f"{advised} (from airflow.timetables.interval)" in str(raised.value)


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
        DataIntervalWindow().resolve(run_interval(facts_of(fired_at(NIGHTLY)) | {"dag": dag}))
    assert f"schedule={advised} (from" in str(raised.value)


def test_a_run_from_before_a_new_timetable_needs_a_dag_id() -> None:
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


def test_a_partitioned_dag_without_a_key_asks_for_one() -> None:
    """Its timetable is the right one already."""
    with pytest.raises(ManualRunError, match="Trigger the DAG again with a partition key"):
        window_of(triggered(PARTITIONS), PartitionWindow(DAY))


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
def test_a_refused_run_sends_nothing_and_uses_no_retry(fake: FakeLabelbox, run: Run, window: Any) -> None:
    """A refused run sends nothing to Labelbox and fails without a retry."""
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
