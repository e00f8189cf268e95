"""What an older Airflow lacks is reported where an option needs it; a missing provider while the DAG is parsed."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.api.datamodels._generated import DagRun
from airflow.triggers.base import BaseTrigger
from support.airflow.tasks import StateStore, context_of

from labelbox_export_provider import (
    ExportTaskSensor,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    LabelboxHook,
    ParamsWindow,
    PartitionWindow,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import AirflowFailException, TaskDeferred
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import SlowExport


@pytest.fixture
def airflow_before_3_3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow without what 3.3 brought, whichever is installed."""
    fields = {name: field for name, field in DagRun.model_fields.items() if not name.startswith("partition")}
    monkeypatch.setattr(DagRun, "__pydantic_fields__", fields)
    if hasattr(BaseTrigger, "on_kill"):
        monkeypatch.delattr(BaseTrigger, "on_kill")


@pytest.mark.usefixtures("airflow_before_3_3")
def test_cancel_on_kill_without_effect_is_logged(fake: FakeLabelbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Below 3.3 triggers have no `on_kill`, so the option does nothing."""
    fake.faults.add(SlowExport())
    handle = ProjectExportOperator(task_id="start", project_id=fake.project_id).execute(context_of(store=StateStore()))
    for asked, warnings in ((False, 0), (True, 1)):
        with pytest.raises(TaskDeferred):
            ExportTaskSensor(task_id=f"wait_{asked}", export=handle, cancel_on_kill=asked).execute(context_of("wait"))
        assert capsys.readouterr().out.count("cancel_on_kill=True has no effect") == warnings


@pytest.mark.usefixtures("airflow_before_3_3")
@pytest.mark.parametrize("wrap", [lambda window: window, lambda window: ParamsWindow(otherwise=window)])
def test_a_partition_window_names_the_airflow_it_needs(fake: FakeLabelbox, wrap: Any) -> None:
    """Below 3.3 no run has a partition date, so another timetable would not help."""
    window = wrap(PartitionWindow(width=86400))
    task = ProjectExportOperator(task_id="start", project_id=fake.project_id, window=window)
    with pytest.raises(AirflowFailException, match=r"they come with Airflow 3\.3\.\sUpgrade it, or use"):
        task.execute(context_of())


def test_a_trigger_reads_the_extra_on_every_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below 3.3.2 a connection has no asynchronous extra; its settings must not be left out for that."""
    monkeypatch.setenv("AIRFLOW_CONN_OLD", '{"conn_type": "labelbox", "password": "key", "extra": {"timeout": 7}}')
    assert asyncio.run(LabelboxHook.async_settings("old")).timeout == 7
    if hasattr(Connection, "aextra_dejson"):
        monkeypatch.delattr(Connection, "aextra_dejson")
        assert asyncio.run(LabelboxHook.async_settings("old")).timeout == 7


@pytest.mark.parametrize(
    ("operator", "extra", "target"),
    [
        (LabelboxExportToS3Operator, "amazon", {"s3_bucket": "lake", "s3_prefix": "/"}),
        (LabelboxExportToGCSOperator, "google", {"bucket_name": "lake", "object_prefix": "/"}),
    ],
)
def test_a_missing_extra_is_told_while_parsing(
    monkeypatch: pytest.MonkeyPatch, operator: Any, extra: str, target: dict[str, str]
) -> None:
    """The message names the extra to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "labelbox_export_provider.execution.extras.find_spec",
        lambda name: None if name == f"airflow.providers.{extra}" else find(name),
    )
    with pytest.raises(ConfigurationError, match=rf"airflow-provider-labelbox-export\[{extra}\]"):
        operator(task_id="land", export="{{ ti.xcom_pull('wait') }}", **target)
