"""The record of a start, and the name under which a later try finds its export."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from labelbox_export_provider.domain.records.start_record import MAX_HEAD, StartRecord, start_name

RECORD = {
    "name": "nightly export [0123456789abcdef0123]",
    "fingerprint": "sha256:" + "a" * 64,
    "export_id": None,
    "user_id": "clu1",
    "intent_at": "2026-11-23T02:05:00.120000Z",
    "clear_count": "2.0",
    "state": "open",
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
        {"state": "closed"},
        {"fingerprint": "sha256:1"},
        {"export_id": "not an id"},
        {"intent_at": "2026-11-23T02:05:00"},
        {"name": ""},
        {"unknown": 1},
    ],
)
def test_a_record_that_somebody_changed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StartRecord.model_validate({**RECORD, **change})


def test_all_tries_of_one_start_give_the_same_name() -> None:
    assert name() == name()
    assert name().startswith("dag task [")


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
    ],
)
def test_a_start_that_differs_in_anything_has_another_name(change: dict[str, Any]) -> None:
    assert name(**change) != name()


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        ("nightly", "nightly ["),
        ("  nightly\n", "nightly ["),
        ("a\nb\tc", "a b c ["),
        ("Straße 街", "Straße 街 ["),
        ("", "["),
        ("\n", "["),
        ("x" * 500, "x" * MAX_HEAD + " ["),
        ("x" * (MAX_HEAD - 1) + " yz", "x" * (MAX_HEAD - 1) + " ["),
    ],
)
def test_the_head_is_for_people_and_in_one_short_line(head: str, shown: str) -> None:
    assert name(head=head).startswith(shown)


@given(st.text())
def test_any_head_gives_a_usable_name(head: str) -> None:
    """Any head gives a name that comes back as it was sent and fits the record."""
    made = name(head=head)
    assert made == made.strip()
    assert made.isprintable()
    assert len(made) <= MAX_HEAD + 23
    record = StartRecord(
        name=made,
        fingerprint="sha256:" + "0" * 64,
        user_id="u",
        intent_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
        clear_count="3.0",
    )
    assert StartRecord.model_validate(record.to_json()) == record
