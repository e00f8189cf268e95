"""The recorded measurement of many sources at a limit holds the goal, and the order of starts is read and checked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from benchmarks.many_sources import GOAL, MAX_PHASES, missed
from benchmarks.stage import ROOT
from benchmarks.start_order import Start, TriggerLogs, overtaken, read_starts
from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.errors import RunningExportLimitError
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

PROJECTS = ["clprojecttonight000000000", "clprojecturgent0000000000"]


def test_sixty_sources_hold_the_goal() -> None:
    """All landed in little more than the least possible time, refused once at most, without a retry."""
    [recorded] = sorted((ROOT / "benchmarks" / "results").glob("many-sources-*.json"))
    report = json.loads(recorded.read_text())
    assert report["settings"] == {"sources": 60, "limit": 6, "seconds": 90, "parallelism": 4}
    assert report["of_least"] <= GOAL
    assert report["max_phases"] <= MAX_PHASES
    assert report["refused_starts"] <= 60 - 6
    assert (report["states"], report["tries"]) == ({"success": 60}, 1)


def test_a_report_names_what_it_misses() -> None:
    """Each gate, a task that failed and a second try are named; a report that holds all of it names nothing."""
    gate = {"of_least": 1.15, "phases": 3, "overtaken": 0}
    good = {"gate": gate, "of_least": 1.15, "max_phases": 3, "overtaken": 0, "states": {"success": 2}, "tries": 1}
    assert missed(good) == []
    others: list[dict[str, Any]] = [
        {"of_least": 1.16},
        {"max_phases": 4},
        {"overtaken": 1},
        {"states": {"success": 1, "failed": 1}},
        {"tries": 2},
    ]
    for other in others:
        assert len(missed(good | other)) == 1, other


def resting(kind: str, number: int, rests: float, released: float) -> Start:
    return Start(kind, number, 1, rests - 31, rests, released, released + 3)


def test_each_part_of_the_order_is_checked() -> None:
    """Priority, then the window, then the refusal; who rests later, or is released with others, is not overtaken."""
    first, second = resting("tonight", 0, 31, 90), resting("tonight", 1, 32, 100)
    urgent, backfill = resting("urgent", 0, 50, 80), resting("backfill", 0, 31, 110)
    assert overtaken([first, second, urgent, backfill]) == []
    for kinds in (("urgent", "tonight"), ("tonight", "backfill"), ("tonight", "tonight")):
        before, after = resting(kinds[0], 0, 31, 90), resting(kinds[1], 1, 32, 85)
        assert overtaken([before, after]) == [(before, after)]
        assert overtaken([before, resting(kinds[1], 1, 32, 89.5)]) == []
        assert overtaken([resting(kinds[0], 0, 86, 90), resting(kinds[1], 1, 87, 85)]) == []
    at_once = Start("backfill", 3, 0, None, None, None, 1)
    assert overtaken([at_once, first]) == []


def test_starts_are_read_from_labelbox_and_triggers(tmp_path: Path) -> None:
    """A start that was refused has its moments from its trigger's log, which the next trigger overwrites."""
    rows = [row for each in PROJECTS for row in generate_rows(2, project_id=each)]
    began = datetime.now(timezone.utc)
    triggers = TriggerLogs(tmp_path)

    def write_log(kind: str, events: list[tuple[float, str]]) -> None:
        log = tmp_path / "run_id=one" / f"task_id={kind}" / "map_index=0" / "attempt=1.log.trigger.5.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            {"timestamp": f"{began + timedelta(seconds=moment):%Y-%m-%dT%H:%M:%S.%fZ}", "level": "info", "event": event}
            for moment, event in events
        ]
        log.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"timestamp": "20')
        triggers.read()

    rested = "Too many exports run, and the start rests: 1 of 1 resting starts"
    write_log("urgent", [(20, "trigger starting"), (70, rested), (80, rested), (90, "The start is tried again.")])
    write_log("urgent", [(95, "trigger starting"), (120, "The export is COMPLETE")])
    write_log("tonight", [(5, "another trigger")])
    with FakeLabelbox(rows) as labelbox:
        labelbox.change(running_exports_per_organization=1, seconds_per_export=1000)
        with LabelboxClient(ConnectionSettings(api_key=labelbox.api_key, endpoint=labelbox.endpoint)) as client:

            def start(project: str) -> None:
                asked = ProjectSource(project_id=project).render_input(
                    task_name=project, owner_timezone=None, window=None
                )
                client.run(flows.start_once(START_PROJECT_EXPORT, asked, wait_at_limit=False))

            start(PROJECTS[0])
            with pytest.raises(RunningExportLimitError):
                start(PROJECTS[1])
            labelbox.change(running_exports_per_organization=2)
            start(PROJECTS[1])
        starts = read_starts(labelbox, triggers, {"tonight": PROJECTS[:1], "urgent": PROJECTS[1:]}, began)
    tonight, urgent = starts
    assert (tonight.kind, tonight.refusals, tonight.rests, tonight.released) == ("tonight", 0, None, None)
    assert (urgent.kind, urgent.refusals, urgent.rests, urgent.released) == ("urgent", 1, 70, 90)
    assert urgent.refused is not None
    assert tonight.started < urgent.refused < urgent.started
