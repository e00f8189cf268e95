"""docs/transfers.md names every option of the transfers with its default, and the pages' single snippets run."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from labelbox_export_provider import (
    DataIntervalWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    LabelboxHook,
    ProjectSource,
)
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.streaming.pipeline.memory_plan import (
    DEFAULT_WORKERS,
    MAX_PART,
    MIB,
)
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

DOCS = Path(__file__).parents[2] / "docs"
TABLES = dict(
    re.findall(
        r"<!-- made from the code: (\w+) -->\n\n(.*?)\n\n<!-- end -->",
        (DOCS / "transfers.md").read_text(),
        re.DOTALL,
    )
)
OPERATORS: dict[str, Any] = {
    "transfers": LabelboxExportTransferOperator,
    "s3": LabelboxExportToS3Operator,
    "gcs": LabelboxExportToGCSOperator,
    "file": LabelboxExportToFileOperator,
}
IN_MIB = {"512 MiB", "128 MiB"}


@pytest.mark.parametrize("part", OPERATORS)
def test_every_option_is_in_its_table_with_its_default(part: str) -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| ?(.*?) ?\|", TABLES[part], re.MULTILINE))
    taken = {
        name: parameter.default
        for name, parameter in inspect.signature(OPERATORS[part].__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert list(shown) == list(taken)
    for name, default in taken.items():
        if shown[name] in IN_MIB:
            assert default == int(shown[name].partition(" ")[0]) * 1024**2
        elif default is not None:
            assert shown[name].strip("`") == (f'"{default}"' if isinstance(default, str) else repr(default)), name


def test_defaults_that_are_set_later_are_those_of_the_table() -> None:
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", TABLES["transfers"], re.MULTILINE))
    task = LabelboxExportToFileOperator(task_id="t", source={"kind": "project", "project_id": "p"}, root="/")
    assert shown["labelbox_conn_id"] == f'`"{LabelboxHook.default_conn_name}"`'
    assert shown["workers"] == f"up to {DEFAULT_WORKERS}"
    assert shown["part_bytes"] == f"up to {MAX_PART // MIB} MiB"
    wait_limits = task.wait_limits
    assert (shown["poke_interval"], wait_limits.poke_interval) == ("5 seconds", timedelta(seconds=5))
    assert (shown["timeout"], wait_limits.timeout) == ("7 days", timedelta(days=7))
    assert (shown["limit_timeout"], wait_limits.limit_timeout) == ("6 hours", timedelta(hours=6))


def test_the_snippet_of_a_folder_builds_the_task() -> None:
    [snippet] = re.findall(r"```python\n(.*?)```", (DOCS / "into-a-folder.md").read_text(), re.DOTALL)
    names = {"ProjectSource": ProjectSource, "DataIntervalWindow": DataIntervalWindow}
    task = eval(snippet, {**names, "LabelboxExportToFileOperator": LabelboxExportToFileOperator})
    assert task.root == "/data/labelbox"


def test_the_snippet_of_a_source_in_a_transfer_builds_the_task() -> None:
    snippet, *_ = re.findall(r"```python\n(.*?)```", (DOCS / "sources.md").read_text(), re.DOTALL)
    made: dict[str, Any] = {}
    exec(snippet, made)
    assert made["land"].source["dataset_id"] == "cldatasetdemo000000000000"


def test_the_snippet_of_an_own_operator_is_checked() -> None:
    """The operator that docs/sources.md shows is constructed, and refuses a bad setting while the DAG is parsed."""
    snippet = re.findall(r"```python\n(.*?)```", (DOCS / "sources.md").read_text(), re.DOTALL)[1]
    made: dict[str, Any] = {"__name__": "own"}
    exec(snippet, made)
    assert made["TeamExportOperator"](task_id="start", project_id="clp1").export_params == {"attachments": True}
    with pytest.raises(ConfigurationError, match="project_id"):
        made["TeamExportOperator"](task_id="start", project_id="two words")


def test_the_snippet_of_an_export_of_somebody_else_builds_the_tasks() -> None:
    """The dict of the page passes the parse, and the transfer takes what the sensor returns."""
    *_, snippet = re.findall(r"```python\n(.*?)```", (DOCS / "sources.md").read_text(), re.DOTALL)
    made: dict[str, Any] = {}
    with DAG("any", schedule=None):
        exec(snippet, made)
    assert made["land"].upstream_task_ids == {"wait"}
