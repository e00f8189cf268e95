"""A fake Labelbox for people who test their DAGs, as moto is for AWS.

`FakeLabelbox` in a test, the fixtures of `labelbox_export_provider.testing.pytest_plugin` in pytest, and
``python -m labelbox_export_provider.testing`` on the command line. Needs the extra `testing`.
"""

from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.clock import ManualClock
from labelbox_export_provider.testing.data.dataset import generate_rows
from labelbox_export_provider.testing.data.demo_workspace import generate_workspace
from labelbox_export_provider.testing.data.rows import DataRow, read_rows
from labelbox_export_provider.testing.data.streams import StreamLayout
from labelbox_export_provider.testing.data.workspace import Batch, ModelRun, Place, Slice, Workspace
from labelbox_export_provider.testing.exports import StartedExport
from labelbox_export_provider.testing.fake import FakeLabelbox
from labelbox_export_provider.testing.http.request_log import ApiRequest, FileRequest, RequestLog
from labelbox_export_provider.testing.ids import DEMO_DATASET_ID, DEMO_MODEL_RUN_ID, DEMO_PROJECT_ID, DEMO_SLICE_ID

__all__ = [
    "DEMO_DATASET_ID",
    "DEMO_MODEL_RUN_ID",
    "DEMO_PROJECT_ID",
    "DEMO_SLICE_ID",
    "ApiRequest",
    "Batch",
    "Behaviour",
    "DataRow",
    "FakeLabelbox",
    "FakeUser",
    "FileRequest",
    "ManualClock",
    "ModelRun",
    "Place",
    "RequestLog",
    "Slice",
    "StartedExport",
    "StreamLayout",
    "Workspace",
    "generate_rows",
    "generate_workspace",
    "read_rows",
]
