"""The six sources. A source holds its id, params and filters and renders the start mutation's input.

Constructors are spelled out for type checkers, which would refuse a dict for the model that a field holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator
from typing_extensions import Self

from labelbox_export_provider.domain.request.export_params import (
    CatalogExportParams,
    DataRowsExportParams,
    DatasetExportParams,
    ModelRunExportParams,
    ProjectExportParams,
    SliceExportParams,
)
from labelbox_export_provider.domain.request.filters import (
    CatalogFilters,
    DatasetFilters,
    Ids,
    NoDataRowsFilters,
    NoModelRunFilters,
    NoSliceFilters,
    ProjectFilters,
)
from labelbox_export_provider.domain.request.query import digest
from labelbox_export_provider.domain.request.source import LabelboxId, Source, searched
from labelbox_export_provider.domain.windows.windows import ResolvedWindow
from labelbox_export_provider.errors import ConfigurationError

GivenOptions: TypeAlias = Mapping[str, Any] | str
"""What a source takes instead of a model: a mapping, or text that is JSON or a template."""


class ProjectSource(Source):
    """One project: its data rows with their labels in that project."""

    owner: ClassVar[str] = "a project source"
    mutation: ClassVar[str] = "exportDataRowsInProject"

    kind: Literal["project"] = "project"
    project_id: LabelboxId
    export_params: ProjectExportParams = Field(default_factory=ProjectExportParams)
    filters: ProjectFilters = Field(default_factory=ProjectFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            project_id: str,
            export_params: ProjectExportParams | GivenOptions = ...,
            filters: ProjectFilters | GivenOptions = ...,
            kind: Literal["project"] = ...,
        ) -> None: ...

    @property
    def id(self) -> str:
        """The project's id."""
        return self.project_id

    def web_url(self, app_url: str) -> str:
        """Address of the project in the web app."""
        return f"{app_url.rstrip('/')}/projects/{self.project_id}"

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        return {"projectId": self.project_id, **searched(query)}


class DatasetSource(Source):
    """One dataset: its data rows, with labels of the projects and model runs that the params name."""

    owner: ClassVar[str] = "a dataset source"
    mutation: ClassVar[str] = "exportDataRowsInCatalog"

    kind: Literal["dataset"] = "dataset"
    dataset_id: LabelboxId
    export_params: DatasetExportParams = Field(default_factory=DatasetExportParams)
    filters: DatasetFilters = Field(default_factory=DatasetFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            dataset_id: str,
            export_params: DatasetExportParams | GivenOptions = ...,
            filters: DatasetFilters | GivenOptions = ...,
            kind: Literal["dataset"] = ...,
        ) -> None: ...

    @property
    def id(self) -> str:
        """The dataset's id."""
        return self.dataset_id

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        return searched([*query, {"ids": [self.dataset_id], "operator": "is", "type": "dataset"}])


class SliceSource(Source):
    """One slice of the catalog: a saved filter, which takes no others."""

    owner: ClassVar[str] = "a slice source"
    mutation: ClassVar[str] = "exportDataRowsInSlice"

    kind: Literal["slice"] = "slice"
    slice_id: LabelboxId
    export_params: SliceExportParams = Field(default_factory=SliceExportParams)
    filters: NoSliceFilters = Field(default_factory=NoSliceFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            slice_id: str,
            export_params: SliceExportParams | GivenOptions = ...,
            filters: NoSliceFilters | GivenOptions = ...,
            kind: Literal["slice"] = ...,
        ) -> None: ...

    @property
    def id(self) -> str:
        """The slice's id."""
        return self.slice_id

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        del query
        return {"sliceId": self.slice_id}


