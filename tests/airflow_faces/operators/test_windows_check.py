"""The check of windows: what it finds, how it fails or waits, what it prints and leaves in XCom."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from support.airflow.tasks import context_of
from support.airflow.window_checks import MORNING, P1, P2, Check, put, put_nights
from support.airflow.worker_clock import WorkerClock
from support.window_names import DAY, FIRST, PREFIX, name_of, source

from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, TaskDeferred
from labelbox_export_provider.errors import (
    NoTriggererError,
    TaskStoppedError,
    WindowsNotLandedError,
)

HOUR = timedelta(hours=1)
ALL_LANDED = {
    "prefix": "",
    "checked_at": "2026-11-11T10:00:00Z",
    "all_landed": True,
    "sources": 1,
    "missing": 0,
    "rejected": 0,
}


def failure(check: Check, **members: Any) -> str:
    """Return the message of a check that fails without a retry, because windows are not landed."""
    with pytest.raises(AirflowFailException) as caught:
        check.run(**members)
    assert isinstance(caught.value.__cause__, WindowsNotLandedError)
    return str(caught.value)


def test_all_landed(tmp_path: Path, clock: WorkerClock) -> None:
    """It returns something small, and leaves the snapshot for the page."""
    put_nights(tmp_path, range(10))
    check = Check(tmp_path, clock)
    assert check.run() == {**ALL_LANDED, "prefix": f"{tmp_path}/{PREFIX}"}
    assert check.snapshot["all_landed"] is True
    assert check.snapshot["prefix"] == f"{tmp_path}/{PREFIX}"
    assert [each["intervals"] for each in check.snapshot["sources"]] == [
        [[int(FIRST.timestamp()), 86400, 10, "landed", None]]
    ]


def test_a_gap_is_a_failure_with_the_way_to_fill_it(tmp_path: Path, clock: WorkerClock) -> None:
    """The whole message, as an alert shows it; the snapshot is there, too."""
    put_nights(tmp_path, [0, 1, 2, 5, 6, 7, 8, 9])
    put_nights(tmp_path, range(10), P2)
    check = Check(tmp_path, clock)
    assert failure(check) == (
        "Not all windows that are due are landed: 2 missing (1 source).\n"
        f"They were looked for below {tmp_path}/labels.\n"
        "  try:       1 of 4\n"
        "  in store:  not touched by this task\n"
        "  retry:     none: it would end the same way, so none is used up\n"
        "  to do:     fill each gap as described below, then clear this task\n"
        "\n"
        "source        state    landed  empty  rejected  missing  overlapping  reruns  landed until          age\n"
        "project:clp1  current       8      0         0        2            0       0  2026-11-11T02:00:00Z  8 h\n"
        "\n"
        "Gaps, the newest first, each with the way to fill it:\n"
        "- missing: [2026-11-04T02:00:00Z, 2026-11-06T02:00:00Z), 2 windows of project:clp1\n"
        '  airflow dags trigger labelbox_fill_gaps --conf \'{"sources": ["project:clp1"], '
        '"start": "2026-11-04T02:00:00Z", "end": "2026-11-06T02:00:00Z"}\''
    )
    assert check.snapshot["all_landed"] is False
    assert [fill["windows"] for fill in check.snapshot["fills"]] == [2]


def test_a_gap_may_be_reported_only(tmp_path: Path, clock: WorkerClock, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has the table of all sources and every gap, as warnings."""
    put_nights(tmp_path, [0, 2, 3, 4, 5, 6, 7, 8])
    put_nights(tmp_path, [9], state="rejected")
    put_nights(tmp_path, range(10), P2)
    result = Check(tmp_path, clock, on_gap="report").run()
    assert (result["all_landed"], result["missing"], result["rejected"], result["sources"]) == (False, 1, 1, 2)
    text = capsys.readouterr().out
    assert "project:clp2  current      10" in text
    assert "- missing: [2026-11-02T02:00:00Z, 2026-11-03T02:00:00Z), 1 window of project:clp1" in text
    assert "read its error rows" in text
    assert "on_gap is 'report'" in text


