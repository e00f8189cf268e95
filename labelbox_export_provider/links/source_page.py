"""The link from a task to the exported source in Labelbox's web app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseOperatorLink

from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.records.external_export import parse_export
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.execution.failures import project_web_url
from labelbox_export_provider.execution.start import SOURCE_LINK_KEY

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class LabelboxSourceLink(BaseOperatorLink):
    """Opens the source of an export in Labelbox.

    A task that starts an export pushes the address as soon as the export runs, every task at the end of each phase; so
    the button works while tasks are deferred. It is empty for sources whose page is not known.
    """

    key: ClassVar[str] = SOURCE_LINK_KEY

    @property
    def name(self) -> str:
        """Text of the button."""
        return "Labelbox"

    @property
    def xcom_key(self) -> str:
        """The XCom key that Airflow's API reads the address from."""
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the source, or an empty text where none is known.

        A worker calls this at the end of every phase and pushes the result. It is not read from the XCom of the start,
        since Airflow logs an error when an XCom is read that does not exist: after each start that was refused at a
        limit, and in each transfer of an export that another task started.
        """
        del ti_key
        try:
            return _web_url(operator) or ""
        except LabelboxExportError:
            return ""  # the task itself reports what is wrong with its options


def _web_url(operator: BaseOperator) -> str | None:
    export = getattr(operator, "export", None)
    if export is not None:
        found = parse_export(export)
        if found.source is None or found.source.kind != "project":
            return None
        own = getattr(operator, "labelbox_conn_id", None)
        return project_web_url(found.labelbox_conn_id or own, found.source.id)
    source = getattr(operator, "source", None)
    project_id = source.get("project_id") if isinstance(source, Mapping) else getattr(operator, "project_id", None)
    if not isinstance(project_id, str) or is_template(project_id):
        return None
    return project_web_url(getattr(operator, "labelbox_conn_id", None), project_id)
