"""Airflow provider that lands Labelbox exports in a data lake: once, whole, verified.

Public names are loaded on first use, so that parsing a DAG file pays for what it names and nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelbox_export_provider.client.http_clients import LabelboxClient
    from labelbox_export_provider.client.settings import ConnectionSettings
    from labelbox_export_provider.client.types import StreamType
    from labelbox_export_provider.domain.request.export_params import (
        CatalogExportParams,
        DataRowsExportParams,
        DatasetExportParams,
        ModelRunExportParams,
        ProjectExportParams,
        SliceExportParams,
    )
    from labelbox_export_provider.domain.request.filters import CatalogFilters, DatasetFilters, ProjectFilters
    from labelbox_export_provider.domain.request.sources import (
        CatalogSource,
        DataRowsSource,
        DatasetSource,
        ModelRunSource,
        ProjectSource,
        SliceSource,
    )
    from labelbox_export_provider.domain.windows.windows import (
        DataIntervalWindow,
        FixedWindow,
        ParamsWindow,
        PartitionWindow,
    )
    from labelbox_export_provider.errors import LabelboxExportError
    from labelbox_export_provider.execution.window_params import window_params
    from labelbox_export_provider.export_task.task import ExportTask
    from labelbox_export_provider.hooks.labelbox import LabelboxHook
    from labelbox_export_provider.operators.base import ExportOperator
    from labelbox_export_provider.operators.export import (
        CatalogExportOperator,
        DataRowsExportOperator,
        DatasetExportOperator,
        ModelRunExportOperator,
        ProjectExportOperator,
        SliceExportOperator,
    )
    from labelbox_export_provider.sensors.export_task import ExportTaskSensor
    from labelbox_export_provider.transfers.to_file import LabelboxExportToFileOperator
    from labelbox_export_provider.transfers.to_gcs import LabelboxExportToGCSOperator
    from labelbox_export_provider.transfers.to_s3 import LabelboxExportToS3Operator
    from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

_HOMES = {
    "CatalogExportOperator": "operators.export",
    "CatalogExportParams": "domain.request.export_params",
    "CatalogFilters": "domain.request.filters",
    "CatalogSource": "domain.request.sources",
    "ConnectionSettings": "client.settings",
    "DataIntervalWindow": "domain.windows.windows",
    "DataRowsExportOperator": "operators.export",
    "DataRowsExportParams": "domain.request.export_params",
    "DataRowsSource": "domain.request.sources",
    "DatasetExportOperator": "operators.export",
    "DatasetExportParams": "domain.request.export_params",
    "DatasetFilters": "domain.request.filters",
    "DatasetSource": "domain.request.sources",
    "ExportOperator": "operators.base",
    "ExportTask": "export_task.task",
    "ExportTaskSensor": "sensors.export_task",
    "ExportTaskTrigger": "triggers.export_task",
    "FixedWindow": "domain.windows.windows",
    "LabelboxClient": "client.http_clients",
    "LabelboxExportError": "errors",
    "LabelboxExportToFileOperator": "transfers.to_file",
    "LabelboxExportToGCSOperator": "transfers.to_gcs",
    "LabelboxExportToS3Operator": "transfers.to_s3",
    "LabelboxHook": "hooks.labelbox",
    "ModelRunExportOperator": "operators.export",
    "ModelRunExportParams": "domain.request.export_params",
    "ModelRunSource": "domain.request.sources",
    "ParamsWindow": "domain.windows.windows",
    "PartitionWindow": "domain.windows.windows",
    "ProjectExportOperator": "operators.export",
    "ProjectExportParams": "domain.request.export_params",
    "ProjectFilters": "domain.request.filters",
    "ProjectSource": "domain.request.sources",
    "SliceExportOperator": "operators.export",
    "SliceExportParams": "domain.request.export_params",
    "SliceSource": "domain.request.sources",
    "StreamType": "client.types",
    "window_params": "execution.window_params",
}

__all__ = [
    "CatalogExportOperator",
    "CatalogExportParams",
    "CatalogFilters",
    "CatalogSource",
    "ConnectionSettings",
    "DataIntervalWindow",
    "DataRowsExportOperator",
    "DataRowsExportParams",
    "DataRowsSource",
    "DatasetExportOperator",
    "DatasetExportParams",
    "DatasetFilters",
    "DatasetSource",
    "ExportOperator",
    "ExportTask",
    "ExportTaskSensor",
    "ExportTaskTrigger",
    "FixedWindow",
    "LabelboxClient",
    "LabelboxExportError",
    "LabelboxExportToFileOperator",
    "LabelboxExportToGCSOperator",
    "LabelboxExportToS3Operator",
    "LabelboxHook",
    "ModelRunExportOperator",
    "ModelRunExportParams",
    "ModelRunSource",
    "ParamsWindow",
    "PartitionWindow",
    "ProjectExportOperator",
    "ProjectExportParams",
    "ProjectFilters",
    "ProjectSource",
    "SliceExportOperator",
    "SliceExportParams",
    "SliceSource",
    "StreamType",
    "window_params",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
