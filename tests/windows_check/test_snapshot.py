"""The snapshot has the documented members and stays below its size."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from support.window_names import DAY, FIRST, checked, local_nights, nights, source

from labelbox_export_provider.windows_check.check import check_windows
from labelbox_export_provider.windows_check.fill import Schedule, fills
from labelbox_export_provider.windows_check.names import NamedExport, Names
from labelbox_export_provider.windows_check.snapshot import MAX_BYTES, json_size, snapshot, whole_snapshot

NOW = FIRST + 10 * DAY + timedelta(hours=8)
PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()


def test_a_snapshot() -> None:
    report = checked([*nights(source(), [0, 1, 2, 5, 6, 7, 8]), *nights(source(), [9], "empty")], NOW)
    first = int(FIRST.timestamp())
    made = snapshot(report, fills(report, Schedule("labels")), "s3://lake/labels", landing_dag_id="labels")
    assert json.loads(json.dumps(made)) == {
        "version": 1,
        "checked_at": "2026-11-11T10:00:00Z",
        "prefix": "s3://lake/labels",
        "landing_dag_id": "labels",
        "all_landed": False,
        "windows_since": None,
        "sources": [
            {
                "source": "project",
                "id": "clp1",
                "state": "current",
                "expected": True,
                "newest_landed": "2026-11-11T02:00:00Z",
                "reruns": 0,
                "without_window": 0,
                "gaps_left_out": 0,
                "intervals": [
                    [first, 86400, 3, "landed", None],
                    [first + 3 * 86400, 86400, 2, "missing", None],
                    [first + 5 * 86400, 86400, 4, "landed", None],
                    [first + 9 * 86400, 86400, 1, "empty", None],
                ],
            }
        ],
        "fills": [
            {
                "start": "2026-11-04T02:00:00Z",
                "end": "2026-11-06T02:00:00Z",
                "state": "missing",
                "windows": 2,
                "sources": ["project:clp1"],
                "kind": "backfill",
                "command": "airflow backfill create --dag-id labels --from-date 2026-11-04T02:00:00Z "
                "--to-date 2026-11-06T01:59:59Z --reprocess-behavior completed",
                "params": None,
                "note": None,
            }
        ],
        "fills_left_out": 0,
        "ignored": 0,
        "unread": 0,
    }


def test_every_member_is_documented() -> None:
    """In docs/formats.md, and no other."""
    report = checked(nights(source(), [0, 1, 3]), NOW)
    made = json.loads(json.dumps(snapshot(report, fills(report), "")))
    members = [*made, *made["sources"][0], *made["fills"][0]]
    table = PAGE.partition("## Snapshot of windows")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `\w+` \| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(documented) == sorted(members)


def test_three_years_of_300_sources_stay_below_a_mebibyte() -> None:
    """With days of 23 and 25 hours and a dozen gaps each; the rows of all windows do not fit and are left out."""
    borders = local_nights(datetime(2024, 1, 1, 2, tzinfo=ZoneInfo("Europe/Berlin")), 1096)
    sources = [source(f"clp{number:022}") for number in range(300)]
    exports = tuple(
        NamedExport(each, start, end, "g0", "ok", "", None, day)
        for number, each in enumerate(sources)
        for day, (start, end) in enumerate(pairwise(borders))
        if (day * 7 + number) % 97
    )
    report = check_windows(Names(exports), datetime(2027, 1, 1, 6, tzinfo=timezone.utc))
    assert sum(each.count("missing") for each in report.sources) == len(report.gaps) > 3000
    text = json.dumps(snapshot(report, fills(report), "s3://lake/labels"))
    assert len(text) < MAX_BYTES
    made = json.loads(text)
    assert len(made["sources"]) == 300
    assert {interval[4] for each in made["sources"] for interval in each["intervals"]} == {None}
    assert made["fills"]
    assert made["fills_left_out"] + len(made["fills"]) == len(fills(report))


def test_a_snapshot_of_few_sources_keeps_its_rows() -> None:
    exports = tuple(
        NamedExport(source(), FIRST + day * DAY, FIRST + (day + 1) * DAY, "g0", "ok", "", None, 100 + day)
        for day in range(10)
    )
    made = snapshot(check_windows(Names(exports), NOW), (), "s3://lake/labels")
    assert json.loads(json.dumps(made))["sources"][0]["intervals"][0][4] == list(range(100, 110))


def test_the_newest_windows_of_a_report_that_is_too_large() -> None:
    """Sources that rest at weekends have an interval more every few days; older gaps are counted, not shown."""
    sources = [source(f"clp{number:022}") for number in range(300)]
    first = FIRST - 1085 * DAY
    exports = tuple(
        NamedExport(each, start, start + DAY, "g0", "empty" if start.weekday() > 4 else "ok", "", None, day)
        for each in sources
        for day, start in enumerate(first + number * DAY for number in range(1095))
        if day not in (10, 11, 1090)
    )
    report = check_windows(Names(exports), NOW)
    made = snapshot(report, fills(report), "s3://lake/labels")
    assert json_size(made) < MAX_BYTES < json_size(whole_snapshot(report, fills(report), "s3://lake/labels"))
    shown = json.loads(json.dumps(made))
    since = datetime.fromisoformat(shown["windows_since"].replace("Z", "+00:00"))
    assert since <= NOW - 180 * DAY
    for each in shown["sources"]:
        begin = each["intervals"][0][0]
        assert since.timestamp() - DAY.total_seconds() < begin <= since.timestamp()
        assert begin + sum(count for _, _, count, *_ in each["intervals"]) * 86400 == (FIRST + 10 * DAY).timestamp()
        assert (each["gaps_left_out"], each["newest_landed"]) == (2, "2026-11-11T02:00:00Z")
    assert [fill["start"] for fill in shown["fills"]] == ["2026-11-06T02:00:00Z"]
    assert shown["fills_left_out"] == 1
