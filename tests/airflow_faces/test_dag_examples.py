"""The example DAGs parse without connections, serialize, and have schedules that give windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.interval import CronDataIntervalTimetable

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
BAG = DagBag(dag_folder=str(EXAMPLES))


def test_all_examples_import_without_an_error() -> None:
    assert BAG.import_errors == {}
    assert len(BAG.dags) >= len(list(EXAMPLES.glob("*.py")))


@pytest.mark.parametrize("dag_id", sorted(BAG.dags))
def test_an_example_serializes(dag_id: str) -> None:
    assert DagSerialization.serialize_dag(BAG.dags[dag_id])["dag_id"] == dag_id


@pytest.mark.parametrize("dag_id", [dag_id for dag_id in sorted(BAG.dags) if "nightly" in dag_id])
def test_a_nightly_example_has_real_data_intervals_and_catches_up(dag_id: str) -> None:
    dag = BAG.dags[dag_id]
    assert type(dag.timetable).__name__ == CronDataIntervalTimetable.__name__
    assert dag.catchup is True
