"""Every answer that Labelbox may give is recognized, and compared with what this package assumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from support.check_account import Checked, check

from labelbox_export_provider.check_account.plan import MAX_OF_ROW, OF_NOTHING, WITH_UNKNOWN_IDS
from labelbox_export_provider.check_account.questions import QUESTIONS
from labelbox_export_provider.testing import Behaviour, DataRow, FakeLabelbox, FakeUser, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import CorruptFile, ErrorRows, FailedExport, HiddenExport, LongerFile

pytestmark = pytest.mark.thorough

WHOLE_SECOND = datetime(2024, 5, 8, 3, 4, 5, tzinfo=timezone.utc)
FRACTION = WHOLE_SECOND.replace(microsecond=400_000)


@pytest.fixture(scope="module")
def row() -> DataRow:
    return generate_rows(1)[0]


@contextmanager
def account(
    row: DataRow, behaviour: Behaviour | None = None, zone: str | None = "UTC", moment: datetime = WHOLE_SECOND
) -> Iterator[FakeLabelbox]:
    """Run an organization with one data row that was last active at this moment."""
    copy = replace(row, former_activity=[])
    with FakeLabelbox([copy], behaviour=behaviour, user=FakeUser(timezone=zone)) as fake:
        fake.edit(copy.row_id, moment)
        yield fake


def check_row(fake: FakeLabelbox, tmp_path: Path) -> Checked:
    return check(fake, tmp_path, "--data-row-id", fake.row_ids()[0])


USUAL = {
    "time_zone": "UTC",
    "cancelable_types": "yes",
    "unknown_task": "RESOURCE_NOT_FOUND",
    "unknown_project": "refused, RESOURCE_NOT_FOUND",
    "unknown_dataset": "refused, RESOURCE_NOT_FOUND",
    "unknown_model_run": "refused, RESOURCE_NOT_FOUND",
    "model_run_frames": "yes",
    "predictions": "yes",
    "streamable": "yes",
    "task_name_kept": "yes",
    "found_by_name": "yes",
    "task_order": "yes",
    "task_type": "export-data-rows",
    "status_in_task": "yes",
    "completion_percentage": "0 to 100",
    "aliases": "100",
    "uint64": "text",
    "row_timestamp": "0000-00-00T00:00:00.000+00:00",
    "offset_dates": "yes, whatever zone is sent beside it",
    "range_ends": "both",
    "empty_header": "null",
    "error_rows": "none",
    "file_size": "yes",
    "last_newline": "yes",
    "file_range": "HTTP 206 with Content-Range",
    "file_length": "yes",
    "file_hash": "ETag and x-goog-hash",
    "url_life": "900 s",
    "file_from_line": "no, GRAPHQL_VALIDATION_FAILED",
}


def test_the_usual_answers(row: DataRow, tmp_path: Path) -> None:
    """An account that answers as assumed settles every question, by as few exports as the plan says, of one row."""
    with account(row) as fake:
        checked = check_row(fake, tmp_path)
        assert {name: checked.found(name) for name in USUAL} == {name: (found, "ok") for name, found in USUAL.items()}
        assert checked.found("visible_after")[1] == "ok"
        assert (checked.code, checked.report["error"]) == (0, None)
        assert "30 ok, 0 differ, 0 open" in checked.out
        assert len(checked.report["findings"]) == len(QUESTIONS) == 30
        assert len(fake.exports) == len(checked.report["exports_started"]) == 4
        assert [export.rows for export in fake.exports] == [1, 1, 1, 0]
        assert [request.had_authorization for request in fake.requests.files] == [False, False]
        assert {len(export.name or "") for export in fake.exports} == {103}


def test_every_other_answer(row: DataRow, tmp_path: Path) -> None:
    """The other value of each switch shows in its finding; what the provider handles is ok all the same."""
    behaviour = Behaviour(
        exports_cancelable=False,
        unknown_task="null",
        unknown_project="empty",
        unknown_dataset="empty",
        unknown_model_run="empty",
        model_run_interpolated_frames=False,
        catalog_predictions=False,
        name_characters=64,
        created_tasks_newest_first=False,
        status_in_task=False,
        completion_percentage_of=1,
        aliases_per_query=30,
        uint64_as_text=False,
        offset_dates="named_zone",
        between_includes_ends=False,
        empty_header="zero",
        streams=StreamLayout(last_newline=False),
        file_ranges=False,
        file_content_length=False,
        file_hash=False,
        url_seconds=60,
        file_from_line=True,
    )
    with account(row, behaviour, zone=None) as fake:
        checked = check_row(fake, tmp_path)
    expected = {
        "time_zone": ("null", "ok"),
        "cancelable_types": ("no", "ok"),
        "unknown_task": ("a null task", "ok"),
        "unknown_project": ("an export was started", "differs"),
        "unknown_dataset": ("an export was started", "differs"),
        "unknown_model_run": ("an export was started", "differs"),
        "model_run_frames": ("no, GRAPHQL_VALIDATION_FAILED", "ok"),
        "predictions": ("no, GRAPHQL_VALIDATION_FAILED", "differs"),
        "task_name_kept": ("no: cut to 64 characters", "differs"),
        "found_by_name": ("not asked: the name is not kept", "open"),
        "task_order": ("no, the oldest first", "ok"),
        "status_in_task": ("no, GRAPHQL_VALIDATION_FAILED", "ok"),
        "completion_percentage": ("0 to 1", "ok"),
        "aliases": ("25, but not 100", "ok"),
        "uint64": ("number", "ok"),
        "offset_dates": ("no, the zone sent beside it does", "ok"),
        "range_ends": ("neither", "differs"),
        "empty_header": ("0/0", "ok"),
        "last_newline": ("no", "ok"),
        "file_range": ("HTTP 200", "ok"),
        "file_length": ("no", "ok"),
        "file_hash": ("neither", "ok"),
        "url_life": ("60 s", "ok"),
        "file_from_line": ("yes", "ok"),
        "file_size": ("yes", "ok"),
    }
    assert {name: checked.found(name) for name in expected} == expected
    assert checked.code == 1
    assert checked.facts("cancelable_types") == {"names": ["importDataRows"]}
    at_most = MAX_OF_ROW + OF_NOTHING + WITH_UNKNOWN_IDS
    assert len(checked.report["exports_started"]) <= at_most


def test_further_answers(row: DataRow, tmp_path: Path) -> None:
    """Third values of switches, a late task, error rows and a wrong hash are recognized, too."""
    behaviour = Behaviour(
        created_tasks_by_name=False,
        aliases_per_query=3,
        offset_dates="owner_zone",
        empty_header="null_members",
        seconds_per_export=1.5,
    )
    with account(row, behaviour, zone="Asia/Tokyo") as fake:
        fake.faults.add(HiddenExport(seconds=1.2, by_id=True), CorruptFile(position=20))
        fake.faults.add(ErrorRows(lines=('{"error": "a", "dataRowId": "b"}',), after=3))
        checked = check_row(fake, tmp_path)
    expected = {
        "time_zone": ("an IANA name other than UTC", "ok"),
        "found_by_name": ("refused, GRAPHQL_VALIDATION_FAILED", "ok"),
        "aliases": ("not even 5", "ok"),
        "offset_dates": ("neither it nor the zone", "differs"),
        "range_ends": ("not asked: a wider range does not find the row", "open"),
        "empty_header": ("null members", "ok"),
        "error_rows": ("1 with the members dataRowId, error", "ok"),
        "file_hash": ("ETag and x-goog-hash; the hash does not fit the bytes", "differs"),
    }
    assert {name: checked.found(name) for name in expected} == expected
    assert checked.facts("visible_after")["seconds_by_id"] >= 1.2
    assert checked.facts("completion_percentage")["seen"][-1] == 100
    assert checked.code == 1


@pytest.mark.parametrize(
    ("behaviour", "moment", "finding"),
    [
        (
            Behaviour(between_includes_ends="start"),
            WHOLE_SECOND,
            ("the start alone, or the index is finer than the rows show", "differs"),
        ),
        (Behaviour(between_includes_ends="end"), WHOLE_SECOND, ("the end alone", "differs")),
        (Behaviour(search_resolution="second"), FRACTION, ("both", "ok")),
        (Behaviour(), FRACTION, ("cannot be told: take a row whose last activity is on a whole second", "open")),
    ],
    ids=["start", "end", "whole seconds", "milliseconds"],
)
def test_ends_of_ranges(
    row: DataRow, tmp_path: Path, behaviour: Behaviour, moment: datetime, finding: tuple[str, str]
) -> None:
    """A range that includes one of its ends alone is told from one that includes both."""
    with account(row, behaviour, moment=moment) as fake:
        assert check_row(fake, tmp_path).found("range_ends") == finding


def test_a_recent_row_settles_no_dates(row: DataRow, tmp_path: Path) -> None:
    """A row that the index does not show yet leaves the questions about dates open, and says why."""
    now = datetime.now(timezone.utc)
    with account(row, Behaviour(search_lag_seconds=3600), moment=now) as fake:
        checked = check_row(fake, tmp_path)
    assert checked.found("offset_dates") == ("the row is not found; its last activity is too recent to tell", "open")
    assert checked.code == 0


def test_a_file_longer_than_announced(row: DataRow, tmp_path: Path) -> None:
    """A file with other bytes than its offsets announce differs."""
    with account(row) as fake:
        fake.faults.add(LongerFile())
        assert check_row(fake, tmp_path).differing == ["file_size", "file_hash"]


def test_without_a_data_row(row: DataRow, tmp_path: Path) -> None:
    """Without --data-row-id no row is exported, and the questions that need one say so."""
    with account(row) as fake:
        fake.faults.add(FailedExport(after=1))
        checked = check(fake, tmp_path)
        assert [export.rows for export in fake.exports] == [0]
    assert "18 ok, 0 differ, 12 open" in checked.out
    assert checked.found("range_ends") == ("not asked: needs --data-row-id", "open")
    assert checked.found("task_name_kept") == ("yes", "ok")


def test_a_refused_or_failed_export_of_nothing(row: DataRow, tmp_path: Path) -> None:
    """An export of an unknown data row that ends FAILED is a finding, and the check continues."""
    with account(row) as fake:
        fake.faults.add(FailedExport(after=3))
        checked = check_row(fake, tmp_path)
    assert checked.found("empty_header") == ("none: an export of an unknown data row is FAILED", "differs")
    assert checked.found("unknown_model_run")[1] == "ok"
