"""The report of a landed export: a line of the log, and events of assets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, in_every_store, start

from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.streaming.landing.options import LandedExport
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorRows
from labelbox_export_provider.transfers.announcement import landing_line


def test_events_of_outlet_assets_hold_the_short_manifest(fake: FakeLabelbox, store: Store) -> None:
    """The events of the outlet assets hold the short manifest."""

    class Event:
        extra: Any = None

    class Events:
        """Events by asset, as Airflow's own accessor gives them; an asset has no hash before Airflow 3.2."""

        def __getitem__(self, key: Asset) -> Event:
            assert key == asset
            return event

    asset, event = Asset("labels"), Event()
    summary = store.operator(export=start(fake), outlets=[asset]).execute(context_of("land", outlet_events=Events()))
    assert event.extra == summary
    assert len(json.dumps(summary)) < 4096


@pytest.mark.parametrize(
    ("options", "root", "folder"),
    [
        ({}, "/manifests/", "/data/source=project/id=clprojectdemo000000000000"),
        ({"key": "cars/{window_start:%Y/%m}/night.gz"}, "/cars/", "/cars"),
    ],
    ids=["layout", "explicit key"],
)
@in_every_store
def test_an_outlet_alias_gets_an_event_of_the_rows_folder(
    fake: FakeLabelbox, store: Store, options: dict[str, Any], root: str, folder: str
) -> None:
    """A declared `AssetAlias` gets an event: one asset for all windows, with the short manifest as its extra."""
    alias, events = AssetAlias("nights"), OutletEventAccessors()
    task = store.operator(export=start(fake), outlets=[alias], **options)
    summary = task.execute(context_of("land", outlet_events=events))
    [event] = events[alias].asset_alias_events
    assert event.extra == summary
    assert event.dest_asset_key.uri == summary["manifest_uri"].partition(root)[0] + folder


def test_what_was_landed_is_one_line_of_the_log(
    fake: FakeLabelbox, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line has rows, objects, bytes, trimmed rows and seconds."""
    handle = start(fake)
    summary = store.land(handle)
    [trimmed] = [manifest.result.rows_trimmed for manifest in store.manifests()]
    rows = rf"{summary['rows']} rows in 1 object, \d+ bytes, {trimmed} rows trimmed \(outside of the window\)"
    what = rf"{rows}, \d+\.\d s\. Manifest: {re.escape(summary['manifest_uri'])}"
    assert re.search(f"Landed export {handle['export_id']}: {what}", capsys.readouterr().out)


def test_the_line_counts_what_was_trimmed_and_what_failed(fake: FakeLabelbox, store: Store) -> None:
    """Trimmed rows and error rows are counted apart from landed ones; no count stands where nothing moved."""
    fake.faults.add(ErrorRows())
    store.land(start(fake), max_error_rows=1)
    [manifest] = store.manifests()
    trimmed = manifest.model_copy(update={"result": manifest.result.model_copy(update={"rows_trimmed": 3})})
    assert "3 rows trimmed (outside of the window), 1 error row, 1.5 s." in landing_line(
        LandedExport(trimmed, "u"), 1.5
    )
    assert "no bytes were moved" in landing_line(LandedExport(manifest, "u", moved=False), 1.5)


def test_the_json_schema_in_the_docs_is_that_of_the_manifest() -> None:
    schema = Path(__file__).parents[4] / "docs" / "manifest-v1.schema.json"
    assert json.loads(schema.read_text()) == Manifest.model_json_schema(mode="serialization")


def test_the_lines_of_a_landing_are_folded_and_its_summary_is_not(
    fake: FakeLabelbox, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The summary names source, page, window, export and where the rows are, below the line that counts."""
    handle = start(fake)
    capsys.readouterr()
    store.land(handle)
    log = capsys.readouterr().out
    group, end, summary = log.partition("::endgroup::")
    assert group.count("::group::Land the export") == 1
    assert end
    assert "::group::" not in summary
    [manifest] = store.manifests()
    for line in (
        rf"source: +project {fake.project_id}",
        rf"link: +https://app.labelbox.com/projects/{fake.project_id}",
        r"window: +\[2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z\) UTC of last_activity_at",
        rf"export: +{handle['export_id']}, started {handle['started_at']}",
        r"took: +\d+ s in Labelbox, \d+\.\d s here",
        rf"rows: +{re.escape(manifest.objects[0].uri)}",
        r"manifest: +file:///\S+\.ok\.json",
    ):
        assert re.search(rf"^  {line}", summary, re.MULTILINE), (line, summary)


def test_a_landing_that_fails_closes_its_group(
    fake: FakeLabelbox, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the log view would fold the failure away."""
    fake.faults.add(ErrorRows())
    handle = start(fake)
    capsys.readouterr()
    with pytest.raises(AirflowFailException):
        store.land(handle)
    log = capsys.readouterr().out
    assert log.count("::group::") == log.count("::endgroup::") == 1
