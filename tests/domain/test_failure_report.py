"""The message of a task that gave up: what the person on call reads at 3 a.m."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from support.handles import handle_json

from labelbox_export_provider import errors
from labelbox_export_provider.domain.records.failure_report import WIDTH, FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.sinks.file_errors import file_error

ENDS_THE_SAME = "none: it would end the same way, so none is used up"

FULL = """\
export clx1: bytes 0 to 99 came 98 bytes long
  source:    project clp1
  link:      https://app.labelbox.com/projects/clp1
  export:    clx1, adopted 2026-11-23T02:05:00Z
  window:    [2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z) UTC of last_activity_at
  try:       2 of 3
  moved:     98 of 1700000000 bytes, 0 of 4112 rows
  in store:  nothing of this export by this try
  details:   FileFromOffset (id clx1): answered
  store:     s3://lake/labels
  retry:     reads the same export again and writes the same objects
  to do:     nothing while retries are left; after the last one clear task 'start' with downstream"""


def report(error: str, **facts: Any) -> FailureReport:
    return FailureReport(getattr(errors, error)("what happened"), **facts)


def test_full_block_has_all_facts() -> None:
    """Every terminal error can be acted on at 3 a.m. The full block has everything that the person on call needs."""
    error = errors.IntegrityError(
        "export clx1: bytes 0 to 99 came 98 bytes long", details="FileFromOffset (id clx1): answered"
    )
    handle = ExportHandle.parse(handle_json(adopted=True))
    text = FailureReport(
        error,
        handle=handle,
        link="https://app.labelbox.com/projects/clp1",
        start_task_id="start",
        try_number=2,
        tries=3,
        moved="98 of 1700000000 bytes, 0 of 4112 rows",
        extra={"store": "s3://lake/labels"},
    ).text()
    assert text == FULL


def test_what_is_unknown_is_left_out() -> None:
    assert report("WindowError").text() == (
        "what happened\n"
        "  in store:  nothing of this export\n"
        "  retry:     none: it would end the same way, so none is used up\n"
        "  to do:     fix the DAG's schedule or window=, as the first lines say; this run stays empty"
    )


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"handle": ExportHandle.parse(handle_json())}, "  export:    clx1, started 2026-11-23T02:05:00Z"),
        ({"export_id": "clx9"}, "  export:    clx9"),
        ({"source": "project clp7"}, "  source:    project clp7"),
        ({"try_number": 1}, "  try:       1 of ?"),
        ({"in_store": "the errors, no result"}, "  in store:  the errors, no result"),
    ],
)
def test_each_fact_has_its_line(facts: dict[str, Any], line: str) -> None:
    assert line in report("RefusedError", **facts).text().splitlines()


def test_an_export_without_window_has_no_window_line() -> None:
    assert "window:" not in report("RefusedError", handle=ExportHandle.parse(handle_json(window=None))).text()


def test_each_sentence_has_its_line_and_none_is_long() -> None:
    """The log view does not wrap: sentences are split, long ones wrapped, addresses kept whole."""
    address = f"s3://lake/{'x' * 200}"
    long = f"Read {address}, then {'word ' * 50}again."
    lines = FailureReport(errors.RefusedError(f"It is 'a.b' (1.5 s). Fix it! {long}")).text().splitlines()
    assert lines[:2] == ["It is 'a.b' (1.5 s).", "Fix it!"]
    assert any(address in line for line in lines)
    assert all(len(line) <= WIDTH for line in lines if address not in line)


def test_of_what_earlier_tries_left_a_later_one_claims_nothing() -> None:
    assert "in store:  nothing of this export\n" in report("RefusedError", try_number=1).text()
    assert "in store:  nothing of this export by this try\n" in report("RefusedError", try_number=2).text()


def test_a_store_that_needs_a_hand_is_not_waited_for() -> None:
    """While retries are left, the advice is to act now; a full disk does not empty itself."""
    full = file_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "write", Path("/lake/rows"))
    assert full.retryable
    to_do = [
        FailureReport(full, export_id="clx1", try_number=number, tries=2).text().splitlines()[-1] for number in (1, 2)
    ]
    assert to_do == [
        f"  to do:     free space on the device{rest}"
        for rest in (
            " now; the next retry then continues by itself; after the last try, clear this task",
            ", then clear this task",
        )
    ]


@pytest.mark.parametrize(
    ("error", "facts", "retry"),
    [
        (
            "StorageUnavailableError",
            {},
            "asks the store again, then adopts the export if one was started, else starts it",
        ),
        (
            "StorageUnavailableError",
            {"try_number": 2, "tries": 2, "forgets": True},
            "none is left; clearing this task asks the store again, then starts a new export",
        ),
        ("UnreachableError", {}, "adopts the export if one was started, else starts it"),
        ("RefusedError", {"try_number": 2}, ENDS_THE_SAME),
    ],
)
def test_before_the_start_nothing_is_claimed_of_an_export(error: str, facts: dict[str, Any], retry: str) -> None:
    """The store is as before, in one wording, and no retry reads an export that nobody started."""
    lines = report(error, starts_export=True, **facts).text().splitlines()
    assert "  in store:  as before; this try has started no export" in lines
    assert f"  retry:     {retry}" in lines


def test_an_uncertain_start_is_not_called_none() -> None:
    """Labelbox may have started the export, so the block does not deny it."""
    text = report("StartUncertainError", starts_export=True).text()
    assert "  in store:  as before; whether this try has started an export is not known\n" in text
