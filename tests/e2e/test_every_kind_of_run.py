"""Under a real scheduler, every kind of run exports its window, or fails with the fix and asks for nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.e2e.stage import API_KEY, FIRST, Stage

from demo.airflow_api import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FORM = {"start": "2026-05-05T00:00:00+00:00", "end": "2026-05-06T12:30:00.5+00:00"}


def first_run(stage: Stage, dag_id: str, **query: Any) -> str:
    """Wait for the run that Airflow itself makes, to its end."""
    api = stage.airflow.api
    runs = until(f"a run of {dag_id}", lambda: api.runs(dag_id, **query), timeout=120)
    run_id = str(runs[0]["dag_run_id"])
    api.wait_for_run(dag_id, run_id)
    return run_id


def window_asked_by(stage: Stage, dag_id: str, run_id: str) -> tuple[dict[str, Any], Any]:
    """The window on the handle in XCom, and the date filter that Labelbox was really sent for it."""
    assert stage.states(dag_id, run_id) == {"start": "success"}, stage.explain(dag_id, run_id)
    handle = stage.airflow.api.xcoms(dag_id, run_id, "start")["return_value"]
    [export] = [export for export in stage.labelbox.exports if export.export_id == handle["export_id"]]
    return handle["window"], date_filter(export)


def date_filter(export: Any) -> Any:
    assert export.source_id == FIRST
    [asked] = [
        entry["value"]["value"]
        for entry in export.filters["searchQuery"]["query"]
        if entry["type"] == "data_row_last_activity_at"
    ]
    return asked


def refusal_of(stage: Stage, dag_id: str, run_id: str) -> str:
    """What the log of a refused run says; it has used one try."""
    assert stage.states(dag_id, run_id) == {"start": "failed"}
    assert stage.airflow.api.task(dag_id, run_id, "start")["try_number"] == 1
    return "\n".join(stage.airflow.api.log(dag_id, run_id, "start"))


@pytest.fixture(scope="module", autouse=True)
def no_run_by_schedule_comes_in_between(stage: Stage) -> None:
    """Airflow makes the newest run of a DAG once it is no longer paused; it is over before anything is counted."""
    stage.airflow.api.wait_for_dag("kinds_by_hand")
    stage.airflow.api.unpause("kinds_by_hand")
    first_run(stage, "kinds_by_hand", run_type="scheduled")


@pytest.fixture(autouse=True)
def nothing_asked_for_by_refused_runs(stage: Stage, request: pytest.FixtureRequest) -> Any:
    before = len(stage.labelbox.exports)
    yield
    if "refused" in request.node.name:
        assert len(stage.labelbox.exports) == before


def test_scheduled_run_exports_its_interval(
    stage: Stage,
) -> None:
    """A scheduled run of an interval timetable exports its interval and the first one all before."""
    stage.airflow.api.wait_for_dag("kinds_interval")
    stage.airflow.api.unpause("kinds_interval")
    run_id = first_run(stage, "kinds_interval", run_type="scheduled")
    window, asked = window_asked_by(stage, "kinds_interval", run_id)
    assert (window["start"], window["end"]) == ("2026-05-04T02:00:00Z", "2026-05-05T02:00:00Z")
    assert window["queried_start"] is None
    assert asked == "2026-05-05T02:00:01+0000"


def test_backfill_exports_the_interval_of_its_date(stage: Stage) -> None:
    """A backfill exports the interval of its date and again when it reprocesses."""
    stage.airflow.api.wait_for_dag("kinds_interval")
    stage.airflow.api.unpause("kinds_interval")
    exports = set()
    for generation in (1, 2):
        stage.airflow.api.send(
            "POST",
            "/backfills",
            {
                "dag_id": "kinds_interval",
                "from_date": "2026-05-06T02:00:00Z",
                "to_date": "2026-05-06T02:00:00Z",
                "reprocess_behavior": "completed",
            },
        )
        until(
            f"generation {generation} of the backfill",
            lambda: all(
                backfill["completed_at"]
                for backfill in stage.airflow.api.get("/backfills", dag_id="kinds_interval")["backfills"]
            ),
            timeout=120,
        )
        run_id = first_run(stage, "kinds_interval", run_type="backfill")
        window, asked = window_asked_by(stage, "kinds_interval", run_id)
        assert (window["start"], window["end"]) == ("2026-05-06T02:00:00Z", "2026-05-07T02:00:00Z")
        assert asked == {"min": "2026-05-06T01:59:59+0000", "max": "2026-05-07T02:00:01+0000"}
        exports.add(stage.airflow.api.xcoms("kinds_interval", run_id, "start")["return_value"]["export_id"])
    assert len(exports) == 2


def test_manual_run_exports_the_last_whole_interval(stage: Stage) -> None:
    """A run by hand with a logical date exports the last whole interval before it."""
    run_id = by_hand(stage, "kinds_by_hand", logical_date="2026-05-08T10:30:00Z")
    window, asked = window_asked_by(stage, "kinds_by_hand", run_id)
    assert (window["start"], window["end"]) == ("2026-05-07T02:00:00Z", "2026-05-08T02:00:00Z")
    assert asked == {"min": "2026-05-07T01:59:59+0000", "max": "2026-05-08T02:00:01+0000"}


def test_manual_run_may_name_its_interval(stage: Stage) -> None:
    """A run by hand may name its interval if it has a logical date."""
    ends = {"data_interval_start": "2026-05-09T00:00:00Z", "data_interval_end": "2026-05-11T00:00:00Z"}
    run_id = by_hand(stage, "kinds_by_hand", logical_date="2026-05-12T10:30:00Z", **ends)
    window, _ = window_asked_by(stage, "kinds_by_hand", run_id)
    assert (window["start"], window["end"]) == ("2026-05-09T00:00:00Z", "2026-05-11T00:00:00Z")


def test_airflow_dags_test_exports_the_last_whole_interval(stage: Stage) -> None:
    stage.airflow.api.wait_for_dag("kinds_dags_test")
    before = len(stage.labelbox.exports)
    done = stage.airflow.cli("dags", "test", "kinds_dags_test")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    shown = [line for line in (done.stdout + done.stderr).splitlines() if API_KEY in line]
    assert [line for line in shown if "MaskSecret(" not in line] == [], (
        "Airflow's own line is the only one with the key"
    )
    [export] = stage.labelbox.exports[before:]
    asked = {end: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z") for end, text in date_filter(export).items()}
    assert f"{asked['min']:%H:%M:%S} {asked['max']:%H:%M:%S}" == "01:59:59 02:00:01"
    assert asked["max"] - asked["min"] == timedelta(days=1, seconds=2)
    assert asked["max"] <= export.started_at < asked["max"] + timedelta(days=1)


def test_dags_test_before_the_start_date_runs_nothing(stage: Stage) -> None:
    """`airflow dags test` before the start date is green and runs nothing.

    docs/testing-your-dag.md says so: nothing of ours runs that could refuse it.
    """
    stage.airflow.api.wait_for_dag("kinds_dags_test")
    before = len(stage.labelbox.exports)
    done = stage.airflow.cli("dags", "test", "kinds_dags_test", "2026-05-01T02:00:00+00:00")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "state=success" in done.stdout + done.stderr
    assert len(stage.labelbox.exports) == before


def test_a_run_by_hand_without_a_logical_date_is_refused(stage: Stage) -> None:
    message = refusal_of(stage, "kinds_interval", by_hand(stage, "kinds_interval"))
    assert "has no data interval: it was triggered without a logical date" in message
    assert "Trigger the DAG again with a logical date: CronDataIntervalTimetable gives" in message
    assert "window=ParamsWindow() with DAG(params=window_params())" in message


def test_a_bare_cron_string_is_refused_with_the_timetable_to_use(stage: Stage) -> None:
    stage.airflow.api.wait_for_dag("kinds_zero_width")
    stage.airflow.api.unpause("kinds_zero_width")
    message = refusal_of(stage, "kinds_zero_width", first_run(stage, "kinds_zero_width", run_type="scheduled"))
    assert "a data interval of zero width (2026-05-04T02:00:00+00:00)" in message
    assert "schedule=CronDataIntervalTimetable(" in message


def test_a_run_that_an_asset_triggered_is_refused(stage: Stage) -> None:
    api = stage.airflow.api
    api.wait_for_dag("kinds_asset")
    api.unpause("kinds_asset")
    [asset] = api.get("/assets", name_pattern="kinds_of_run")["assets"]
    api.send("POST", "/assets/events", {"asset_id": asset["id"]})
    message = refusal_of(stage, "kinds_asset", first_run(stage, "kinds_asset", run_type="asset_triggered"))
    assert "has no data interval" in message
    assert "by an asset" in message


@pytest.mark.parametrize("logical_date", [None, "2026-06-01T00:00:00Z"])
def test_filled_in_form_gives_its_window(stage: Stage, logical_date: str | None) -> None:
    """A filled in form gives its window with and without a logical date."""
    run_id = by_hand(stage, "kinds_form", conf=FORM, logical_date=logical_date)
    window, asked = window_asked_by(stage, "kinds_form", run_id)
    assert (window["start"], window["end"]) == ("2026-05-05T00:00:00Z", "2026-05-06T12:30:00.500000Z")
    assert asked == {"min": "2026-05-04T23:59:59+0000", "max": "2026-05-06T12:30:02+0000"}


@pytest.mark.parametrize(
    ("conf", "part"),
    [
        (
            {"start": FORM["start"]},
            "was given 'Window start' (param 'start') and not 'Window end' (param 'end'): half a window",
        ),
        ({"start": FORM["end"], "end": FORM["start"]}, "not after 'Window start' (param 'start')"),
        ({}, "with the fields 'Window start' (param 'start') and 'Window end' (param 'end') filled in"),
    ],
)
def test_a_form_without_a_whole_window_is_refused_by_its_fields(stage: Stage, conf: dict[str, str], part: str) -> None:
    assert part in refusal_of(stage, "kinds_form", by_hand(stage, "kinds_form", conf=conf))


def test_a_partition_exports_its_day_by_schedule_and_by_key(stage: Stage) -> None:
    by_key = by_hand(stage, "kinds_partition", partition_key="2026-05-05T02:00:00")
    by_schedule = first_run(stage, "kinds_partition", run_type="scheduled")
    for run_id, day in ((by_schedule, 3), (by_key, 5)):
        window, asked = window_asked_by(stage, "kinds_partition", run_id)
        assert (window["start"], window["end"]) == (f"2026-05-0{day}T02:00:00Z", f"2026-05-0{day + 1}T02:00:00Z")
        assert asked == {"min": f"2026-05-0{day - 1}T01:59:59+0000", "max": f"2026-05-0{day + 1}T02:00:01+0000"}


def by_hand(stage: Stage, dag_id: str, **body: Any) -> str:
    """Start a run as the UI's button does, and wait for its end."""
    api = stage.airflow.api
    api.wait_for_dag(dag_id)
    api.unpause(dag_id)
    run_id = api.trigger(dag_id, **body)
    api.wait_for_run(dag_id, run_id)
    return run_id
