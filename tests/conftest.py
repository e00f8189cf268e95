"""The environment that every test sees: no user's Airflow, no user's cloud account, production's own defaults."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long a case takes says how busy the machine is, not whether the case is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_HOME = tempfile.mkdtemp(prefix="labelbox-tests-")

_OF_A_USER = ("AIRFLOW", "_AIRFLOW", "AWS_", "GOOGLE_", "LABELBOX", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")
_OF_THE_TESTS = (
    "LABELBOX_CAMPAIGN",
    "LABELBOX_CHROMIUM",
    "LABELBOX_HISTORIES",
    "LABELBOX_KILLED_LANDINGS",
    "LABELBOX_KILLS",
    "LABELBOX_SEED",
    "LABELBOX_SNAPSHOTS",
    "LABELBOX_STOP_MOMENTS",
    "LABELBOX_WAITS",
    "LABELBOX_PICTURES",
    "LABELBOX_PROJECTS_E2E",
)

for _name in [name for name in os.environ if name.startswith(_OF_A_USER) and not name.startswith(_OF_THE_TESTS)]:
    del os.environ[_name]

# Set before anything imports airflow, which reads its settings once.
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Airflow's unit test mode would turn these on, and hide what a bare cron string does in production.
    "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "False",
    "AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS": "False",
    "AWS_CONFIG_FILE": os.path.join(_HOME, "no-such-file"),  # noqa: PTH118 - a string for the environment
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.path.join(_HOME, "no-such-file"),  # noqa: PTH118 - a string for the environment
    "NO_COLOR": "1",
}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run half as many processes more as there are cores: tests wait for real servers and threads, too."""
    cores = len(os.sched_getaffinity(0))
    return cores + (cores + 1) // 2


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the home that these tests had."""
    shutil.rmtree(_HOME, ignore_errors=True)


_BEGAN = time.time()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how much the judge suites compared, whichever process ran them, and which years were simulated."""
    from support.judge.cases import count_cases

    for line in count_cases(_BEGAN):
        terminalreporter.write_line(line)
    outcomes = [
        (report.nodeid, name) for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())
    ]
    if file := os.environ.get("LABELBOX_CAMPAIGN"):
        from support.campaign import write_campaign

        write_campaign(Path(file), outcomes, time.time() - _BEGAN)
    ended = [node for node, _ in outcomes]
    if seeds := sorted({int(node.rpartition("[")[2].rstrip("]")) for node in ended if "has_no_gap.py::" in node}):
        terminalreporter.write_line(f"simulated years: {len(seeds)}, seeds {seeds[0]} to {seeds[-1]}")
