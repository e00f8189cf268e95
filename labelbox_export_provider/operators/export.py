"""Operators that start Labelbox exports, one per source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.request.sources import (
    CatalogSource,
    DataRowsSource,
    DatasetSource,
    ModelRunSource,
    ProjectSource,
    SliceSource,
    check_everything,
)
from labelbox_export_provider.execution.options import came_by_default, written_first
from labelbox_export_provider.operators.base import ExportOperator


class ProjectExportOperator(ExportOperator, source=ProjectSource):
    """Starts an export of one project: its data rows with their labels in that project."""

    def __init__(self, *, project_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id


class DatasetExportOperator(ExportOperator, source=DatasetSource):
    """Starts an export of one dataset, with labels of the projects and model runs that `export_params` name."""

    def __init__(self, *, dataset_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id


class SliceExportOperator(ExportOperator, source=SliceSource):
    """Starts an export of one slice. A slice is a filter itself: it takes no `filters` and no `window`."""

    def __init__(self, *, slice_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slice_id = slice_id


class CatalogExportOperator(ExportOperator, source=CatalogSource):
    """Starts an export of the catalog, narrowed by `filters` or `window`; all of it only with `everything=True`."""

    def __init__(self, *, everything: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.everything = everything

    def _check_options(self) -> None:
        super()._check_options()
        check_everything(everything=self.everything, narrowed=bool(self.filters) or self.window is not None)


class ModelRunExportOperator(ExportOperator, source=ModelRunSource):
    """Starts an export of one model run. Labelbox has no filters for it: `filters` and `window` are refused."""

    def __init__(self, *, model_run_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_run_id = model_run_id


class DataRowsExportOperator(ExportOperator, source=DataRowsSource):
    """Starts an export of single data rows, named by exactly one of `data_row_ids` and `global_keys`.

    2,000 at most: for more, map the operator over chunks with `expand()`, as the example
    `labelbox_data_rows_in_chunks.py` does.
    """

    def __init__(
        self,
        *,
        data_row_ids: Sequence[str] | str | None = None,
        global_keys: Sequence[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        ids = {"data_row_ids": data_row_ids, "global_keys": global_keys}
        data_row_ids, global_keys = written_first(came_by_default(kwargs, **ids), **ids)
        self.data_row_ids = plain(data_row_ids)
        self.global_keys = plain(global_keys)
