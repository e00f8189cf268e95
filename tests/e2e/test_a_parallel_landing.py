"""Under a real scheduler, one export lands by many tasks: what they land equals what one task lands."""

from __future__ import annotations

import pytest
from support.e2e.stage import LARGE, Stage, ids_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def states(stage: Stage) -> dict[str, str]:
    """The states of all tasks of one run."""
    return stage.states("parallel", stage.run("parallel", timeout=300, project_id=LARGE))


def test_many_tasks_land_what_one_lands(stage: Stage, states: dict[str, str]) -> None:
    """The objects of the group equal those of one transfer, and nothing else is left."""
    assert "failed" not in states.values(), states
    assert len([name for name in states if name.startswith("land.stage[")]) > 1
    many, one = (_objects(stage, f"parallel/{each}/data/") for each in ("many", "one"))
    assert many == one
    assert len(many) > 2
    assert ids_of(stage.stored_rows("parallel/many/data/")) == sorted(stage.labelbox.row_ids(LARGE))
    assert list(stage.store.objects("parallel/many/_staging/")) == []
    assert stage.store.open_uploads() == []


def test_an_export_of_one_object_is_landed_by_the_last_task(stage: Stage, states: dict[str, str]) -> None:
    """Without shards nothing is mapped, and `publish` lands the export all the same."""
    assert (states["small.stage"], states["small.publish"]) == ("skipped", "success")
    assert ids_of(stage.stored_rows("parallel/small/data/")) == sorted(stage.labelbox.row_ids(LARGE))


def test_a_skipped_export_skips_the_group(stage: Stage, states: dict[str, str]) -> None:
    """Where what comes before is skipped, all three tasks are, as a single transfer would be."""
    assert {states[f"skipped.{name}"] for name in ("plan", "stage", "publish")} == {"skipped"}
    assert list(stage.store.objects("parallel/skipped/")) == []


def _objects(stage: Stage, prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(prefix): stage.store.read(name) for name in stage.store.objects(prefix)}
