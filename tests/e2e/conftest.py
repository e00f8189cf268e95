"""One stage for all end-to-end tests of a session that can share one: starting Airflow takes half a minute.

Tests that start an Airflow of their own come first, so that no two run at a time on a small machine.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.e2e.metrics import MetricsReceiver
from support.e2e.stage import API_KEY, BUCKET, DAYS, FIRST_DAY, LATE, NIGHTLY, NIGHTLY_BUCKET, ROWS, Stage, start
from support.e2e.three_stores import ThreeStores
from support.e2e.users import ADMIN, with_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "dags_examples"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "stage" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Real Airflow with users, behind a path, at log level DEBUG; a fake Labelbox with projects; an empty bucket."""
    from demo.airflow_cluster import AirflowCluster, clean_environment
    from demo.object_store import ObjectStore
    from demo.processes import Processes
    from labelbox_export_provider.testing import FakeLabelbox, FakeUser, generate_rows
    from labelbox_export_provider.testing.object_store import strict_gcs

    home = tmp_path_factory.mktemp("stage")
    dags, windows = home / "dags", home / "windows"
    windows.mkdir()
    shutil.copytree(HERE / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    for example in ("labelbox_project_nightly.py", "labelbox_to_duckdb.py", "labelbox_fill_gaps.py"):
        shutil.copy(EXAMPLES / example, dags)
    rows = [
        row
        for project_id, number in ROWS.items()
        for row in generate_rows(number, start=FIRST_DAY, days=DAYS, project_id=project_id)
    ]
    with (
        FakeLabelbox(rows, user=FakeUser(api_key=API_KEY)) as labelbox,
        strict_gcs() as gcs,
        Processes(home / "servers") as servers,
    ):
        store = ObjectStore(servers, clean_environment(home), BUCKET)
        store.wait()
        three = ThreeStores(store, gcs, home / "shared")
        metrics = MetricsReceiver()
        settings = {
            **metrics.airflow_settings,
            **labelbox.airflow_environment(),
            **three.airflow_environment,
            **with_users(home),
            "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection,
            "LABELBOX_PROJECT_ID": NIGHTLY,
            "LABELBOX_BUCKET": NIGHTLY_BUCKET,
            "LABELBOX_START_DATE": "2100-01-01",
            "LABELBOX_WINDOWS_ROOT": str(windows),
            "LABELBOX_DUCKDB": str(home / "labels.duckdb"),
            "LABELBOX_PREFIX": "gaps",
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        admin = (ADMIN.name, ADMIN.password)
        cluster = AirflowCluster(
            home / "airflow",
            dags,
            env=settings,
            user=admin,
            url_path="/under/a/path",
            executor="support.e2e.late_executor.LateExecutor",
            parallelism=3,
            log_level="DEBUG",
        )
        with cluster as airflow:
            late_report = start(airflow, "late_report", project_id=LATE)
            nightly_store = store.another(NIGHTLY_BUCKET)
            yield Stage(airflow, labelbox, store, nightly_store, three, home, metrics, late_report)
            airflow.check()
        metrics.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, installed if it has to be."""
    from support.e2e.browser import open_browser

    with open_browser() as opened:
        yield opened
