"""Under a real scheduler, one export lands by many tasks: what they land equals what one task lands."""

from __future__ import annotations

import pytest
from support.e2e.stage import LARGE, Stage, ids_of
from support.e2e.three_stores import NAMES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def states(stage: Stage) -> dict[str, str]:
    """The states of all tasks of one run."""
    run_id = stage.run("parallel", timeout=300, project_id=LARGE, root=str(stage.three.root))
    states = stage.states("parallel", run_id)
    assert "failed" not in states.values(), stage.explain("parallel", run_id)
    return states


def test_many_tasks_land_what_one_lands(stage: Stage, states: dict[str, str]) -> None:
    """In S3, GCS and a directory, the group's objects and manifest equal those of a transfer; nothing else is left."""
    for store in NAMES:
        assert [states[f"{store}.stage[{index}]"] for index in (0, 1)] == ["success", "success"]
    [export_id] = [each.export_id for each in stage.labelbox.exports if each.source_id == LARGE]
    stage.three.check_landed(stage.labelbox.expected_rows(export_id))


def test_an_export_of_one_object_is_landed_by_the_last_task(stage: Stage, states: dict[str, str]) -> None:
    """Without shards nothing is mapped, and `publish` lands the export all the same."""
    assert (states["small.stage"], states["small.publish"]) == ("skipped", "success")
    assert ids_of(stage.stored_rows("parallel/small/data/")) == sorted(stage.labelbox.row_ids(LARGE))


def test_a_skipped_export_skips_the_group(stage: Stage, states: dict[str, str]) -> None:
    """Where what comes before is skipped, all three tasks are, as a single transfer would be."""
    assert {states[f"skipped.{name}"] for name in ("plan", "stage", "publish")} == {"skipped"}
    assert list(stage.store.objects("parallel/skipped/")) == []