class CatalogSource(Source):
    """The catalog, narrowed by filters or a window; the whole catalog only with `everything=True`."""

    owner: ClassVar[str] = "a catalog source"
    mutation: ClassVar[str] = "exportDataRowsInCatalog"

    kind: Literal["catalog"] = "catalog"
    everything: bool = False
    export_params: CatalogExportParams = Field(default_factory=CatalogExportParams)
    filters: CatalogFilters = Field(default_factory=CatalogFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            everything: bool = False,
            export_params: CatalogExportParams | GivenOptions = ...,
            filters: CatalogFilters | GivenOptions = ...,
            kind: Literal["catalog"] = ...,
        ) -> None: ...

    @property
    def id(self) -> str:
        """There is one catalog."""
        return "all"

    def render_input(
        self, *, task_name: str, owner_timezone: str | None, window: ResolvedWindow | None
    ) -> dict[str, Any]:
        """Render the input; refuses an unfiltered export that was not asked for by `everything=True`."""
        rendered = super().render_input(task_name=task_name, owner_timezone=owner_timezone, window=window)
        narrowed = bool(rendered["filters"]["searchQuery"]["query"])
        check_everything(everything=self.everything, narrowed=narrowed)
        return rendered

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        return searched(query)


def check_everything(*, everything: bool, narrowed: bool) -> None:
    """Refuse an unfiltered catalog export without `everything=True`, and a filtered one with it."""
    if everything == narrowed:
        raise ConfigurationError(
            "everything=True contradicts the filters or the window: leave one of them out."
            if everything
            else "Without filters or a window this would export the whole catalog of the organization. "
            "Set everything=True if that is intended, or narrow it with filters= or window=."
        )


class ModelRunSource(Source):
    """One model run: its data rows with labels and, on request, predictions."""

    owner: ClassVar[str] = "a model run source"
    mutation: ClassVar[str] = "exportDataRowsInModelRun"

    kind: Literal["model_run"] = "model_run"
    model_run_id: LabelboxId
    export_params: ModelRunExportParams = Field(default_factory=ModelRunExportParams)
    filters: NoModelRunFilters = Field(default_factory=NoModelRunFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            model_run_id: str,
            export_params: ModelRunExportParams | GivenOptions = ...,
            filters: NoModelRunFilters | GivenOptions = ...,
            kind: Literal["model_run"] = ...,
        ) -> None: ...

    @property
    def id(self) -> str:
        """The model run's id."""
        return self.model_run_id

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        del query
        return {"modelRunId": self.model_run_id}


class DataRowsSource(Source):
    """Single data rows, named by their ids or by their global keys: exactly one of the two lists, 2,000 at most."""

    owner: ClassVar[str] = "a data rows source"
    mutation: ClassVar[str] = "exportDataRowsInCatalog"

    kind: Literal["data_rows"] = "data_rows"
    data_row_ids: Ids | None = None
    global_keys: Ids | None = None
    export_params: DataRowsExportParams = Field(default_factory=DataRowsExportParams)
    filters: NoDataRowsFilters = Field(default_factory=NoDataRowsFilters)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            data_row_ids: Sequence[str] | str | None = None,
            global_keys: Sequence[str] | str | None = None,
            export_params: DataRowsExportParams | GivenOptions = ...,
            filters: NoDataRowsFilters | GivenOptions = ...,
            kind: Literal["data_rows"] = ...,
        ) -> None: ...

    @model_validator(mode="after")
    def _exactly_one_list(self) -> Self:
        if (self.data_row_ids is None) == (self.global_keys is None):
            given = "neither is" if self.data_row_ids is None else "both are"
            raise ValueError(f"exactly one of 'data_row_ids' and 'global_keys' is needed; {given} given.")
        return self

    @property
    def id(self) -> str:
        """Number and digest of the ids, since a list of two thousand would be unreadable."""
        ids = self.data_row_ids or self.global_keys or ()
        return f"{len(ids)}-{digest(sorted(ids)).removeprefix('sha256:')[:12]}"

    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        del query
        kind, ids = ("data_row_id", self.data_row_ids) if self.data_row_ids else ("global_key", self.global_keys)
        return searched([{"ids": list(ids or ()), "operator": "is", "type": kind}])


AnySource: TypeAlias = ProjectSource | DatasetSource | SliceSource | CatalogSource | ModelRunSource | DataRowsSource
SOURCES: dict[str, type[Source]] = {
    str(model.model_fields["kind"].default): model
    for model in (ProjectSource, DatasetSource, SliceSource, CatalogSource, ModelRunSource, DataRowsSource)
}
"""The six sources by their kind."""
