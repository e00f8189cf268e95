"""What can be exported. A source holds its id, params and filters and renders the start mutation's input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from labelbox_export_provider.spec.errors import ConfigurationError
from labelbox_export_provider.spec.export_params import ProjectExportParams
from labelbox_export_provider.spec.filters import DATE_FILTERS, ProjectFilters
from labelbox_export_provider.spec.option_model import OptionModel
from labelbox_export_provider.spec.windows import ResolvedWindow, window_conflict


def _check_id(text: str) -> str:
    if not text or any(letter.isspace() or not letter.isprintable() for letter in text) or text == "None":
        raise ValueError("an id is needed, as it stands in the web app's address: text without spaces.")
    return text


LabelboxId = Annotated[str, AfterValidator(_check_id)]


def check_id(option: str, value: str) -> None:
    """Refuse a literal that cannot be an id, naming the option, while a DAG is parsed."""
    try:
        _check_id(value)
    except ValueError as error:
        raise ConfigurationError(f"{option}={value!r}: {error}") from None


class ProjectSource(OptionModel):
    """One project: its data rows with their labels in that project."""

    noun: ClassVar[str] = "option"
    owner: ClassVar[str] = "a project source"
    mutation: ClassVar[str] = "exportDataRowsInProject"

    kind: Literal["project"] = "project"
    project_id: LabelboxId
    export_params: ProjectExportParams = Field(default_factory=ProjectExportParams)
    filters: ProjectFilters = Field(default_factory=ProjectFilters)

    @property
    def id(self) -> str:
        """What names this source in handles and object names."""
        return self.project_id

    def page(self, app_url: str) -> str:
        """Address of the project in the web app."""
        return f"{app_url.rstrip('/')}/projects/{self.project_id}"

    def render_input(
        self, *, task_name: str, owner_timezone: str | None, window: ResolvedWindow | None
    ) -> dict[str, Any]:
        """Render the mutation's `input`. A trimmed window turns `data_row_details` on, since trimming reads it."""
        query = self.filters.render(owner_timezone)
        params = self.export_params.render()
        if window is not None:
            if getattr(self.filters, window.field) is not None:
                raise ConfigurationError(window_conflict(window.field))
            query.append({"type": DATE_FILTERS[window.field], "value": window.render()})
            if window.trim:
                params["includeDataRowDetails"] = True
        return {
            "taskName": task_name,
            "isStreamableReady": True,
            "streamable": True,
            "filters": {"projectId": self.project_id, "searchQuery": {"scope": None, "query": query}},
            "params": params,
        }


def digest(value: object) -> str:
    """Hash a JSON value in canonical form, as `sha256:<hex>`."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def query_digest(mutation_input: Mapping[str, Any]) -> str:
    """Hash what was asked for, without the task name, so that two exports of the same question compare equal."""
    return digest({"filters": mutation_input["filters"], "params": mutation_input["params"]})


def condensed_query(mutation_input: Mapping[str, Any], longest: int = 20) -> dict[str, Any]:
    """Give the question for people to read; an id list longer than `longest` becomes a count and a digest."""

    def condense(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: condense(item) for name, item in value.items()}
        if isinstance(value, list) and len(value) > longest and all(isinstance(item, str) for item in value):
            return {"count": len(value), "digest": digest(value)}
        return [condense(item) for item in value] if isinstance(value, list) else value

    return {"filters": condense(mutation_input["filters"]), "params": condense(mutation_input["params"])}


def request_fingerprint(mutation: str, mutation_input: Mapping[str, Any], endpoint: str, organization_id: str) -> str:
    """Hash what an export is: mutation, input without the task name, endpoint and organization."""
    unnamed = {name: value for name, value in mutation_input.items() if name != "taskName"}
    return digest({"mutation": mutation, "input": unnamed, "endpoint": endpoint, "organization": organization_id})
