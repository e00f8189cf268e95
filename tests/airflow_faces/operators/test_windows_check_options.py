"""The options of the check of windows: every form they may have, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.airflow.window_checks import P2, Check, put_nights
from support.airflow.worker_clock import WorkerClock
from support.window_names import DAY, FIRST, PREFIX

from labelbox_export_provider import LabelboxWindowsCheckOperator, ProjectSource
from labelbox_export_provider.airflow_compat import AirflowFailException
from labelbox_export_provider.errors import (
    ConfigurationError,
)


@pytest.mark.parametrize(
    "sources",
    [
        ["project:clp1"],
        [ProjectSource(project_id="clp1", export_params={"attachments": True})],
        [{"kind": "project", "project_id": "clp1"}],
        ("{{ params.kind }}:clp1",),
        "{{ params.sources | tojson }}",
    ],
)
def test_sources_may_be_written_in_every_form(sources: Any, tmp_path: Path, clock: WorkerClock) -> None:
    """As they are mapped over in the DAG that lands them, or as a check prints them."""
    put_nights(tmp_path, range(10))
    put_nights(tmp_path, range(8), P2)
    check = Check(tmp_path, clock, sources=sources)
    check.run(params={"kind": "project", "sources": [{"kind": "project", "project_id": "clp1"}]})
    expected = {each["id"] for each in check.snapshot["sources"] if each["expected"]}
    assert expected == {"clp1"}


def test_options_may_be_templates(tmp_path: Path, clock: WorkerClock) -> None:
    put_nights(tmp_path, range(2, 10))
    options = {
        "prefix": f"{tmp_path}/{{{{ params.team }}}}",
        "since": "{{ params.since }}",
        "until": "{{ params.until }}",
    }
    check = Check(tmp_path, clock, sources=["project:clp1"], on_gap="report", grace=0, **options)
    params = {"team": PREFIX, "since": "2026-11-01T02:00:00Z", "until": "2026-11-12T02:00:00+00:00"}
    clock.now = FIRST + 20 * DAY
    assert check.run(params=params)["missing"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefix": "labels"}, ["prefix='labels'", "s3://bucket/prefix", "absolute path"]),
        ({"prefix": "azure://lake/labels"}, ["azure://lake/labels", "gs://bucket/prefix"]),
        ({"on_gap": "warn"}, ["on_gap='warn'", "'fail'", "'report'"]),
        ({"sources": "project:clp1"}, ["sources='project:clp1'", "list"]),
        ({"sources": []}, ["holds no source", "leave it out"]),
        ({"sources": ["clp1"]}, ["'clp1'", "project:clp1"]),
        ({"sources": [{"kind": "catalog"}]}, ["id of the organization", "'catalog:'"]),
        ({"since": "2026-11-01T00:00:00Z"}, ["since=", "sources="]),
        ({"since": "2026-11-01", "sources": ["project:clp1"]}, ["since='2026-11-01'", "offset"]),
        ({"until": "yesterday"}, ["until='yesterday'"]),
        ({"grace": -1}, ["grace=-1"]),
        ({"timeout": 0}, ["timeout=0"]),
        ({"poke_interval": "5m"}, ["poke_interval='5m'"]),
        ({"deferrable": "yes"}, ["deferrable='yes'"]),
    ],
)
def test_a_wrong_option_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        LabelboxWindowsCheckOperator(**{"task_id": "check", "prefix": "/data/labels", **options})
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_missing_cloud_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the DAG is parsed, with the extra to install."""
    monkeypatch.setattr("labelbox_export_provider.execution.extras.find_spec", lambda _: None)
    LabelboxWindowsCheckOperator(task_id="check", prefix="/data/labels")
    for prefix, extra in (("s3://lake/labels", "amazon"), ("gs://lake/labels", "google")):
        with pytest.raises(ConfigurationError, match=rf"\[{extra}\]"):
            LabelboxWindowsCheckOperator(task_id="check", prefix=prefix)


def test_a_template_that_renders_to_nothing_is_refused(tmp_path: Path, clock: WorkerClock) -> None:
    """It does not widen the check to all sources."""
    check = Check(tmp_path, clock, sources=["{{ params.source }}"])
    with pytest.raises(AirflowFailException, match=r"sources\[0\] rendered to"):
        check.run(params={"source": ""})
    lost = Check(tmp_path, clock, landing_dag_id="{{ params.dag_id }}")
    with pytest.raises(AirflowFailException, match="landing_dag_id rendered to"):
        lost.run(params={"dag_id": None})
