"""The lineage of a transfer, for OpenLineage where it is installed; this module imports nothing of it.

OpenLineage looks for these methods by name and calls them in the worker. Its classes are in `openlineage_events.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperator

from labelbox_export_provider.domain.records.external_export import parse_export
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.hooks.labelbox import LabelboxHook

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from labelbox_export_provider.domain.records.handle import SourceName
    from labelbox_export_provider.domain.request.source import Source
    from labelbox_export_provider.transfers.announcement import Landing


class ReportsLineage(BaseOperator):
    """A transfer that names what it reads and what it has landed."""

    export: Any
    labelbox_conn_id: str | None
    landed: Landing | None

    @abstractmethod
    def _source(self) -> Source:
        """Return the source that the task itself exports."""

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Return the source as the input."""
        from labelbox_export_provider.transfers.openlineage_events import lineage_of

        return lineage_of(*self._read_from(), self.landed)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the source, and what this phase of the task has landed; OpenLineage asks after a failure, too."""
        del task_instance
        return self.get_openlineage_facets_on_start()

    def _read_from(self) -> tuple[str | None, str | None]:
        """Return host and name of the source, as far as the options have them; a failure is the task's to report."""
        try:
            export = None if self.export is None else parse_export(self.export)
            source: Source | SourceName | None = self._source() if export is None else export.source
            conn_id = (None if export is None else export.labelbox_conn_id) or self.labelbox_conn_id
            settings = LabelboxHook(conn_id or LabelboxHook.default_conn_name).settings
        except LabelboxExportError:
            return None, None
        return urlsplit(settings.endpoint).hostname, None if source is None else f"{source.kind}/{source.id}"
