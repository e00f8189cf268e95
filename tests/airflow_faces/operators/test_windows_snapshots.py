"""What a check leaves in XCom where all of it is too large."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.airflow.window_checks import Check, put, put_nights
from support.airflow.worker_clock import WorkerClock
from support.window_names import DAY, FIRST, PREFIX, name_of, source


def test_the_newest_windows_of_a_large_snapshot(
    tmp_path: Path, clock: WorkerClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XCom has these and the address of all of them."""
    monkeypatch.setattr("labelbox_export_provider.windows_check.snapshot.MAX_BYTES", 900)
    begin = FIRST - 300 * DAY
    for day in range(310):
        state = "empty" if day % 2 else "ok"
        put(tmp_path, [name_of(source(), begin + day * DAY, begin + (day + 1) * DAY, state)])
    check = Check(tmp_path, clock)
    check.run()
    shown, whole = check.snapshot, json.loads((tmp_path / PREFIX / "_windows" / "20261111T100000Z.json").read_bytes())
    assert shown["snapshot_uri"] == f"file://{tmp_path}/{PREFIX}/_windows/20261111T100000Z.json"
    assert (shown["windows_since"], whole["windows_since"]) == ("2026-11-04T10:00:00Z", None)
    assert len(whole["sources"][0]["intervals"]) == 310
    assert shown["sources"][0]["intervals"] == whole["sources"][0]["intervals"][-7:]


def test_a_large_snapshot_is_an_object(tmp_path: Path, clock: WorkerClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """XCom then has its address, and the check does not take it for an export."""
    monkeypatch.setattr("labelbox_export_provider.operators.windows_xcom.MAX_BYTES", 100)
    put_nights(tmp_path, range(10))
    check = Check(tmp_path, clock)
    for _ in range(2):
        check.run()
    path = tmp_path / PREFIX / "_windows" / "20261111T100000Z.json"
    assert check.snapshot == {
        "version": 1,
        "checked_at": "2026-11-11T10:00:00Z",
        "prefix": f"{tmp_path}/{PREFIX}",
        "all_landed": True,
        "snapshot_uri": f"file://{path}",
    }
    made = json.loads(path.read_bytes())
    assert made["sources"][0]["id"] == "clp1"
    assert made["ignored"] == 0
