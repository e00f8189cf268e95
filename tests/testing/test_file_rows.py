"""Rows of an export file are found by filters and served byte for byte."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from support.fake_client import Client, between

from labelbox_export_provider.testing import FakeLabelbox, read_rows

FULL = (
    b'{"data_row":  {"id": "a", "global_key": "key-a", "details": {"dataset_id": "d1", '
    b'"last_activity_at": "2024-02-19T19:45:24.000+00:00"}}, "size": 1E2, "projects": {"p1": {"name": "Roofs", '
    b'"labels": [{"label_details": {"created_at": "2024-02-18T00:00:00.000+00:00"}}], '
    b'"project_details": {"workflow_status": "IN_REVIEW", "batch_id": "b1"}}}}'
)
BARE = '{"data_row": {"id": "b", "row_data": "\u2028\\u00fc"}, "projects": {"p1": {"labels": []}, "p2": {}}}'.encode()
WITHOUT_PROJECT = b'{"data_row": {"id": "c"}}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "export.ndjson"
    file.write_bytes(b"\n".join([FULL, BARE, b"", WITHOUT_PROJECT]))
    return file


def test_rows_are_served_byte_for_byte_whatever_params_ask(path: Path) -> None:
    with FakeLabelbox(read_rows(path)) as fake:
        assert fake.projects == {"p1": "Roofs", "p2": ""}
        assert Client(fake).rows() == [FULL, BARE]
        assert Client(fake).rows(params={"includeAttachments": True}, project_id="p2") == [BARE]
        assert fake.rows_for("p1") == [FULL, BARE]


def test_filters_find_the_rows_of_the_file(path: Path) -> None:
    with FakeLabelbox(read_rows(path)) as fake:
        client = Client(fake)
        assert client.rows(between("2024-02-19", "2024-02-20")) == [FULL]
        assert client.rows(between("2024-02-18", "2024-02-19", kind="labeled_at")) == [FULL]
        assert client.rows({"type": "task_queue_status", "status": "InReview"}) == [FULL]
        assert client.rows({"type": "batch", "operator": "is", "ids": ["b1"]}) == [FULL]
        assert client.rows({"type": "global_key", "operator": "is", "ids": ["key-a"]}) == [FULL]


def test_fields_that_the_file_lacks_match_no_filter(path: Path) -> None:
    with FakeLabelbox(read_rows(path)) as fake:
        client = Client(fake)
        assert client.rows(between("2000-01-01", "2100-01-01")) == [FULL]
        assert client.rows({"type": "task_queue_not_exist"}) == []
        assert client.rows({"type": "data_row_id", "operator": "is", "ids": ["b", "c"]}) == [BARE]
        assert fake.rows_for("p1", datetime(2000, 1, 1, tzinfo=timezone.utc)) == [FULL]


def test_expected_rows_have_the_start_and_not_the_end(path: Path) -> None:
    with FakeLabelbox(read_rows(path)) as fake:
        moment = datetime(2024, 2, 19, 19, 45, 24, tzinfo=timezone.utc)
        assert fake.rows_for("p1", start=moment) == [FULL]
        assert fake.rows_for("p1", end=moment) == []


def test_rows_of_a_file_cannot_be_edited(path: Path) -> None:
    with FakeLabelbox(read_rows(path)) as fake, pytest.raises(ValueError, match="comes from a file"):
        fake.edit("a")


@pytest.mark.parametrize("line", [b"[1]", b"{", b'{"data_row": 1}', b'{"id": "x"}', b"\xff"])
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "export.ndjson"
    file.write_bytes(FULL + b"\n" + line + b"\n")
    with pytest.raises(ValueError, match=r"export\.ndjson, line 2: not a data row"):
        read_rows(file)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "export.ndjson"
    file.write_bytes(b"\n")
    with pytest.raises(ValueError, match="holds no data row"):
        read_rows(file)
