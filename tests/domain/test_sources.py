"""The project source: the mutation's input to the letter, and what identifies a question."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from labelbox_export_provider.domain.request.export_params import ProjectExportParams
from labelbox_export_provider.domain.request.filters import ProjectFilters
from labelbox_export_provider.domain.request.query import condensed_query, query_digest, request_fingerprint
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.domain.windows.windows import FixedWindow, ResolvedWindow, RunInterval
from labelbox_export_provider.errors import ConfigurationError

NO_PARAMS = """{
    "mediaTypeOverride": null, "includeAttachments": false, "includeMetadata": false, "includeEmbeddings": false,
    "includeDataRowDetails": false, "includeProjectDetails": false, "includeLabelDetails": false,
    "includePerformanceDetails": false, "includeInterpolatedFrames": false
}"""

BARE = f"""{{
    "taskName": "nightly", "isStreamableReady": true, "streamable": true,
    "filters": {{"projectId": "clp1", "searchQuery": {{"scope": null, "query": []}}}},
    "params": {NO_PARAMS}
}}"""

EVERYTHING = """{
    "taskName": "nightly", "isStreamableReady": true, "streamable": true,
    "filters": {"projectId": "clp1", "searchQuery": {"scope": null, "query": [
        {"type": "labeled_at", "value": {"operator": "BETWEEN", "timezone": "UTC",
            "value": {"min": "2024-01-09T23:00:00+0000", "max": "2024-01-10T18:30:00+0000"}}},
        {"type": "global_key", "operator": "is", "ids": ["k1", "k2"]},
        {"type": "batch", "operator": "is", "ids": ["b1"]},
        {"type": "task_queue_not_exist"},
        {"type": "data_row_last_activity_at", "value": {"operator": "BETWEEN", "timezone": "UTC",
            "value": {"min": "2026-11-22T01:59:59+0000", "max": "2026-11-23T02:00:01+0000"}}}
    ]}},
    "params": {
        "mediaTypeOverride": "IMAGE", "includeAttachments": true, "includeMetadata": true, "includeEmbeddings": true,
        "includeDataRowDetails": true, "includeProjectDetails": true, "includeLabelDetails": true,
        "includePerformanceDetails": true, "includeInterpolatedFrames": true
    }
}"""


def window(**options: Any) -> ResolvedWindow:
    fixed = FixedWindow("2026-11-22T02:00:00Z", "2026-11-23T02:00:00Z", **options)
    return fixed.resolve(RunInterval(None, None))


def render(source: ProjectSource, *, zone: str | None = None, within: ResolvedWindow | None = None) -> dict[str, Any]:
    return source.render_input(task_name="nightly", owner_timezone=zone, window=within)


def test_a_project_without_options_asks_for_everything() -> None:
    assert render(ProjectSource(project_id="clp1")) == json.loads(BARE)


def test_a_project_with_every_option_is_rendered_to_the_letter() -> None:
    source = ProjectSource.parse(
        {
            "project_id": "clp1",
            "export_params": {
                "media_type_override": "IMAGE",
                "attachments": True,
                "metadata_fields": True,
                "embeddings": True,
                "data_row_details": True,
                "project_details": True,
                "label_details": True,
                "performance_details": True,
                "interpolated_frames": True,
            },
            "filters": {
                "label_created_at": ["2024-01-10", "2024-01-11T00:00:00+0530"],
                "global_keys": ["k1", "k2"],
                "batch_ids": ["b1"],
                "workflow_status": "ToLabel",
            },
        }
    )
    assert render(source, zone="Europe/Berlin", within=window()) == json.loads(EVERYTHING)


@pytest.mark.parametrize(
    ("options", "wire_name", "details"),
    [
        ({}, "data_row_last_activity_at", True),
        ({"trim": True}, "data_row_last_activity_at", True),
        ({"trim": False}, "data_row_last_activity_at", False),
        ({"field": "label_created_at"}, "labeled_at", False),
    ],
)
def test_only_a_trimmed_window_forces_details(options: dict[str, Any], wire_name: str, details: bool) -> None:
    """A window adds its filter and only a trimmed one forces the details that trimming reads."""
    rendered = render(ProjectSource(project_id="clp1"), within=window(**options))
    assert [entry["type"] for entry in rendered["filters"]["searchQuery"]["query"]] == [wire_name]
    assert {name for name, value in rendered["params"].items() if value} == (
        {"includeDataRowDetails"} if details else set()
    )


@pytest.mark.parametrize("field", ["last_activity_at", "label_created_at"])
def test_a_window_and_a_filter_on_the_same_field_are_refused(field: str) -> None:
    source = ProjectSource.parse({"project_id": "clp1", "filters": {field: ["2024-01-10", None]}})
    with pytest.raises(ConfigurationError, match=rf"Both window= and filters\['{field}'\]"):
        render(source, within=window(field=field))


@pytest.mark.parametrize("project_id", ["", "None", "clp 1", "clp1\n", "clp\t1", "clp\x00", "clp\u200b1"])
def test_what_cannot_be_an_id_is_refused(project_id: str) -> None:
    with pytest.raises(ConfigurationError, match="option 'project_id' of a project source: an id is needed"):
        ProjectSource(project_id=project_id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "option 'project_id' of a project source: Field required."),
        (
            {"project_id": "p", "params": {}},
            "'params' is not an option of a project source. Did you mean 'export_params'?",
        ),
        ({"project_id": "p", "dataset_id": "d"}, "'dataset_id' is not an option of a project source."),
        ({"project_id": "p", "export_params": {"atachments": True}}, "Did you mean 'attachments'?"),
        ({"project_id": "p", "filters": {"batch_id": ["b"]}}, "Did you mean 'batch_ids'?"),
        ({"project_id": "p", "kind": "dataset"}, "option 'kind' of a project source: Input should be 'project'."),
        ({"project_id": "p", "filters": {"batch_ids": []}}, "filter 'batch_ids' of project exports: an empty list"),
    ],
)
def test_wrong_options_are_refused_by_the_model_that_knows_them(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ProjectSource.parse(options)
    assert message in str(raised.value)


@pytest.mark.parametrize("app_url", ["https://app.labelbox.com", "https://app.labelbox.com/"])
def test_the_page_of_a_project_is_below_the_connections_app_url(app_url: str) -> None:
    assert ProjectSource(project_id="clp1").web_url(app_url) == "https://app.labelbox.com/projects/clp1"


def fingerprint(source: ProjectSource, *, name: str = "a", endpoint: str = "https://e/graphql", org: str = "o") -> str:
    asked = source.render_input(task_name=name, owner_timezone=None, window=None)
    return request_fingerprint(source.mutation, asked, endpoint, org)


SAME = ProjectSource(project_id="clp1")


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (fingerprint(SAME, name="b"), True),
        (fingerprint(ProjectSource(project_id="clp1", export_params=ProjectExportParams(attachments=False))), True),
        (fingerprint(ProjectSource(project_id="clp1", filters=ProjectFilters(batch_ids=None))), True),
        (fingerprint(SAME, endpoint="https://other/graphql"), False),
        (fingerprint(SAME, org="other"), False),
        (fingerprint(ProjectSource(project_id="clp2")), False),
        (fingerprint(ProjectSource(project_id="clp1", export_params=ProjectExportParams(attachments=True))), False),
        (fingerprint(ProjectSource(project_id="clp1", filters=ProjectFilters(batch_ids=["b"]))), False),
    ],
)
def test_fingerprint_ignores_the_name(other: str, equal: bool) -> None:
    """The fingerprint is that of the question and not of its name."""
    assert (fingerprint(SAME) == other) is equal


def test_two_spellings_of_the_same_instants_have_one_digest() -> None:
    written = [["2024-01-10", "2024-01-11"], [datetime(2024, 1, 10, tzinfo=timezone.utc), "2024-01-11T00:00:00Z"]]
    digests = {
        query_digest(render(ProjectSource.parse({"project_id": "p", "filters": {"last_activity_at": bounds}})))
        for bounds in written
    }
    assert len(digests) == 1
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests)


def test_long_id_list_is_shown_as_digest() -> None:
    """People see a long id list as count and digest and a short one as it is."""
    many = [f"id-{number}" for number in range(2000)]
    source = ProjectSource.parse({"project_id": "p", "filters": {"data_row_ids": many, "batch_ids": many[:20]}})
    long, short = condensed_query(render(source))["filters"]["searchQuery"]["query"]
    assert long["ids"] == {"count": 2000, "digest": long["ids"]["digest"]}
    assert long["ids"]["digest"].startswith("sha256:")
    assert short["ids"] == many[:20]
    assert "taskName" not in condensed_query(render(source))