def test_a_rejected_window_needs_something_first(tmp_path: Path, clock: WorkerClock) -> None:
    """Where its error rows are, and which option lets them through."""
    put_nights(tmp_path, range(9))
    put_nights(tmp_path, [9], state="rejected")
    text = failure(Check(tmp_path, clock))
    assert ": 1 rejected (1 source)." in text
    assert "raise max_error_rows (labelbox_fill_gaps has a param for it)" in text
    assert "below errors/source=project/id=clp1/dt=2026-11-10/" in text


def test_no_window_below_the_prefix(tmp_path: Path, clock: WorkerClock) -> None:
    """The prefix may be wrong."""
    (tmp_path / PREFIX).mkdir()
    text = " ".join(failure(Check(tmp_path, clock)).split())
    assert f"No window was landed where it was looked for. Check prefix='{tmp_path}/labels'" in text


def test_a_source_that_never_landed(tmp_path: Path, clock: WorkerClock) -> None:
    """Named sources are expected even where nothing of them is there."""
    put(tmp_path, [name_of(P1, MORNING, None)])
    text = failure(Check(tmp_path, clock, sources=["project:clp1", "project:clp2"]))
    assert ": nothing at all of project:clp2." in text
    assert "project:clp2: nothing of it has ever landed here." in text


@pytest.mark.parametrize(
    ("interval", "members", "missing"),
    [
        ((FIRST + 8 * DAY, FIRST + 9 * DAY), {}, 0),
        ((FIRST + 9 * DAY, FIRST + 10 * DAY), {}, 1),
        (None, {"logical_date": pendulum.instance(FIRST + 9 * DAY)}, 0),
        ((pendulum.instance(FIRST + 10 * DAY), pendulum.instance(FIRST + 10 * DAY)), {}, 1),
        (None, {}, 2),
    ],
    ids=[
        "a run of the day before",
        "a run of today",
        "a run with a date alone",
        "in Airflow's own class",
        "a run without any date",
    ],
)
def test_due_is_what_ends_with_the_run(
    interval: tuple[datetime, datetime] | None, members: Any, missing: int, tmp_path: Path, clock: WorkerClock
) -> None:
    """So that a check which runs again later finds what it would have found."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, on_gap="report", grace=0)
    clock.now = FIRST + 11 * DAY + HOUR
    assert check.run(interval=interval, **members)["missing"] == missing


@pytest.mark.parametrize(
    ("options", "hours", "missing"),
    [
        ({}, 5, 0),
        ({}, 6, 1),
        ({"grace": 0}, 0, 1),
        ({"grace": 7200}, 1.9, 0),
        ({"grace": 2 * HOUR}, 2, 1),
        ({"timeout": 0.001}, 0, 1),
        ({"timeout": 0.001, "grace": HOUR}, 0.9, 0),
    ],
)
def test_grace(options: dict[str, Any], hours: float, missing: int, tmp_path: Path, clock: WorkerClock) -> None:
    """Six hours by default; nothing for a gate, whose timeout is the time that a window may take."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, on_gap="report", deferrable=False, **options)
    clock.now = MORNING + hours * HOUR
    assert check.run()["missing"] == missing


def test_a_gate_waits_deferred(tmp_path: Path, clock: WorkerClock, capsys: pytest.CaptureFixture[str]) -> None:
    """It looks every five minutes without a worker, each look leaves its snapshot, and the last one its table."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, timeout=2 * HOUR)
    clock.now = MORNING
    seen: list[bool] = []

    def land_at_the_third() -> None:
        seen.append(check.snapshot["all_landed"])
        if len(seen) == 3:
            put_nights(tmp_path, [9])

    clock.meanwhile = land_at_the_third
    assert check.run()["checked_at"] == "2026-11-11T02:15:00Z"
    assert check.resumed_at == [MORNING + timedelta(minutes=minutes) for minutes in (5, 10, 15)]
    assert seen == [False, False, False]
    log = capsys.readouterr().out
    assert (log.count("landed: 1 missing (1 source)."), log.count("landed until")) == (3, 1)
    assert check.snapshot["all_landed"] is True


def test_a_gate_ends_with_its_timeout(tmp_path: Path, clock: WorkerClock) -> None:
    """The time counts from the first look of the try, and the last look is at its end."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, timeout=12 * 60, landing_dag_id="nightly")
    clock.now = MORNING
    text = failure(check)
    assert "They were waited for 0:12:00 (timeout)." in text
    assert "airflow backfill create --dag-id nightly" in text
    assert clock.now == MORNING + timedelta(minutes=12)
    assert len(check.resumed_at) == 3


