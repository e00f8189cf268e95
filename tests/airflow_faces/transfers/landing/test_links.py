"""The links of a landing, as the task pushes them."""

from __future__ import annotations

from typing import Any

import pytest
from support.airflow.tasks import context_of, instance_of
from support.airflow.transfer_stores import Store, in_every_store, start

from labelbox_export_provider.airflow_compat import AirflowSkipException
from labelbox_export_provider.links.manifest_page import LabelboxManifestLink
from labelbox_export_provider.testing import FakeLabelbox

KEY: Any = None  # it is not read


@in_every_store
def test_the_manifest_that_a_task_landed_is_linked(
    fake: FakeLabelbox, store: Store, request: pytest.FixtureRequest
) -> None:
    """A directory has the file's address; the servers of the tests are no clouds, so nothing is linked there."""
    task = store.operator(export=start(fake))
    context = context_of("land")
    assert LabelboxManifestLink().get_link(task, ti_key=KEY) == ""
    summary = task.execute(context)
    link = LabelboxManifestLink().get_link(task, ti_key=KEY)
    assert link == (summary["manifest_uri"] if summary["manifest_uri"].startswith("file:") else "")
    assert instance_of(context).xcoms.get("labelbox_manifest_link", "") == link


def test_a_skipped_landing_has_its_manifest_linked(fake: FakeLabelbox, store: Store) -> None:
    """The address is pushed by the task, before the skip."""
    window = {"field": "last_activity_at", "start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}
    handle = start(fake, window={"kind": "fixed", **window})
    context = context_of("land")
    with pytest.raises(AirflowSkipException):
        store.operator(export=handle, on_empty="skip_task").execute(context)
    assert instance_of(context).xcoms["labelbox_manifest_link"].endswith(".empty.json")
