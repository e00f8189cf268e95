"""Without OpenLineage there is no lineage, and a landing needs nothing of it."""

from __future__ import annotations

import sys

import pytest
from support.airflow.tasks import context_of
from support.airflow.transfer_stores import Store, in_every_store, start

from labelbox_export_provider.testing import FakeLabelbox

OWN = "labelbox_export_provider.transfers.openlineage_events"
ABSENT = ("openlineage", "openlineage.client", "airflow.providers.openlineage")


@in_every_store
def test_a_landing_without_openlineage(fake: FakeLabelbox, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task lands as ever; only what OpenLineage itself would call needs it."""
    for name in list(sys.modules):
        if name.startswith(ABSENT):
            monkeypatch.delitem(sys.modules, name)
    for name in ABSENT:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, OWN, raising=False)
    task = store.operator(export=start(fake))
    task.execute(context_of("land"))
    [manifest] = store.manifests()
    assert manifest.rows_landed > 0
    assert OWN not in sys.modules
    with pytest.raises(ImportError, match="openlineage"):
        task.get_openlineage_facets_on_start()
