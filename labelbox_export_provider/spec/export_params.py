"""Which optional fields an export carries, per source, under Labelbox's names and as the wire has them."""

from __future__ import annotations

from typing import ClassVar, Literal

from labelbox_export_provider.spec.option_model import OptionModel

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
}


class ExportParams(OptionModel):
    """Params that every source has. All default to off, which is also what Labelbox does."""

    noun: ClassVar[str] = "export param"

    attachments: bool = False
    metadata_fields: bool = False
    embeddings: bool = False
    data_row_details: bool = False
    media_type_override: MediaType | None = None

    def render(self) -> dict[str, object]:
        """Render the `params` member of the mutation's input: every field of the source, in wire names."""
        return {_WIRE_NAMES[name]: getattr(self, name) for name in type(self).model_fields}


class ProjectExportParams(ExportParams):
    """Params of a project export."""

    owner: ClassVar[str] = "project exports"

    project_details: bool = False
    label_details: bool = False
    performance_details: bool = False
    interpolated_frames: bool = False
