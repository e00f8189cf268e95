"""Export params: the optional fields of an export, per source, under Labelbox's names and in their wire form."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator

from labelbox_export_provider.domain.options.option_model import OptionModel, as_ids

MediaType = Literal[
    "AUDIO",
    "CONVERSATIONAL",
    "PDF",
    "TMS_GEO",
    "HTML",
    "IMAGE",
    "TMS_SIMPLE",
    "TEXT",
    "VIDEO",
    "POINT_CLOUD",
    "LLM",
]

_WIRE_NAMES = {
    "media_type_override": "mediaTypeOverride",
    "attachments": "includeAttachments",
    "embeddings": "includeEmbeddings",
    "metadata_fields": "includeMetadata",
    "data_row_details": "includeDataRowDetails",
    "project_details": "includeProjectDetails",
    "performance_details": "includePerformanceDetails",
    "label_details": "includeLabelDetails",
    "interpolated_frames": "includeInterpolatedFrames",
    "predictions": "includePredictions",
    "model_run_details": "includeModelRunDetails",
    "project_ids": "projectIds",
    "model_run_ids": "modelRunIds",
    "all_projects": "allProjects",
    "all_model_runs": "allModelRuns",
}

MAX_CONTEXT_IDS = 30
"""Maximum number of entries that Labelbox takes in `project_ids` and in `model_run_ids`."""


def _check_context_ids(ids: tuple[str, ...]) -> tuple[str, ...]:
    if not 0 < len(ids) <= MAX_CONTEXT_IDS:
        raise ValueError(
            f"{len(ids)} entries; there must be 1 to {MAX_CONTEXT_IDS}. Leave the param out for none, or use "
            "all_projects or all_model_runs."
        )
    if any(not entry.strip() for entry in ids):
        raise ValueError("an entry is empty.")
    return ids


ContextIds = Annotated[tuple[str, ...], BeforeValidator(as_ids), AfterValidator(_check_context_ids)]


class ExportParams(OptionModel):
    """Params that every source has. All default to off, which is also what Labelbox does."""

    noun: ClassVar[str] = "export param"
    keyword: ClassVar[str] = "export_params"
    on_request: ClassVar[frozenset[str]] = frozenset()
    """Params that are sent only when they are set, since it is not certain that the source knows them."""

    attachments: bool = False
    metadata_fields: bool = False
    embeddings: bool = False
    data_row_details: bool = False
    media_type_override: MediaType | None = None

    def render(self) -> dict[str, object]:
        """Render the `params` member of the mutation's input: every field of the source, in wire names."""
        rendered: dict[str, object] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value or name not in self.on_request:
                rendered[_WIRE_NAMES[name]] = list(value) if isinstance(value, tuple) else value
        return rendered


class _LabelParams(ExportParams):
    project_details: bool = False
    label_details: bool = False
    performance_details: bool = False
    interpolated_frames: bool = False


class ProjectExportParams(_LabelParams):
    """Params of a project export."""

    owner: ClassVar[str] = "project exports"


class _CatalogParams(_LabelParams):
    """Params of exports that look at data rows across projects and model runs.

    `predictions` is disputed: Labelbox's guide lists it for model runs alone; its own client also sends it for
    datasets, slices and the catalog, where it adds the predictions of the requested model runs.
    """

    predictions: bool = False
    project_ids: ContextIds | None = None
    model_run_ids: ContextIds | None = None
    all_projects: bool = False
    all_model_runs: bool = False


class DatasetExportParams(_CatalogParams):
    """Params of a dataset export. `predictions` is disputed: the guide lists it for model runs alone."""

    owner: ClassVar[str] = "dataset exports"


class CatalogExportParams(_CatalogParams):
    """Params of a catalog export. `predictions` is disputed: the guide lists it for model runs alone."""

    owner: ClassVar[str] = "catalog exports"


class SliceExportParams(_CatalogParams):
    """Params of a slice export. `predictions` is disputed: the guide lists it for model runs alone."""

    owner: ClassVar[str] = "slice exports"


class DataRowsExportParams(_CatalogParams):
    """Params of an export of single data rows. `predictions` is sent only when set: the official client never does."""

    owner: ClassVar[str] = "data row exports"
    on_request: ClassVar[frozenset[str]] = frozenset({"predictions"})


class ModelRunExportParams(ExportParams):
    """Params of a model run export.

    `interpolated_frames` is disputed: the guide lists it, the official client never sends it. It is sent only when set.
    """

    owner: ClassVar[str] = "model run exports"
    on_request: ClassVar[frozenset[str]] = frozenset({"interpolated_frames"})

    predictions: bool = False
    model_run_details: bool = False
    interpolated_frames: bool = False
