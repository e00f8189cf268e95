"""The example DAGs parse without connections, serialize, and have schedules that give windows."""

from __future__ import annotations

import re
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "dags_examples"
README = (ROOT / "README.md").read_text()
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


def test_the_backfill_of_the_readme_ends_where_the_schedule_of_its_dag_begins() -> None:
    """G4: windows have no gap, nor are there two of one day."""
    command = re.search(r"airflow backfill create --dag-id (\S+) --from-date (\S+) --to-date (\S+)", README)
    assert command is not None
    dag_id, begin, end = command.groups()
    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(BAG.dags[dag_id]))
    backfill = list(dag.iter_dagrun_infos_between(pendulum.parse(begin, tz="UTC"), pendulum.parse(end, tz="UTC")))
    bounds = TimeRestriction(earliest=pendulum.instance(dag.start_date), latest=None, catchup=True)
    first = dag.timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=bounds)
    assert backfill[-1].data_interval.end == first.data_interval.start
    assert len(backfill) == 304
