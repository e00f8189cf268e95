"""Airflow as teams run it: CeleryExecutor, Redis, PostgreSQL, and two workers that are processes of their own."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.e2e.celery_servers import postgresql, redis, require_servers
from support.e2e.celery_stage import CeleryStage, celery_settings
from support.e2e.three_stores import BUCKET, ThreeStores

from demo.airflow_cluster import LOSSES_SEEN_SOON, AirflowCluster, clean_environment
from demo.object_store import ObjectStore
from demo.processes import Processes
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.object_store import strict_gcs

TESTS = Path(__file__).parents[1]
PROJECTS = ("clprojectone0000000000000", "clprojecttwo0000000000000")
FILES = Behaviour(streams=StreamLayout(file_bytes=256 * 1024))
"""Eleven of each project and more, so that the first objects are uploaded before the last files arrive."""


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryStage]:
    """Real Airflow with two Celery workers; a fake Labelbox with two projects; empty stores."""
    if importlib.util.find_spec("airflow.providers.celery") is None:
        pytest.skip("These tests have an environment of their own: make e2e-celery")
    require_servers()
    home = tmp_path_factory.mktemp("celery")
    dags = home / "dags"
    shutil.copytree(Path(__file__).parent / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    rows = [row for project_id in PROJECTS for row in generate_rows(3000, project_id=project_id)]
    with (
        FakeLabelbox(rows, behaviour=FILES) as labelbox,
        strict_gcs() as gcs,
        Processes(home / "servers") as servers,
        postgresql() as database,
        redis() as broker,
    ):
        store = ObjectStore(servers, clean_environment(home), BUCKET)
        store.wait()
        three = ThreeStores(store, gcs, home / "shared")
        settings = {
            **LOSSES_SEEN_SOON,
            **labelbox.airflow_environment(),
            **celery_settings(broker, database),
            **three.airflow_environment,
            "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection,
            "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        cluster = AirflowCluster(
            home / "airflow", dags, env=settings, executor="CeleryExecutor", database_url=database, parallelism=8
        )
        with cluster as airflow:
            yield CeleryStage(airflow, labelbox, three)
            airflow.check()
