"""Under a real scheduler, one export lands by many tasks: what they land equals what one task lands."""

from __future__ import annotations

import pytest
from support.e2e.stage import LARGE, Stage, ids_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_many_tasks_land_what_one_lands(stage: Stage) -> None:
    """The objects of the group equal those of one transfer, and nothing else is left."""
    run_id = stage.run("parallel", timeout=300, project_id=LARGE)
    states = stage.states("parallel", run_id)
    assert set(states.values()) == {"success"}, stage.explain("parallel", run_id)
    assert len([name for name in states if name.startswith("land.stage[")]) > 1

    many, one = (_objects(stage, f"parallel/{each}/data/") for each in ("many", "one"))
    assert many == one
    assert len(many) > 2
    assert ids_of(stage.stored_rows("parallel/many/data/")) == sorted(stage.labelbox.row_ids(LARGE))
    assert list(stage.store.objects("parallel/many/_staging/")) == []
    assert stage.store.open_uploads() == []
    xcoms = stage.airflow.api.xcoms("parallel", run_id, "land.publish")
    assert xcoms["return_value"]["rows"] == len(stage.labelbox.row_ids(LARGE))


def _objects(stage: Stage, prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): stage.store.read(name) for name in stage.store.objects(prefix)}
