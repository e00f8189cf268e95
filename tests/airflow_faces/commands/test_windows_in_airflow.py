"""`airflow labelbox windows`: there from Airflow 3.2 on, with Airflow's connections, and free where it is not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers_manager import ProvidersManager
from support.stores.servers import ACCESS_KEY, BUCKET, SECRET_KEY, s3_client
from support.streaming.exports import LandingClient, landing_client
from support.windows_command import DAY, FIRST, PREFIX, Lake, land_nights

from labelbox_export_provider.commands import options
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import strict_s3

HAS_COMMANDS = hasattr(ProvidersManager, "cli_command_functions")
LOADED = """
import json, sys
import airflow.cli.cli_config
import labelbox_export_provider.get_provider_info
before = set(sys.modules)
import labelbox_export_provider.commands.airflow_cli as module
module.get_labelbox_commands()
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_every_command_of_airflow_loads_four_small_modules() -> None:
    """The provider's commands cost other commands of Airflow nothing."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[-1]) == [
        "labelbox_export_provider.commands",
        "labelbox_export_provider.commands.airflow_cli",
        "labelbox_export_provider.commands.estimate_options",
        "labelbox_export_provider.commands.options",
    ]


def test_both_commands_have_the_same_options() -> None:
    """That of Airflow takes a connection as well, and shows its log when asked to."""
    from labelbox_export_provider.commands.airflow_cli import get_labelbox_commands

    [group] = get_labelbox_commands()
    subcommands: Any = getattr(group, "subcommands", ())
    flags = [argument.flags for argument in next(iter(subcommands)).args]
    assert flags == [*(names for names, _ in options.WINDOWS), ("--conn-id",), ("-v", "--verbose")]


@pytest.fixture
def at() -> Iterator[LandingClient]:
    with FakeLabelbox(generate_rows(20)) as fake, landing_client(fake) as client:
        yield client


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A bucket, and two connections: one with its keys, and one with others."""
    with strict_s3() as server:
        extra = {
            "endpoint_url": server.address,
            "region_name": "us-east-1",
            "config_kwargs": {"retries": {"total_max_attempts": 1}},
        }
        connection = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra}
        broken = {**connection, "extra": {**extra, "endpoint_url": "http://127.0.0.1:9"}}
        environment = {"AIRFLOW_CONN_LAKE": json.dumps(connection), "AIRFLOW_CONN_BROKEN": json.dumps(broken)}
        yield Lake(S3Sink(s3_client(server.address), BUCKET), f"s3://{BUCKET}/{PREFIX}", environment)


def airflow(lake: Lake, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, with the lake's connections and a home of its own."""
    environment = {
        **os.environ,
        **lake.environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    command = [sys.executable, "-m", "airflow", "labelbox", "windows", lake.address, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=environment)


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not hasattr(ProvidersManager, "cli_command_functions"), reason="providers have commands from Airflow 3.2 on"
)
def test_through_a_connection_of_airflow(at: LandingClient, lake: Lake, tmp_path: Path) -> None:
    """Table, exit codes and errors are those of the other command, and a connection that is missing is named."""

    project = at.fake.project_id
    land_nights(at, lake.sink, project, [0, 1, 2, 4, 5, 6, 7, 8, 9])
    gap = airflow(lake, tmp_path, "--conn-id", "lake", "--dag-id", "labels_every_night")
    assert gap.returncode == 3, gap.stderr
    assert f"1 window of project:{project}" in gap.stdout
    assert "airflow backfill create --dag-id labels_every_night --from-date" in gap.stdout
    assert "or, where its runs are refused for their interval: airflow dags trigger" in gap.stdout
    land_nights(at, lake.sink, project, [3])
    landed = airflow(lake, tmp_path, "--conn-id", "lake", "--json")
    assert (landed.returncode, json.loads(landed.stdout)["all_landed"]) == (0, True)
    broken = airflow(lake, tmp_path, "--conn-id", "broken")
    assert broken.returncode == 2
    assert "the AWS connection 'broken'" in broken.stderr
    assert SECRET_KEY not in broken.stdout + broken.stderr


RUNS = """
from datetime import datetime
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType
start, end = (datetime.fromisoformat(text) for text in {moments!r})
with create_session() as session:
    for dag_id, until in (("refused", start), ("lost", end)):
        session.add(DagRun(
            dag_id=dag_id, run_id="manual__one", run_type=DagRunType.MANUAL, logical_date=start, run_after=end,
            data_interval=(start, until), state="failed",
        ))
"""


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.skipif(not HAS_COMMANDS, reason="providers have commands from Airflow 3.2 on")
def test_runs_are_looked_up_in_the_database(at: LandingClient, lake: Lake, tmp_path: Path) -> None:
    """A run of no width would be refused again; one that lost its window is run again; both without another way."""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    moments = [(FIRST + number * DAY).isoformat() for number in (3, 4)]
    for program in (["-m", "airflow", "db", "migrate"], ["-c", RUNS.format(moments=moments)]):
        made = subprocess.run(
            [sys.executable, *program], capture_output=True, check=False, timeout=110, env=environment
        )
        assert made.returncode == 0, made.stderr[-3000:]
    land_nights(at, lake.sink, at.fake.project_id, [0, 1, 2, 4, 5, 6, 7, 8, 9])
    ways = {}
    for dag_id in ("refused", "lost", "unknown"):
        done = airflow(lake, tmp_path, "--conn-id", "lake", "--dag-id", dag_id)
        assert done.returncode == 3, done.stderr
        ways[dag_id] = [" ".join(line.split()[:3]) for line in done.stdout.splitlines() if line.startswith("  ")]
    backfill = ["airflow backfill create"]
    assert ways == {"refused": ["airflow dags trigger"], "lost": backfill, "unknown": backfill}
