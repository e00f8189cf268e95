"""Airflow provider that lands Labelbox exports in a data lake: once, whole, verified.

Public names are loaded on first use, so that parsing a DAG file pays for what it names and nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelbox_export_provider.hooks.labelbox import LabelboxHook
    from labelbox_export_provider.operators.export import ExportOperator, ProjectExportOperator
    from labelbox_export_provider.sensors.export_task import ExportTaskSensor
    from labelbox_export_provider.spec.errors import LabelboxExportError
    from labelbox_export_provider.spec.export_params import ProjectExportParams
    from labelbox_export_provider.spec.filters import ProjectFilters
    from labelbox_export_provider.spec.windows import DataIntervalWindow, FixedWindow
    from labelbox_export_provider.transfers.to_file import LabelboxExportToFileOperator
    from labelbox_export_provider.transfers.to_s3 import LabelboxExportToS3Operator
    from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

_HOMES = {
    "DataIntervalWindow": "spec.windows",
    "ExportOperator": "operators.export",
    "ExportTaskSensor": "sensors.export_task",
    "ExportTaskTrigger": "triggers.export_task",
    "FixedWindow": "spec.windows",
    "LabelboxExportError": "spec.errors",
    "LabelboxExportToFileOperator": "transfers.to_file",
    "LabelboxExportToS3Operator": "transfers.to_s3",
    "LabelboxHook": "hooks.labelbox",
    "ProjectExportOperator": "operators.export",
    "ProjectExportParams": "spec.export_params",
    "ProjectFilters": "spec.filters",
}

__all__ = [
    "DataIntervalWindow",
    "ExportOperator",
    "ExportTaskSensor",
    "ExportTaskTrigger",
    "FixedWindow",
    "LabelboxExportError",
    "LabelboxExportToFileOperator",
    "LabelboxExportToS3Operator",
    "LabelboxHook",
    "ProjectExportOperator",
    "ProjectExportParams",
    "ProjectFilters",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
