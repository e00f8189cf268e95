"""G6: the API key goes to the GraphQL endpoint and nowhere else; signed URLs are as secret as keys."""

from __future__ import annotations

import pytest
from support.e2e.secrets import places_in_database, places_in_files
from support.e2e.stage import API_KEY, TALKING, Stage

from labelbox_export_provider.testing.faults import FailedExport, RefusedFile, SlowExport

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SIGNATURE = "X-Goog-Signature="
"""A signed URL cannot be spelled without it."""


def test_key_and_signed_urls_are_nowhere(stage: Stage) -> None:
    """The API key goes to the GraphQL endpoint and nowhere else.

    Neither key nor signed URL is in any log table template or XCom of a run.
    """
    labelbox, airflow = stage.labelbox, stage.airflow
    labelbox.faults.add(
        SlowExport(source_id=TALKING, seconds=5), RefusedFile(), FailedExport(source_id=TALKING, after=1)
    )
    run_id = stage.start("chain", project_id=TALKING, prefix="chain/secrets")
    airflow.api.wait_for_task("chain", run_id, "wait", states={"deferred"})
    assert places_in_database(airflow.database, ["ExportTaskTrigger"]) == ["trigger.classpath"]
    assert places_in_database(airflow.database, [API_KEY, SIGNATURE]) == []
    airflow.api.wait_for_run("chain", run_id)
    assert set(stage.states("chain", run_id).values()) == {"success"}, stage.explain("chain", run_id)
    failed = stage.run("chain", project_id=TALKING, prefix="chain/secrets-failed")
    assert stage.states("chain", failed)["wait"] == "failed"
    assert labelbox.requests.files[-1].status == 200
    assert not any(request.had_authorization or request.had_cookie for request in labelbox.requests.files)
    for component in ("triggerer", "scheduler"):
        assert "[debug" in (airflow.home / f"{component}.log").read_text()
    assert any(line.startswith("debug") for line in airflow.api.log("chain", run_id, "land"))

    assert places_in_database(airflow.database, [API_KEY, SIGNATURE]) == []
    assert places_in_files(airflow.home, [API_KEY, SIGNATURE]) == []
    for task in ("start", "wait", "land"):
        shown = [
            *airflow.api.log("chain", run_id, task),
            str(airflow.api.xcoms("chain", run_id, task)),
            str(airflow.api.rendered("chain", run_id, task)),
            str(airflow.api.links("chain", run_id, task)),
        ]
        assert not any(secret in text for text in shown for secret in (API_KEY, SIGNATURE))
    for key in stage.store.objects("chain/secrets"):
        assert API_KEY.encode() not in stage.store.read(key)


def test_the_same_search_finds_a_planted_leak(stage: Stage) -> None:
    half = "planted-leak-7f1c"
    run_id = stage.run("leak", half=half)
    assert places_in_database(stage.airflow.database, [half * 2]) == ["xcom.value"]
    found = places_in_files(stage.airflow.home, [half * 2])
    assert any(run_id in place and "attempt=1.log" in place for place in found), found
    assert any(place.startswith("airflow.db") for place in found), found
