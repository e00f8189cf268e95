"""Generated rows are the same each time, lie where windows are tested hardest, and follow the export params."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from labelbox_export_provider.testing import generate_rows
from labelbox_export_provider.testing.data.rows import RowView
from labelbox_export_provider.testing.selection import view_of

EVERYTHING = RowView(
    attachments=True,
    metadata=True,
    embeddings=True,
    data_row_details=True,
    project_details=True,
    label_details=True,
    performance_details=True,
    interpolated_frames=True,
    project_ids=None,
)


def lines(number: int = 100, view: RowView = EVERYTHING, **settings: Any) -> list[bytes]:
    return [row.render(view) for row in generate_rows(number, **settings)]


def test_the_same_settings_make_the_same_bytes() -> None:
    assert lines() == lines()


@pytest.mark.parametrize("settings", [{"seed": 2}, {"project_id": "clother"}])
def test_another_seed_or_project_makes_other_rows(settings: dict[str, Any]) -> None:
    ids = {row.row_id for row in generate_rows(100)}
    assert not ids & {row.row_id for row in generate_rows(100, **settings)}


def test_ids_look_like_labelbox_ids_and_are_unique() -> None:
    ids = [row.row_id for row in generate_rows(500)]
    assert len(set(ids)) == 500
    assert all(re.fullmatch(r"cl[0-9a-z]{23}", row_id) for row_id in ids)


def test_all_media_kinds_occur() -> None:
    kinds = Counter(json.loads(line)["media_attributes"]["mime_type"] for line in lines())
    assert set(kinds) == {
        "image/jpeg",
        "text/plain",
        "video/mp4",
        "application/vnd.labelbox.conversational",
        "application/pdf",
        "audio/wav",
    }


def test_rows_lie_on_and_beside_window_borders() -> None:
    """Rows lie on window borders and just beside them on every day."""
    rows = generate_rows(400, start=date(2024, 5, 6), days=5)
    moments = {row.last_activity_at for row in rows}
    midnights = [datetime(2024, 5, 6, tzinfo=timezone.utc) + timedelta(days=day) for day in range(6)]
    for border in [*midnights, *(midnight + timedelta(hours=2) for midnight in midnights)]:
        assert {border + timedelta(milliseconds=ms) for ms in (-1000, -500, -1, 0, 1, 999, 1000)} <= moments
    days = Counter(moment.date() for moment in moments if moment is not None)
    assert all(days[date(2024, 5, day)] > 50 for day in range(6, 11))
    assert any(moment.microsecond % 1000 == 0 and moment.microsecond for moment in moments if moment is not None)


def test_the_bytes_would_not_survive_re_encoding() -> None:
    everything = b"\n".join(lines(300))
    for text in (
        "\u2028",
        "\u0085",
        "\U0001d49c",
        "東京",
        "\\u2028",
        "\\ud835\\udc9c",
        "1e-07",
        "1264.0",
        "1e+22",
        "-0.0",
    ):
        assert text.encode() in everything, text
    for number in (9007199254740993, 18446744073709551615, -170141183460469231731687303715884105728):
        assert str(number).encode() in everything
    assert rb"\\n" in everything
    assert {b'": ' in line for line in lines(10)} == {True, False}


def test_every_row_is_one_line_of_json_with_its_id() -> None:
    for row in generate_rows(100):
        line = row.render(EVERYTHING)
        assert b"\n" not in line
        assert json.loads(line)["data_row"]["id"] == row.row_id


def test_params_add_and_remove_fields_as_in_the_table() -> None:
    def shown(**params: bool) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        view = view_of({**params, "allProjects": True})
        row = next(r for r in generate_rows(20) if next(iter(r.memberships.values())).labels_created_at)
        content = json.loads(row.render(view))
        (project,) = content["projects"].values()
        return content, project, project["labels"][0]

    row, project, label = shown()
    assert set(row) == {"data_row", "media_attributes", "projects"}
    assert "details" not in row["data_row"]
    assert set(project) == {"name", "labels", "project_tags"}
    assert set(label) == {"label_kind", "version", "id", "annotations"}
    for param, field in (("Attachments", "attachments"), ("Metadata", "metadata_fields"), ("Embeddings", "embeddings")):
        assert set(shown(**{f"include{param}": True})[0]) == {*row, field}
    details = shown(includeDataRowDetails=True)[0]["data_row"]["details"]
    assert {"dataset_id", "dataset_name", "created_at", "updated_at", "last_activity_at", "created_by"} == set(details)
    assert set(shown(includeProjectDetails=True)[1]) == {*project, "project_details"}
    assert set(shown(includeLabelDetails=True)[2]) == {*label, "label_details"}
    assert set(shown(includePerformanceDetails=True)[2]) == {*label, "performance_details"}


def test_interpolated_frames_come_on_request_only() -> None:
    def frames(view: RowView) -> set[str]:
        videos = [json.loads(line) for line in lines(30, view) if b"video/mp4" in line]
        labels = [label for video in videos for project in video["projects"].values() for label in project["labels"]]
        return set(labels[0]["annotations"]["frames"])

    key_frames = frames(RowView(project_ids=None))
    assert len(key_frames) == 2
    assert key_frames < frames(EVERYTHING)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="days=0"):
        generate_rows(1, days=0)
