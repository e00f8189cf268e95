"""G13: no gap goes unnoticed.

Gaps that are made on purpose in real Airflow are found, told apart, and filled by what the check prints alone.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from support.e2e.browser import logged_in
from support.e2e.stage import FIRST, NIGHTLY_BUCKET, SECOND, Stage, ids_of, lines_of
from support.e2e.users import VIEWER

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import ErrorRows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAY = timedelta(days=1)
NIGHTS = [datetime.fromisoformat("2026-05-01T02:00:00+00:00") + number * DAY for number in range(11)]
"""The starts of the nights; the last is the end of them all."""
MAPPED, DELETED, MARKED, REFUSED = NIGHTS[0], NIGHTS[2], NIGHTS[4], NIGHTS[6:10]
BOTH = [f"project:{FIRST}", f"project:{SECOND}"]
LANDING = "gaps_nightly"
DAG_FILE = """
import pendulum
from pathlib import Path
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToS3Operator

# A connection that is lost now and then, and for one of two sources.
BROKEN = "{{{{ 'lost' if is_broken() and (ds in {nights!r} or (ds == {night!r} and ti.map_index == 1)) "
BROKEN += "else 'labelbox_default' }}}}"

with DAG(
    {dag_id!r},
    schedule={schedule},
    start_date=pendulum.parse({start!r}),
    end_date=pendulum.parse({end!r}),
    catchup=True,
    user_defined_macros={{"is_broken": Path({broken!r}).exists}},
):
    LabelboxExportToS3Operator.partial(
        task_id="land", window=DataIntervalWindow(), s3_bucket={bucket!r}, s3_prefix="gaps", poke_interval=1,
        labelbox_conn_id=BROKEN,
    ).expand(source=[{{"kind": "project", "project_id": name}} for name in {projects!r}])
