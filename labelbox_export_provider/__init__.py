"""Airflow provider that lands Labelbox exports in a data lake: once, whole, verified.

Public names are loaded on first use, so that parsing a DAG file pays for what it names and nothing else. More of them:
`labelbox_export_provider.errors`, `.params`, `.client`, `.sinks`, `.testing` and `.triggers.export_task`.
"""

# ruff: noqa: I001

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# For type checkers, which do not read the table below; `as` makes a name public to them.
if TYPE_CHECKING:
    from labelbox_export_provider.client.types import StreamType as StreamType
    from labelbox_export_provider.domain.request.sources import (
        CatalogSource as CatalogSource,
        DataRowsSource as DataRowsSource,
        DatasetSource as DatasetSource,
        ModelRunSource as ModelRunSource,
        ProjectSource as ProjectSource,
        SliceSource as SliceSource,
    )
    from labelbox_export_provider.domain.windows.windows import (
        DataIntervalWindow as DataIntervalWindow,
        FixedWindow as FixedWindow,
        ParamsWindow as ParamsWindow,
        PartitionWindow as PartitionWindow,
    )
    from labelbox_export_provider.errors import LabelboxExportError as LabelboxExportError
    from labelbox_export_provider.execution.task_code import (
        mark_consumed as mark_consumed,
        start_or_adopt as start_or_adopt,
    )
    from labelbox_export_provider.execution.dag_run import window_params as window_params
    from labelbox_export_provider.export_task.task import ExportTask as ExportTask
    from labelbox_export_provider.hooks.labelbox import LabelboxHook as LabelboxHook
    from labelbox_export_provider.operators.base import ExportOperator as ExportOperator
    from labelbox_export_provider.operators.export import (
        CatalogExportOperator as CatalogExportOperator,
        DataRowsExportOperator as DataRowsExportOperator,
        DatasetExportOperator as DatasetExportOperator,
        ModelRunExportOperator as ModelRunExportOperator,
        ProjectExportOperator as ProjectExportOperator,
        SliceExportOperator as SliceExportOperator,
    )
    from labelbox_export_provider.operators.windows_check import (
        LabelboxWindowsCheckOperator as LabelboxWindowsCheckOperator,
    )
    from labelbox_export_provider.sensors.export_task import ExportTaskSensor as ExportTaskSensor
    from labelbox_export_provider.transfers.parallel import parallel_landing as parallel_landing
    from labelbox_export_provider.transfers.to_file import LabelboxExportToFileOperator as LabelboxExportToFileOperator
    from labelbox_export_provider.transfers.to_gcs import LabelboxExportToGCSOperator as LabelboxExportToGCSOperator
    from labelbox_export_provider.transfers.to_s3 import LabelboxExportToS3Operator as LabelboxExportToS3Operator

_PUBLIC_NAMES = {
    "domain.request.sources": (
        "CatalogSource",
        "DataRowsSource",
        "DatasetSource",
        "ModelRunSource",
        "ProjectSource",
        "SliceSource",
    ),
    "domain.windows.windows": ("DataIntervalWindow", "FixedWindow", "ParamsWindow", "PartitionWindow"),
    "execution.task_code": ("mark_consumed", "start_or_adopt"),
    "execution.dag_run": ("window_params",),
    "operators.base": ("ExportOperator",),
    "operators.export": (
        "CatalogExportOperator",
        "DataRowsExportOperator",
        "DatasetExportOperator",
        "ModelRunExportOperator",
        "ProjectExportOperator",
        "SliceExportOperator",
    ),
    "operators.windows_check": ("LabelboxWindowsCheckOperator",),
    "sensors.export_task": ("ExportTaskSensor",),
    "transfers.parallel": ("parallel_landing",),
    "transfers.to_file": ("LabelboxExportToFileOperator",),
    "transfers.to_gcs": ("LabelboxExportToGCSOperator",),
    "transfers.to_s3": ("LabelboxExportToS3Operator",),
    "hooks.labelbox": ("LabelboxHook",),
    "export_task.task": ("ExportTask",),
    "client.types": ("StreamType",),
    "errors": ("LabelboxExportError",),
}
"""Public names by the module that defines them."""
_HOMES = {name: home for home, names in _PUBLIC_NAMES.items() for name in names}

__all__ = sorted(_HOMES)  # noqa: PLE0605  derived, so that there is one list


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
