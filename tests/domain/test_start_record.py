"""The record of a start, and the name under which a later try finds its export."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labelbox_export_provider.domain.records.start_record import MARK_LENGTH, MAX_HEAD, StartRecord, is_name, start_name

RECORD = {
    "v": 1,
    "name": "[0123456789abcdef] nightly export 2026-11-22",
    "fingerprint": "sha256:" + "a" * 64,
    "export_id": None,
    "user_id": "clu1",
    "organization_id": "clo1",
    "intent_at": "2026-11-23T02:05:00.120000Z",
    "clear_count": "2.0",
    "state": "open",
    "try_id": "0123456789abcdef",
    "asked": {"mutation": "exportDataRowsInProject", "filters": {}, "params": {}},
}
RUN = ("dag", "run", "task", -1)


def name(**changes: Any) -> str:
    asked = {
        "run": RUN,
        "kind": "project",
        "fingerprint": "sha256:1",
        "clear_count": "3.0",
        "head": "dag task",
    } | changes
    return start_name(asked.pop("head"), **asked)


def test_a_record_is_kept_as_it_was_written() -> None:
    assert StartRecord.model_validate(RECORD).to_json() == RECORD


@pytest.mark.parametrize(
    "change",
    [
        {"v": 0},
        {"state": 5},
        {"fingerprint": "sha256:1"},
        {"export_id": "not an id"},
        {"intent_at": "2026-11-23T02:05:00"},
        {"name": ""},
    ],
)
def test_a_record_that_somebody_changed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StartRecord.model_validate({**RECORD, **change})


def test_all_tries_of_one_start_give_the_same_name() -> None:
    assert name() == name()
    assert re.fullmatch(r"\[[0-9a-f]{16}\] dag task 2026-11-22", name(date="2026-11-22"))


@pytest.mark.parametrize(
    "change",
    [
        {"run": ("other", "run", "task", -1)},
        {"run": ("dag", "other", "task", -1)},
        {"run": ("dag", "run", "other", -1)},
        {"run": ("dag", "run", "task", 0)},
        {"run": ("da", "grun", "task", -1)},
        {"kind": "dataset"},
        {"fingerprint": "sha256:2"},
        {"clear_count": "3.1"},
        {"deployment": "https://staging.example"},
    ],
)
def test_a_start_that_differs_in_anything_has_another_name(change: dict[str, Any]) -> None:
    assert name(**change) != name()


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        ("nightly", "] nightly 2026-11-22"),
        ("  nightly\n", "] nightly 2026-11-22"),
        ("a\nb\tc", "] a b c 2026-11-22"),
        ("Straße 街", "] Straße 街 2026-11-22"),
        ("", "] 2026-11-22"),
        ("\n", "] 2026-11-22"),
        ("x" * 500, "] " + "x" * MAX_HEAD + " 2026-11-22"),
        ("x" * (MAX_HEAD - 1) + " yz", "] " + "x" * (MAX_HEAD - 1) + " 2026-11-22"),
    ],
)
def test_the_head_is_for_people_and_in_one_short_line(head: str, shown: str) -> None:
    assert name(head=head, date="2026-11-22")[MARK_LENGTH - 1 :] == shown


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ("[0123456789abcdef] nightly cars 2026-11-22", True),
        ("[0123456789abcdef] nightly", True),  # as a server shortens it
        ("[0123456789abcdef]", True),
        ("[0123456789abcde", False),
        ("[0123456789abcdef] nightly cars 2026-11-22 again", False),
        ("[1123456789abcdef] nightly cars 2026-11-22", False),
        (None, False),
    ],
)
def test_a_shortened_name_is_the_same_name(found: str | None, same: bool) -> None:
    """A server that shortens names leaves the digest, by which a start is found again."""
    assert is_name(found, "[0123456789abcdef] nightly cars 2026-11-22") is same


def test_a_record_of_a_newer_version_is_read() -> None:
    """Unknown members are ignored, and an unknown state is looked for as an open start is."""
    newer = StartRecord.model_validate({**RECORD, "v": 2, "region": "eu", "state": "parked"})
    assert newer.to_json() == {**RECORD, "v": 2}


def test_a_record_of_before_its_version_is_read() -> None:
    later = {"v", "organization_id", "try_id", "asked"}
    record = StartRecord.model_validate({key: value for key, value in RECORD.items() if key not in later})
    assert (record.v, record.organization_id, record.try_id, record.asked) == (1, None, None, {})


@given(st.text())
def test_any_head_gives_a_usable_name(head: str) -> None:
    """Any head gives a name that comes back as it was sent and fits the record."""
    made = name(head=head)
    assert made == made.strip()
    assert made.isprintable()
    assert len(made) <= MAX_HEAD + MARK_LENGTH + 1
    record = StartRecord(
        name=made,
        fingerprint="sha256:" + "0" * 64,
        user_id="u",
        intent_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        clear_count="3.0",
    )
    assert StartRecord.model_validate(record.to_json()) == record
