"""The base of the six sources: the shape of the start mutation's input, and how a window becomes part of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator

from labelbox_export_provider.domain.options.option_model import OptionModel
from labelbox_export_provider.domain.request.export_params import ExportParams
from labelbox_export_provider.domain.request.filters import DATE_FILTERS, Filters
from labelbox_export_provider.domain.windows.windows import ResolvedWindow, window_conflict
from labelbox_export_provider.errors import ConfigurationError

SourceKind = Literal["project", "dataset", "slice", "catalog", "model_run", "data_rows"]


def _check_id(text: str) -> str:
    if not text or any(letter.isspace() or not letter.isprintable() for letter in text) or text == "None":
        raise ValueError("an id is needed, as it stands in the web app's address: text without spaces.")
    return text


LabelboxId = Annotated[str, AfterValidator(_check_id)]


class Source(OptionModel):
    """Base of all sources: the shape of the mutation's input, and how a window becomes part of it."""

    keyword: ClassVar[str] = "source"
    mutation: ClassVar[str]
    kind: SourceKind
    export_params: ExportParams
    filters: Filters

    @property
    @abstractmethod
    def id(self) -> str:
        """The id that names this source in handles and object names."""

    @abstractmethod
    def _scope(self, query: list[dict[str, object]]) -> dict[str, object]:
        """Render the `filters` member of the input around the entries of its search query."""

    def web_url(self, app_url: str) -> str | None:
        """Address of the source in the web app; None where none is known."""
        del app_url
        return None

    @classmethod
    def takes_windows(cls) -> bool:
        """Return whether this source can be narrowed by date, and so by a window."""
        filters = cls.model_fields["filters"].annotation
        return "last_activity_at" in getattr(filters, "model_fields", {})

    @classmethod
    def takes_filters(cls) -> bool:
        """Return whether Labelbox lets this source be narrowed by filters."""
        return bool(getattr(cls.model_fields["filters"].annotation, "model_fields", {}))

    def render_input(
        self, *, task_name: str, owner_timezone: str | None, window: ResolvedWindow | None
    ) -> dict[str, Any]:
        """Render the mutation's `input`. A trimmed window turns `data_row_details` on, since trimming reads it."""
        self.refuse_templates()
        query = self.filters.render(owner_timezone)
        params = self.export_params.render()
        if window is not None:
            refuse_window(type(self))
            if getattr(self.filters, window.field) is not None:
                raise ConfigurationError(window_conflict(window.field))
            query.append({"type": DATE_FILTERS[window.field], "value": window.render()})
            if window.trim:
                params["includeDataRowDetails"] = True
        return {
            "taskName": task_name,
            "isStreamableReady": True,
            "streamable": True,
            "filters": self._scope(query),
            "params": params,
        }


def refuse_window(source: type[Source]) -> None:
    """Refuse a window on a source that Labelbox does not let be narrowed by date."""
    if not source.takes_windows():
        owner = source.model_fields["export_params"].annotation
        raise ConfigurationError(
            f"{getattr(owner, 'owner', source.__name__)} take no window=: Labelbox has no date filter for them. Leave "
            "it out and land the whole export, or export the dataset or project instead."
        )


def searched(query: list[dict[str, object]]) -> dict[str, object]:
    """Render the `filters` member of an input that is a search."""
    return {"searchQuery": {"scope": None, "query": query}}
