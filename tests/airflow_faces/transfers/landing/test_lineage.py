"""What OpenLineage is told of a landing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, in_every_store, start

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToFileOperator, ProjectSource
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import ErrorRows

pytest.importorskip("airflow.providers.openlineage")
facet_v2 = pytest.importorskip("openlineage.client.facet_v2")


def source_of(fake: FakeLabelbox) -> tuple[str, str]:
    return "labelbox://127.0.0.1", f"project/{fake.project_id}"


def datasets(found: list[Any]) -> list[tuple[str, str]]:
    return [(each.namespace, each.name) for each in found]


def sent(found: Any) -> dict[str, Any]:
    """Return the lineage as the event that OpenLineage's client sends."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.serde import Serde

    run = Run("019ac9a4-0000-7000-8000-000000000000", facets=dict(found.run_facets))
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime="2026-11-23T02:30:00Z",
        run=run,
        job=Job("tests", "land"),
        inputs=list(found.inputs),
        outputs=list(found.outputs),
        producer="https://example.com/tests",
    )
    event_sent: dict[str, Any] = json.loads(Serde.to_json(event))
    return event_sent


@in_every_store
def test_the_event_is_as_published(fake: FakeLabelbox, store: Store) -> None:
    """By the schema, and by the classes that OpenLineage generates from it; what differs is found."""
    events = pytest.importorskip("support.lineage.events")
    fake.faults.add(ErrorRows())
    task = store.operator(export=start(fake), max_error_rows=9)
    task.execute(context_of("land"))
    event = sent(task.get_openlineage_facets_on_complete(None))
    assert (events.faults(event), events.strangers(event)) == ([], [])
    rows, errors = event["outputs"]
    rows["outputFacets"]["outputStatistics"] |= {"rowCount": "many", "lines": 1}
    del errors["name"]
    event["run"]["runId"] = "first"
    assert sorted(events.strangers(event)) == [
        "event.outputs[0].outputFacets.outputStatistics.lines is not published",
        "event.outputs[0].outputFacets.outputStatistics.rowCount is not <class 'int'>",
        "event.outputs[1].name is missing",
        "event.run.runId: badly formed hexadecimal UUID string",
    ]
    assert len(events.faults(event)) >= 3


@in_every_store
def test_the_rows_of_a_source_are_one_dataset(fake: FakeLabelbox, store: Store) -> None:
    """It is the folder that asset events name, the same for all windows; the objects are the part that was written."""
    task = store.operator(export=start(fake))
    assert datasets(task.get_openlineage_facets_on_start().inputs) == [source_of(fake)]
    assert task.get_openlineage_facets_on_start().outputs == []
    task.execute(context_of("land"))
    [manifest] = store.manifests()
    lineage = task.get_openlineage_facets_on_complete(None)
    assert datasets(lineage.inputs) == [source_of(fake)]
    [output] = lineage.outputs
    folder = f"data/source=project/id={fake.project_id}"
    assert f"{output.namespace}/{output.name}".endswith(folder)
    assert output.namespace == "file" or output.namespace.startswith(manifest.objects[0].uri.partition("data/")[0][:-1])
    statistics = output.outputFacets["outputStatistics"]
    assert (statistics.rowCount, statistics.size, statistics.fileCount) == (
        manifest.rows_landed,
        sum(each.bytes for each in manifest.objects),
        len(manifest.objects),
    )
    if hasattr(facet_v2, "base_subset_dataset"):
        assert output.outputFacets["subset"].outputCondition.locations == [each.uri for each in manifest.objects]
    facet = lineage.run_facets["labelbox_export"]
    assert facet.exportId == manifest.export.export_id
    assert facet.query == manifest.query
    assert facet.window is not None
    assert facet.window["start"] == "2026-11-22T02:00:00Z"


def test_error_rows_are_a_dataset_beside_them(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(ErrorRows())
    task = store.operator(export=start(fake), max_error_rows=9)
    task.execute(context_of("land"))
    lineage = task.get_openlineage_facets_on_complete(None)
    [rows, errors] = lineage.outputs
    assert errors.name == rows.name.replace("/data/", "/errors/")
    assert errors.outputFacets["outputStatistics"].rowCount == lineage.run_facets["labelbox_export"].errorRows > 0


def test_a_failed_landing_has_its_source_alone(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(ErrorRows())
    task = store.operator(export=start(fake))
    with pytest.raises(AirflowFailException):
        task.execute(context_of("land"))
    lineage = task.get_openlineage_facets_on_complete(None)
    assert datasets(lineage.inputs) == [source_of(fake)]
    assert (lineage.outputs, lineage.run_facets) == ([], {})


def test_a_task_that_starts_its_export_knows_its_source(fake: FakeLabelbox, store: Store) -> None:
    source = ProjectSource(project_id=fake.project_id)
    task = store.operator(export=None, source=source, window=DataIntervalWindow())
    assert datasets(task.get_openlineage_facets_on_start().inputs) == [source_of(fake)]


def test_a_broken_connection_or_option_does_not_fail_twice(store: Store) -> None:
    """The task reports it; its lineage is empty."""
    external = {"export_id": "cle1", "source": {"kind": "project", "id": "clp1"}, "labelbox_conn_id": "nobody"}
    for task in (
        store.operator(export=external),
        LabelboxExportToFileOperator(task_id="t", export="{{ x }}", root="/"),
    ):
        assert task.get_openlineage_facets_on_start().inputs == []


def test_no_secret_is_in_the_lineage(fake: FakeLabelbox, store: Store) -> None:
    from openlineage.client.serde import Serde

    task = store.operator(export=start(fake))
    task.execute(context_of("land"))
    text = json.dumps(Serde.to_dict(task.get_openlineage_facets_on_complete(None)))
    assert fake.project_id in text
    assert fake.api_key not in text
    assert "Signature" not in text
