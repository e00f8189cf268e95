"""What OpenLineage is told of a landing."""

from __future__ import annotations

import json
from copy import deepcopy
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

STATISTICS = "outputs.0.outputFacets.outputStatistics"
OWN = "run.facets.labelbox_export"
CHANGES = [
    ("schemaURL", None, "$: 'schemaURL' is a required property"),
    ("schemaURL", "https://example.com/x.json", "$ names a schema that is not known: https://example.com/x.json"),
    ("eventTime", "2026-11-23", "$.eventTime: '2026-11-23' is not a 'date-time'"),
    ("eventTime", "2026-11-31T02:30:00Z", "$.eventTime: '2026-11-31T02:30:00Z' is not a 'date-time'"),
    ("eventType", "DONE", "$.eventType: 'DONE' is not one of "),
    ("producer", "tests", "$.producer: 'tests' is not a 'uri'"),
    ("run.runId", "first", "$.run.runId: 'first' is not a 'uuid'"),
    ("job", None, "$: 'job' is a required property"),
    ("inputs.0.namespace", None, "$.inputs[0]: 'namespace' is a required property"),
    ("outputs.1.name", 7, "$.outputs[1].name: 7 is not of type 'string'"),
    (f"{STATISTICS}._producer", None, "$.outputs[0].outputFacets.outputStatistics: '_producer' is a required"),
    (f"{STATISTICS}._schemaURL", None, "$.outputs[0].outputFacets.outputStatistics: '_schemaURL' is a required"),
    (f"{STATISTICS}.rowCount", "many", "$.outputs[0].outputFacets.outputStatistics.rowCount: 'many' is not of"),
    (f"{STATISTICS}.size", 1.5, "$.outputs[0].outputFacets.outputStatistics.size: 1.5 is not of type 'integer'"),
    (f"{OWN}._producer", None, "$.run.facets.labelbox_export: '_producer' is a required property"),
    (f"{OWN}.startedAt", "2026-11-22 02:00", "$.run.facets.labelbox_export.startedAt: '2026-11-22 02:00' is not"),
    (f"{OWN}.window.end", None, "$.run.facets.labelbox_export.window: 'end' is a required property"),
    (f"{OWN}.rows", 1, "$.run.facets.labelbox_export: Additional properties are not allowed ('rows' was"),
]
"""A member of an event by its path, the value that it gets (None: it is left out), and how its fault begins."""


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


def landed(fake: FakeLabelbox, store: Store) -> dict[str, Any]:
    """Land rows and error rows; return the event of it."""
    fake.faults.add(ErrorRows())
    task = store.operator(export=start(fake), max_error_rows=9)
    task.execute(context_of("land"))
    return sent(task.get_openlineage_facets_on_complete(None))


@in_every_store
def test_the_event_is_valid(fake: FakeLabelbox, store: Store) -> None:
    """By the published schemas of event and facets; its output facets have the members of these, and no others."""
    events = pytest.importorskip("support.lineage.events")
    event = landed(fake, store)
    assert events.faults(event) == []
    base = {"_producer", "_schemaURL"}
    rows, errors = [
        {name: facet.keys() - base for name, facet in output["outputFacets"].items()} for output in event["outputs"]
    ]
    for output in (rows, errors):
        assert output.pop("subset", {"outputCondition"}) == {"outputCondition"}  # older clients have none
    assert rows == {"outputStatistics": {"rowCount", "size", "fileCount"}}
    assert errors == {"outputStatistics": {"rowCount", "fileCount"}}


def test_an_event_that_is_not_valid_is_found(fake: FakeLabelbox, store: Store) -> None:
    """A member that is changed, or left out, is named with its place."""
    events = pytest.importorskip("support.lineage.events")
    event = landed(fake, store)
    for path, value, fault in CHANGES:
        changed = deepcopy(event)
        place: Any = changed
        *way, last = path.split(".")
        for each in way:
            place = place[int(each)] if isinstance(place, list) else place[each]
        if value is None:
            del place[last]
        else:
            place[last] = value
        found = events.faults(changed)
        assert [each for each in found if each.startswith(fault)], (path, found)


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
