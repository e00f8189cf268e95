"""Export params and filters as models, for `export_params=` and `filters=`; plain dicts do as well."""

from __future__ import annotations

from labelbox_export_provider.domain.request.export_params import (
    CatalogExportParams,
    DataRowsExportParams,
    DatasetExportParams,
    ModelRunExportParams,
    ProjectExportParams,
    SliceExportParams,
)
from labelbox_export_provider.domain.request.filters import CatalogFilters, DatasetFilters, ProjectFilters

__all__ = [
    "CatalogExportParams",
    "CatalogFilters",
    "DataRowsExportParams",
    "DatasetExportParams",
    "DatasetFilters",
    "ModelRunExportParams",
    "ProjectExportParams",
    "ProjectFilters",
    "SliceExportParams",
]
