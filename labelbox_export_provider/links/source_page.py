"""Link from a task to the exported source in Labelbox's web app."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseOperatorLink

from labelbox_export_provider.airflow_compat import XCom
from labelbox_export_provider.hooks.starts import SOURCE_LINK_KEY

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class LabelboxSourceLink(BaseOperatorLink):
    """Opens the source of an export in Labelbox.

    The start task pushes the address as soon as the export runs, so the button works while downstream tasks wait. It is
    empty for sources without a page of their own.
    """

    key: ClassVar[str] = SOURCE_LINK_KEY

    @property
    def name(self) -> str:
        """Text of the button."""
        return "Labelbox"

    @property
    def xcom_key(self) -> str:
        """Where Airflow's API reads the address."""
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Give the address that the task pushed, or an empty text when it has not come so far."""
        del operator
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""
