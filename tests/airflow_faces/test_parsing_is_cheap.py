"""Parsing a DAG file pays for what it names and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

HEAVY = (
    "aiobotocore", "airflow.providers.openlineage.extractors", "boto3", "botocore", "duckdb", "google.cloud",
    "google_crc32c", "graphql", "isal", "moto", "msgspec", "openlineage", "statsd",
)  # fmt: skip
PROGRAM = """
import sys, json
{dag_imports}
before = set(sys.modules)
{imports}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_loaded_by(imports: str, before: str = "") -> set[str]:
    program = PROGRAM.format(imports=imports, dag_imports=before)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_but_itself() -> None:
    loaded = modules_loaded_by("import labelbox_export_provider", before="import __future__, importlib, typing")
    assert loaded == {"labelbox_export_provider"}


def test_importing_the_operators_loads_no_heavy_library() -> None:
    """Importing the operators loads no HTTP, cloud or codec library."""
    names = "ProjectExportOperator, ExportTaskSensor, LabelboxExportToS3Operator, LabelboxExportToFileOperator, "
    names += "LabelboxWindowsCheckOperator"
    # What every Airflow operator needs anyway is loaded before the count begins.
    loaded = modules_loaded_by(
        f"from labelbox_export_provider import {names}",
        before="import airflow.sdk\n"
        "from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator\n"
        "from airflow.sdk.execution_time.xcom import XCom\n"
        "import airflow.triggers.base",
    )
    heavy = {module for module in loaded if module.startswith((*HEAVY, "httpx", "urllib3", "airflow.providers.amazon"))}
    assert heavy == set()


def test_public_names_can_be_loaded_and_no_others() -> None:
    """Every public name can be loaded, and no other name is public."""
    import labelbox_export_provider as package

    assert {name for name in package.__all__ if getattr(package, name) is None} == set()
    assert sorted(package.__all__) == sorted(package._HOMES)
    with pytest.raises(AttributeError):
        package.NoSuchOperator  # noqa: B018  the access is what is tested
