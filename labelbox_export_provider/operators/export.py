"""Operators that start Labelbox exports, one per source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.request.sources import (
    CatalogSource,
    DataRowsSource,
    DatasetSource,
    ModelRunSource,
    ProjectSource,
    SliceSource,
    Source,
    check_everything,
)
from labelbox_export_provider.execution.default_args import came_by_default, written_first
from labelbox_export_provider.operators.base import ExportOperator


class ProjectExportOperator(ExportOperator):
    """Starts an export of one project: its data rows with their labels in that project."""

    source_model: ClassVar[type[Source]] = ProjectSource
    source_options: ClassVar[tuple[str, ...]] = ("project_id",)
    template_fields: Sequence[str] = (*ExportOperator.template_fields, "project_id")

    def __init__(self, *, project_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self._check_while_parsing()


class DatasetExportOperator(ExportOperator):
    """Starts an export of one dataset, with labels of the projects and model runs that `export_params` name."""

    source_model: ClassVar[type[Source]] = DatasetSource
    source_options: ClassVar[tuple[str, ...]] = ("dataset_id",)
    template_fields: Sequence[str] = (*ExportOperator.template_fields, "dataset_id")

    def __init__(self, *, dataset_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id
        self._check_while_parsing()


class SliceExportOperator(ExportOperator):
    """Starts an export of one slice. A slice is a filter itself: it takes no `filters` and no `window`."""

    source_model: ClassVar[type[Source]] = SliceSource
    source_options: ClassVar[tuple[str, ...]] = ("slice_id",)
    template_fields: Sequence[str] = (*ExportOperator.template_fields, "slice_id")

    def __init__(self, *, slice_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slice_id = slice_id
        self._check_while_parsing()


class CatalogExportOperator(ExportOperator):
    """Starts an export of the catalog, narrowed by `filters` or `window`; all of it only with `everything=True`."""

    source_model: ClassVar[type[Source]] = CatalogSource
    source_options: ClassVar[tuple[str, ...]] = ("everything",)

    def __init__(self, *, everything: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.everything = everything
        self._check_while_parsing()
        check_everything(everything=everything, narrowed=bool(self.filters) or self.window is not None)


class ModelRunExportOperator(ExportOperator):
    """Starts an export of one model run. Labelbox has no filters for it: `filters` and `window` are refused."""

    source_model: ClassVar[type[Source]] = ModelRunSource
    source_options: ClassVar[tuple[str, ...]] = ("model_run_id",)
    template_fields: Sequence[str] = (*ExportOperator.template_fields, "model_run_id")

    def __init__(self, *, model_run_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_run_id = model_run_id
        self._check_while_parsing()


class DataRowsExportOperator(ExportOperator):
    """Starts an export of single data rows, named by exactly one of `data_row_ids` and `global_keys`.

    2,000 at most: for more, map the operator over chunks with `expand()`, as the example
    `labelbox_data_rows_in_chunks.py` does.
    """

    source_model: ClassVar[type[Source]] = DataRowsSource
    source_options: ClassVar[tuple[str, ...]] = ("data_row_ids", "global_keys")
    template_fields: Sequence[str] = (*ExportOperator.template_fields, "data_row_ids", "global_keys")

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
        self._check_while_parsing()
