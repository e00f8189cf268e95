"""What people and alerts see of a run: links, the window, the log, metrics, and the events of its assets."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from support.e2e.stage import API_KEY, SECOND, Stage

from demo.airflow_api import until
from labelbox_export_provider.testing.faults import BrokenFile, SlowExport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SHOWN = "[2026-05-04T02:00:00Z, 2026-05-06T02:00:00Z) UTC of last_activity_at"


def test_a_run_is_seen_while_it_waits_and_after_it_landed(stage: Stage, tmp_path: Path) -> None:
    """Links, the window, the folded log, and metrics of worker and triggerer."""
    api = stage.airflow.api
    stage.labelbox.faults.add(SlowExport(source_id=SECOND, seconds=6), BrokenFile())
    run_id = stage.start("observed", project_id=SECOND, root=str(tmp_path))
    api.wait_for_task("observed", run_id, "land", states={"deferred"})
    page = f"https://app.labelbox.com/projects/{SECOND}"
    waiting = until("the links of a deferred task", lambda: _linked(stage, run_id, "Labelbox"), timeout=20)
    assert waiting == {"Labelbox": page, "Landed manifest": None}
    assert api.rendered("observed", run_id, "land")["resolved_window"] == SHOWN
    api.wait_for_run("observed", run_id)
    assert stage.states("observed", run_id) == {"land": "success"}, stage.explain("observed", run_id)
    summary = api.xcoms("observed", run_id, "land")["return_value"]
    summary = json.loads(summary) if isinstance(summary, str) else summary
    links = until("the links of a landing", lambda: _linked(stage, run_id, "Landed manifest"), timeout=20)
    assert links == {"Labelbox": page, "Landed manifest": summary["manifest_uri"]}
    assert api.rendered("observed", run_id, "land")["resolved_window"] == SHOWN
    _check_log("\n".join(api.log("observed", run_id, "land")), summary)
    _check_metrics(stage, summary)


def _linked(stage: Stage, run_id: str, name: str) -> dict[str, str | None] | None:
    links = {key: value or None for key, value in stage.airflow.api.links("observed", run_id, "land").items()}
    return links if links[name] else None


def _check_log(log: str, summary: dict[str, Any]) -> None:
    start = log.index("::group::Land the export")
    end = log.index("::endgroup::", start)
    assert "resuming there" in log[start:end]
    shown = log[end:]
    assert f"Landed export {summary['export_id']}" in shown
    assert re.search(rf"window: +{re.escape(SHOWN)}", shown)
    assert re.search(rf"manifest: +{re.escape(summary['manifest_uri'])}", shown)


def _check_metrics(stage: Stage, summary: dict[str, Any]) -> None:
    metrics = stage.metrics
    task = {"dag_id": "observed", "task_id": "land"}
    source = {"source_kind": "project", "source_id": SECOND}
    until("the metrics of a landing", lambda: metrics.of("window_age", **task), timeout=20)
    assert metrics.of("rows", **task) == [(summary["rows"], "c", task | source)]
    assert [value for value, _, _ in metrics.of("started", **task)] == [1]
    assert [value for value, _, _ in metrics.of("resumed", **task)] == [1]
    end = datetime(2026, 5, 6, 2, tzinfo=timezone.utc).timestamp()
    assert metrics.of("window_end", **task) == [(end, "g", task | source)]
    # Sent by the triggerer, which does not know the source.
    [(waited, kind, tags)] = metrics.of("waited", **task)
    assert (kind, tags) == ("ms", task | {"outcome": "COMPLETE"})
    assert 6000 <= waited < 120_000
    assert not any(secret in line for line in metrics.lines for secret in (API_KEY, "://", "Signature"))
