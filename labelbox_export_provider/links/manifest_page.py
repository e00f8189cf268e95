"""The link from a task to the manifest that it landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

MANIFEST_LINK_KEY = "labelbox_manifest_link"
"""XCom key of the address of the landed manifest's page."""


class LabelboxManifestLink(BaseOperatorLink):
    """Opens the landed manifest in the console of its store.

    For a directory it has the file's address, for which Airflow 3.3 shows no button: it is no web page.
    The transfer pushes the address once the manifest is there. It is empty before, and for a store without a console,
    such as one with the protocol of S3 at an endpoint of its own.
    """

    key: ClassVar[str] = MANIFEST_LINK_KEY

    @property
    def name(self) -> str:
        """Text of the button."""
        return "Landed manifest"

    @property
    def xcom_key(self) -> str:
        """The XCom key that Airflow's API reads the address from."""
        return self.key

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the manifest that this phase of the task has landed, or an empty text.

        A worker calls this at the end of every phase, on the task that ran, and pushes the result.
        """
        del ti_key
        return getattr(getattr(operator, "landed", None), "page", None) or ""