"""


def write_dag(stage: Stage, schedule: str, start: datetime, end: datetime) -> None:
    """Write the file of the DAG that lands both projects every night."""
    text = DAG_FILE.format(
        dag_id=LANDING,
        schedule=schedule,
        start=f"{start}",
        end=f"{end}",
        broken=str(broken(stage)),
        nights=[f"{night:%Y-%m-%d}" for night in (DELETED, MARKED)],
        night=f"{MAPPED:%Y-%m-%d}",
        bucket=NIGHTLY_BUCKET,
        projects=[FIRST, SECOND],
    )
    (stage.home / "dags" / f"{LANDING}.py").write_text(text)


def broken(stage: Stage) -> Path:
    """Return the file whose presence breaks the connection of some nights."""
    return stage.home / "broken"


def refuse_four_nights(stage: Stage) -> None:
    """A bare cron string gives every run an interval of zero width; then the timetable is changed as the log asks."""
    write_dag(stage, "'0 2 * * *'", REFUSED[0], REFUSED[-1])
    stage.airflow.api.wait_for_dag(LANDING)
    stage.airflow.api.unpause(LANDING)
    until("four refused nights", lambda: len(stage.airflow.api.runs(LANDING, state="failed")) == 4, timeout=180)
    write_dag(stage, "CronDataIntervalTimetable('0 2 * * *', timezone='UTC')", NIGHTS[0], NIGHTS[5])
    begins = f"{NIGHTS[0]:%Y-%m-%dT%H:%M:%SZ}"
    read = lambda: stage.airflow.api.get(f"/dags/{LANDING}/details")["start_date"] == begins  # noqa: E731  short
    until("the new timetable", read, timeout=180)


def land_six_nights(stage: Stage) -> dict[datetime, str]:
    """Run the other nights at once, some of which break, and return the ids of their runs."""
    broken(stage).touch()
    stage.labelbox.faults.add(ErrorRows(source_id=SECOND))  # whichever of its nights is the first to be exported
    runs = {}
    for night in NIGHTS[:6]:
        ends = {"data_interval_start": f"{night.isoformat()}", "data_interval_end": f"{(night + DAY).isoformat()}"}
        runs[night] = stage.airflow.api.trigger(LANDING, logical_date=night.isoformat(), **ends)
    for run_id in runs.values():
        stage.airflow.api.wait_for_run(LANDING, run_id, timeout=300)
    broken(stage).unlink()
    return runs


def check(stage: Stage) -> tuple[str, str, dict[str, Any]]:
    """Run the check; return its state, its log and its snapshot."""
    run_id = stage.run("gaps_check", since=NIGHTS[0].isoformat(), until=NIGHTS[10].isoformat())
    task = stage.airflow.api.task("gaps_check", run_id, "check")
    assert task["try_number"] == 1, "a gap uses no retry"
    log = "\n".join(stage.airflow.api.log("gaps_check", run_id, "check"))
    snapshot: dict[str, Any] = stage.airflow.api.xcoms("gaps_check", run_id, "check")["labelbox_windows"]
    return task["state"], log, snapshot


def described(fill: dict[str, Any]) -> tuple[str, datetime, int, list[str], str]:
    """Return what is told of a gap."""
    start = datetime.fromisoformat(fill["start"].replace("Z", "+00:00"))
    return fill["state"], start, fill["windows"], fill["sources"], fill["kind"]


def follow(stage: Stage, log: str) -> None:
    """Do what the message prints: paste params into the trigger form, and run the other commands as they are."""
    message = log.partition("AirflowFailException: ")[2].partition("WindowsNotLandedError: ")[0]
    forms = re.findall(r"airflow dags trigger labelbox_fill_gaps --conf '(\{.*?\})'", message)
    assert len(forms) == 4
    filling = [stage.start("labelbox_fill_gaps", **json.loads(form)) for form in forms]
    [backfill] = re.findall(r"airflow (backfill create [-\w :]+)", message)
    done = stage.airflow.cli(*shlex.split(backfill))
    assert done.returncode == 0, done.stderr[-3000:]
    for run_id in filling:
        stage.airflow.api.wait_for_run("labelbox_fill_gaps", run_id, timeout=300)
        assert set(stage.states("labelbox_fill_gaps", run_id).values()) == {"success"}, stage.explain(
            "labelbox_fill_gaps", run_id
        )
    runs = stage.airflow.api.runs(LANDING, run_type="backfill")
    assert [run["data_interval_start"] for run in runs] == [f"{DELETED:%Y-%m-%dT%H:%M:%SZ}"]
    stage.airflow.api.wait_for_run(LANDING, runs[0]["dag_run_id"])


@dataclass(frozen=True)
class Gaps:
    """What was broken on purpose, and what the check found."""

    runs: dict[datetime, str]
    rejected: datetime
    state: str
    log: str
    snapshot: dict[str, Any]


@pytest.fixture(scope="module")
def gaps(stage: Stage) -> Gaps:
    """A deleted run, four refused nights, a failed night marked success, a rejected night, a failed mapped source."""
    refuse_four_nights(stage)
    runs = land_six_nights(stage)
    assert stage.states(LANDING, runs[MAPPED]) == {"land[0]": "success", "land[1]": "failed"}
    stage.airflow.api.send("DELETE", f"/dags/{LANDING}/dagRuns/{runs[DELETED]}")
    stage.airflow.api.send("PATCH", f"/dags/{LANDING}/dagRuns/{runs[MARKED]}", {"state": "success"})
    complete = (NIGHTS[1], NIGHTS[3], NIGHTS[5])
    [rejected] = [night for night in complete if "failed" in stage.states(LANDING, runs[night]).values()]
    return Gaps(runs, rejected, *check(stage))


def test_the_check_finds_each_gap(gaps: Gaps) -> None:
    """It fails, and tells each gap for what it is, with the way that fills it."""
    assert gaps.state == "failed"
    assert [described(fill) for fill in gaps.snapshot["fills"]] == sorted(
        [
            ("missing", REFUSED[0], 4, BOTH, "fill_gaps"),
            ("missing", MARKED, 1, BOTH, "fill_gaps"),
            ("missing", DELETED, 1, BOTH, "backfill"),
            ("missing", MAPPED, 1, BOTH[1:], "fill_gaps"),
            ("rejected", gaps.rejected, 1, BOTH[1:], "fill_gaps"),
        ],
        key=lambda each: each[1],
        reverse=True,
    )
    assert "13 missing (2 sources), 1 rejected (1 source)" in gaps.log
    assert "read its error rows and raise max_error_rows" in gaps.log


def test_the_command_finds_each_gap(stage: Stage, gaps: Gaps) -> None:
    """The same gaps as the check, by the status 3; no run has to be there, so a night marked success is backfilled."""
    sources = [option for each in BOTH for option in ("--source", each)]
    ends = ("--since", NIGHTS[0].isoformat(), "--until", NIGHTS[10].isoformat())
    address = f"s3://{NIGHTLY_BUCKET}/gaps"
    done = stage.airflow.cli("labelbox", "windows", address, *sources, *ends, "--dag-id", LANDING, "--json")
    assert done.returncode == 3, done.stderr[-3000:]
    [printed] = [line for line in done.stdout.splitlines() if line.startswith("{")]  # among Airflow's log of DEBUG
    found = [described(fill) for fill in json.loads(printed)["fills"]]
    assert [each[:4] for each in found] == [described(fill)[:4] for fill in gaps.snapshot["fills"]]
    kinds = {start: kind for _, start, _, _, kind in found}
    assert (kinds[DELETED], kinds[MARKED], kinds[REFUSED[0]]) == ("backfill", "backfill", "fill_gaps")


def cell(section: Locator, project: str, night: datetime) -> Locator:
    """Return the cell of a night."""
    return section.get_by_role("grid", name=project).get_by_role("gridcell", name=re.compile(f"^{night:%Y-%m-%d}: "))


def open_night(section: Locator, project: str, night: datetime) -> Locator:
    """Click a night and return what is then told of it."""
    cell(section, project, night).click()
    return section.get_by_role("region", name=f"{night:%Y-%m-%d}, project {project}")


@pytest.mark.browser
def test_the_page_shows_each_gap(stage: Stage, browser: Browser, gaps: Gaps) -> None:
    """The state of every night is in the tab of their DAG; in the navigation's page a gap has its run and its fill."""
    missing = dict.fromkeys((DELETED, MARKED, *REFUSED), "missing")
    runs = {DELETED: "none that you may see is known", MARKED: f"{gaps.runs[MARKED]} (success)"}
    runs |= {MAPPED: f"{gaps.runs[MAPPED]} (failed)", gaps.rejected: f"{gaps.runs[gaps.rejected]} (failed)"}
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto(f"dags/{LANDING}")
        page.get_by_role("link", name="Labelbox windows").click()
        section = page.get_by_role("region", name=f"s3://{NIGHTLY_BUCKET}/gaps")
        expect(section.get_by_text("13 missing, 1 rejected", exact=True)).to_be_visible()
        for project, found in ((FIRST, missing), (SECOND, missing | {MAPPED: "missing", gaps.rejected: "rejected"})):
            for night in NIGHTS[:10]:
                landed = "landed" if stage.labelbox.rows_for(project, night, night + DAY) else "empty"
                expect(cell(section, project, night)).to_have_attribute("data-state", found.get(night, landed))
        page.goto("plugin/labelbox-windows")
        for night, run in runs.items():
            expect(open_night(section, SECOND, night).get_by_text(run)).to_be_visible()
        details = open_night(section, SECOND, REFUSED[0])
        expect(details.get_by_text(re.compile(f"scheduled__{REFUSED[1]:%Y-%m-%d}.* .failed.$"))).to_be_visible()
        for fill in gaps.snapshot["fills"]:
            state, start, _, sources, _ = described(fill)
            details = open_night(section, sources[-1].partition(":")[2], start)
            expect(details.get_by_text(f"{state}: ")).to_be_visible()
            expect(details.get_by_text(fill["command"], exact=True)).to_be_visible()
            if fill["note"]:
                expect(details.get_by_text(fill["note"][1:])).to_be_visible()


def test_gaps_are_filled_by_what_is_printed(stage: Stage, gaps: Gaps) -> None:
    """Nothing else is known: afterwards the check is green, and every row of the ten nights is there once."""
    follow(stage, gaps.log)
    state, log, snapshot = check(stage)
    assert (state, snapshot["fills"]) == ("success", []), log
    for project in (FIRST, SECOND):
        keys = stage.nightly_store.objects(f"gaps/data/source=project/id={project}/")
        landed = ids_of(lines_of(stage.nightly_store.read(key) for key in keys))
        assert landed == ids_of(stage.labelbox.rows_for(project, NIGHTS[0], NIGHTS[10])) != []
