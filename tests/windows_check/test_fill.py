"""Each gap comes with the way to fill it: a backfill for a run, the fill DAG for some sources."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from support.window_names import DAY, FIRST, checked, name_of, nights, source

from labelbox_export_provider.windows_check.fill import Schedule, fills
from labelbox_export_provider.windows_check.table import table

NOW = FIRST + 10 * DAY + timedelta(hours=8)
P1, P2 = source("clp1"), source("clp2")
NIGHTS = [0, 1, 2, 5, 6, 7, 8, 9]
DAG = Schedule("labels_every_night")


def test_a_run_that_is_missing_for_all_is_a_backfill() -> None:
    """Both dates are inclusive, so the border that the next window starts at is not among them."""
    report = checked([*nights(P1, NIGHTS), *nights(P2, NIGHTS)], NOW)
    [fill] = fills(report, DAG)
    assert fill.kind == "backfill"
    assert fill.sources == (P1, P2)
    assert fill.windows == 2
    assert fill.text == (
        "airflow backfill create --dag-id labels_every_night --from-date 2026-11-04T02:00:00Z "
        "--to-date 2026-11-06T01:59:59Z --reprocess-behavior completed"
    )


def test_dates_may_be_those_of_the_ends() -> None:
    report = checked(nights(P1, NIGHTS), NOW)
    [fill] = fills(report, Schedule("labels", dates_are_ends=True))
    assert "--from-date 2026-11-04T02:00:01Z --to-date 2026-11-06T02:00:00Z" in fill.command


def test_one_of_two_sources_is_filled_by_the_fill_dag() -> None:
    report = checked([*nights(P1, NIGHTS), *nights(P2, range(10))], NOW)
    [fill] = fills(report, DAG)
    assert fill.kind == "fill_gaps"
    params = {"sources": ["project:clp1"], "start": "2026-11-04T02:00:00Z", "end": "2026-11-06T02:00:00Z"}
    assert fill.params == params
    words = shlex.split(fill.command)
    assert words[:-1] == ["airflow", "dags", "trigger", "labelbox_fill_gaps", "--conf"]
    assert json.loads(words[-1]) == params


def test_a_source_that_was_not_there_yet_does_not_count() -> None:
    report = checked([*nights(P1, NIGHTS), *nights(P2, range(6, 10))], NOW)
    assert [fill.kind for fill in fills(report, DAG)] == ["backfill"]


def test_without_a_dag_all_gaps_are_filled_by_the_fill_dag() -> None:
    report = checked([*nights(P1, NIGHTS), *nights(P2, NIGHTS)], NOW)
    [fill] = fills(report)
    assert fill.params is not None
    assert fill.params["sources"] == ["project:clp1", "project:clp2"]


def test_a_rejected_night_needs_something_first() -> None:
    report = checked([*nights(P1, range(9)), *nights(P1, [9], "rejected")], NOW)
    [fill] = fills(report, DAG)
    assert fill.text.startswith("read its error rows and raise max_error_rows")
    assert "airflow backfill create" in fill.text


def test_the_table_of_a_gap() -> None:
    """What a person at 3 a.m. reads."""
    report = checked([*nights(P1, NIGHTS), *nights(P2, range(10))], NOW)
    assert table(report, fills(report)) == (
        "source        state    landed  empty  rejected  missing  overlapping  reruns  landed until          age\n"
        "project:clp1  current       8      0         0        2            0       0  2026-11-11T02:00:00Z  8 h\n"
        "project:clp2  current      10      0         0        0            0       0  2026-11-11T02:00:00Z  8 h\n"
        "\n"
        "Gaps, the newest first, each with the way to fill it:\n"
        "- missing: [2026-11-04T02:00:00Z, 2026-11-06T02:00:00Z), 2 windows of project:clp1\n"
        '  airflow dags trigger labelbox_fill_gaps --conf \'{"sources": ["project:clp1"], '
        '"start": "2026-11-04T02:00:00Z", "end": "2026-11-06T02:00:00Z"}\'\n'
    )


def test_the_table_lists_a_bounded_number_of_gaps() -> None:
    report = checked(nights(P1, range(0, 10, 2)), NOW)
    text = table(report, fills(report), most=2)
    assert text.count("- missing") == 2
    assert text.endswith("and 3 older ones.\n")


def test_the_table_explains_what_it_leaves_out() -> None:
    later = FIRST + 60 * DAY + timedelta(hours=8)
    report = checked([*nights(P1, range(60)), *nights(P2, range(5))], later)
    assert "project:clp2 ended long before the others and counts as retired" in table(report, ())
    assert "no manifest" in table(checked([], later), ())
    assert "project:clp1: nothing of it has ever landed" in table(checked([], later, sources=[P1]), ())


def test_where_nobody_can_be_asked_for_runs_both_ways_are_printed() -> None:
    """A run that was refused for its interval is refused again; one that is known to be there is not tried."""
    report = checked(nights(P1, NIGHTS), NOW)
    [fill] = fills(report, DAG)
    assert fill.otherwise == fills(report)[0].command
    assert "  or, where its runs are refused for their interval: airflow dags trigger" in table(report, [fill])
    asked: list[datetime] = []

    def has_none(dates: Sequence[datetime]) -> bool:
        asked.extend(dates)
        return False

    [known] = fills(report, Schedule("labels", has_run=has_none))
    assert (known.kind, known.otherwise) == ("backfill", None)
    assert asked == [FIRST + 3 * DAY, FIRST + 4 * DAY]
    [there] = fills(report, Schedule("labels", has_run=lambda _: True))
    assert there.kind == "fill_gaps"


def test_a_gap_among_windows_of_a_former_schedule_is_no_backfill() -> None:
    """Of another length, another hour or another day of the week; the same nights on days when clocks change are."""

    def way(first: Sequence[timedelta], then: timedelta, gap: int, late: timedelta = timedelta(0)) -> str:
        moments = [FIRST + sum(first[:number], timedelta(0)) for number in range(len(first) + 1)]
        moments += [moments[-1] + late + number * then for number in range(0 if late else 1, 12)]
        windows = [each for number, each in enumerate(pairwise(moments)) if number != gap]
        report = checked([name_of(P1, *each) for each in windows], moments[-1] + timedelta(hours=1))
        return fills(report, DAG)[-1].kind

    hour, night = timedelta(hours=1), [DAY] * 6
    assert way(night, DAY, 3) == "backfill"
    assert way(night, 6 * hour, 3) == "fill_gaps"
    assert way([6 * hour] * 12, hour, 3) == "fill_gaps"
    assert way(night, DAY, 3, late=2 * hour) == "fill_gaps"
    assert way([DAY * 7] * 4, DAY * 7, 2, late=2 * DAY) == "fill_gaps"
    assert way([DAY * 7] * 4, DAY * 7, 2) == "backfill"
    assert way([DAY, DAY, 23 * hour, DAY, DAY, DAY], DAY, 2) == "backfill"
    assert way([DAY, DAY, 23 * hour, DAY, DAY, DAY], DAY, 3) == "backfill"
    assert way([DAY, 3 * DAY] * 4, DAY, 3) == "backfill"
