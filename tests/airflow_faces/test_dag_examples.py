"""The example DAGs parse without connections, serialize, and have schedules that give windows."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from support.airflow.versions import DagBag, DagSerialization, first_run

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
def test_a_nightly_example_has_data_intervals_and_catches_up(dag_id: str) -> None:
    dag = BAG.dags[dag_id]
    assert type(dag.timetable).__name__ == CronDataIntervalTimetable.__name__
    assert dag.catchup is True


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_says_in_airflow_what_it_does_and_needs(path: Path) -> None:
    """Every variable and connection that it reads is named, and every page of the docs is there."""
    page, code = str(BAG.dags[path.stem].doc_md), path.read_text()
    connections = {"labelbox_default"} if "labelbox_export_provider" in code else set()
    connections |= {"aws_default"} if "ToS3" in code or "S3Hook" in code else set()
    connections |= {"google_cloud_default"} if "ToGCS" in code else set()
    needed = connections | set(re.findall(r'environ\.get\("(\w+)"', code))
    assert sorted(name for name in needed if f"`{name}`" not in page) == []
    pages = set(re.findall(r"`(docs/[\w-]+\.md)`", page))
    assert {"docs/windows.md"} <= pages or "Window(" not in code
    assert pages
    assert sorted(name for name in pages if not (ROOT / name).exists()) == []


def test_parsing_an_example_loads_no_cloud_library() -> None:
    """An asset with an address such as s3:// would: Airflow then loads the address handlers of all providers."""
    program = (
        "import runpy, sys, airflow.sdk\n"
        "for path in sys.argv[1:]: runpy.run_path(path)\n"
        "print(sorted({'boto3', 'botocore', 'google.cloud.storage'} & sys.modules.keys()))"
    )
    files = [str(path) for path in sorted(EXAMPLES.glob("*.py"))]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_readmes_backfill_ends_where_the_schedule_begins() -> None:
    """G4: windows have no gap, nor are there two of one day."""
    command = re.search(r"airflow backfill create --dag-id (\S+) --from-date (\S+) --to-date (\S+)", README)
    assert command is not None
    dag_id, begin, end = command.groups()
    dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(BAG.dags[dag_id]))
    days = (pendulum.instance(datetime.fromisoformat(day), tz="UTC") for day in (begin, end))
    backfill = list(dag.iter_dagrun_infos_between(*days))
    assert dag.start_date is not None
    bounds = TimeRestriction(earliest=pendulum.instance(dag.start_date), latest=None, catchup=True)
    first = first_run(dag.timetable, bounds)
    assert backfill[-1].data_interval is not None
    assert backfill[-1].data_interval.end == first.data_interval.start
    assert len(backfill) == 304