def test_a_gate_may_sleep_in_its_worker(tmp_path: Path, clock: WorkerClock) -> None:
    """Nothing is deferred with deferrable=False."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, timeout=HOUR, poke_interval=600, deferrable=False)
    clock.now = MORNING
    clock.meanwhile = lambda: put_nights(tmp_path, [9] if len(clock.slept) == 2 else [])
    check.run()
    assert (clock.slept, check.resumed_at) == ([600, 600], [])


def test_a_gate_without_a_triggerer(tmp_path: Path, clock: WorkerClock) -> None:
    """Airflow ends the deferral some time after the moment of the next look."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, timeout=HOUR)
    with pytest.raises(TaskDeferred) as deferred:
        check.make().execute(context_of(interval=(MORNING, MORNING)))
    assert deferred.value.timeout is not None
    assert deferred.value.timeout <= timedelta(minutes=20)
    with pytest.raises(AirflowFailException, match="No triggerer resumed this task") as caught:
        check.make().resume_execution(
            TRIGGER_FAIL_REPR, {"error": TriggerFailureReason.TRIGGER_TIMEOUT}, context_of(interval=(MORNING, MORNING))
        )
    assert isinstance(caught.value.__cause__, NoTriggererError)


def test_a_gate_that_is_stopped(tmp_path: Path, clock: WorkerClock) -> None:
    """It ends in its sleep, and may be tried again."""
    put_nights(tmp_path, range(9))
    check = Check(tmp_path, clock, timeout=HOUR, deferrable=False)
    clock.now = MORNING
    task = check.make()
    clock.meanwhile = task.on_kill
    with pytest.raises(AirflowException) as caught:
        task.execute(context_of(interval=(MORNING, MORNING)))
    assert isinstance(caught.value.__cause__, TaskStoppedError)
    assert len(clock.slept) == 1


def test_a_run_that_does_not_exist_is_a_backfill(tmp_path: Path, clock: WorkerClock) -> None:
    """A run that is there keeps its interval, perhaps of no width, when it runs again: then the fill DAG is the way."""
    put_nights(tmp_path, [0, 1, 2, 4, 6, 7, 8, 9], P1, P2)
    check = Check(tmp_path, clock, landing_dag_id="nightly")
    check.ti.logical_dates = {"nightly": {FIRST + 3 * DAY, FIRST + 4 * DAY}, "other": {FIRST + 5 * DAY}}
    failure(check)
    newer, older = check.snapshot["fills"]
    assert newer["command"] == (
        "airflow backfill create --dag-id nightly --from-date 2026-11-06T02:00:00Z --to-date 2026-11-07T01:59:59Z "
        "--reprocess-behavior completed"
    )
    assert older["kind"] == "fill_gaps"
    assert shlex.split(older["command"])[:4] == ["airflow", "dags", "trigger", "labelbox_fill_gaps"]


def test_any_night_of_a_long_gap_may_have_a_run(tmp_path: Path, clock: WorkerClock) -> None:
    """Airflow is asked about a hundred dates at a time."""
    put_nights(tmp_path, [0, 1, 2])
    check = Check(tmp_path, clock, landing_dag_id="nightly")
    clock.now = FIRST + 300 * DAY
    check.ti.logical_dates = {"nightly": {FIRST + 250 * DAY}}
    failure(check, interval=None)
    assert [(fill["windows"], fill["kind"]) for fill in check.snapshot["fills"]] == [(296, "fill_gaps")]


def test_a_message_is_bounded(tmp_path: Path, clock: WorkerClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 300 sources with gaps a mail shows the first; the log has them all."""
    projects = [source(f"clproject{number:016d}") for number in range(300)]
    for number, project in enumerate(projects):
        put_nights(tmp_path, {*range(0, 20, 2), number % 19, 19}, project)
    check = Check(tmp_path, clock, landing_dag_id="nightly")
    clock.now = FIRST + 21 * DAY
    text = failure(check, interval=None)
    assert len(text) < 8000
    assert "290 more sources lack windows" in text
    assert text.count("- missing: [") == 5
    assert "4 older gaps are not shown: the log of this task has them all." in text
    assert "the command names 285 sources: the log of this task has it" in text
    log = capsys.readouterr().out
    assert [project for project in projects if f"{project}  " not in log] == []
