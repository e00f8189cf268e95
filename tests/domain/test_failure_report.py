"""The message of a task that gave up: what the person on call reads at 3 a.m."""

from __future__ import annotations

import errno
import inspect
import os
from pathlib import Path
from typing import Any

import pytest
from support.handles import handle_json

from labelbox_export_provider import errors
from labelbox_export_provider.domain.records.failure_report import WIDTH, FailureReport
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.sinks.file_errors import storage_error

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, LabelboxExportError)]
GENERAL = "do what the first lines say, then clear this task; if it comes again, report this message"

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


ENDS_THE_SAME = "none: it would end the same way, so none is used up"
AFTER_THE_LAST = "nothing while retries are left; after the last one "
WAIT = AFTER_THE_LAST + "clear this task"


@pytest.mark.parametrize(
    ("error", "retry", "to_do"),
    [
        ("ConfigurationError", ENDS_THE_SAME, "fix the option in the DAG file, then clear this task"),
        (
            "WindowError",
            ENDS_THE_SAME,
            "fix the DAG's schedule or window=, as the first lines say; this run stays empty",
        ),
        ("HandleError", ENDS_THE_SAME, "clear task 'start' with downstream"),
        (
            "ConnectionSettingsError",
            ENDS_THE_SAME,
            "fix the connection (Admin, Connections) or what else the first lines name, then clear this task",
        ),
        (
            "AuthenticationError",
            ENDS_THE_SAME,
            "put a valid API key into the connection's password, then clear this task",
        ),
        (
            "AuthorizationError",
            ENDS_THE_SAME,
            "give the key's user access to the source in Labelbox, then clear this task",
        ),
        (
            "AnotherUsersExportError",
            ENDS_THE_SAME,
            "put back a key of the user who started it, then clear this task, or start a new export",
        ),
        (
            "NotFoundError",
            ENDS_THE_SAME,
            "check the id in the DAG and that the key's user can open the link, then clear this task",
        ),
        ("RefusedError", ENDS_THE_SAME, "fix what the details name, then clear this task"),
        ("RateLimitedError", "resumes with the same export", WAIT),
        (
            "RunningExportLimitError",
            "resumes with the same export",
            AFTER_THE_LAST + "run fewer exports at once (a pool), then clear this task",
        ),
        ("UnreachableError", "resumes with the same export", WAIT),
        ("StartUncertainError", "looks for the export by its name and starts one only if there is none", WAIT),
        (
            "ProtocolError",
            ENDS_THE_SAME,
            "check the connection's host, then clear this task; if it comes again, report this message",
        ),
        ("ExportFailedError", ENDS_THE_SAME, "clear task 'start' with downstream: only a new export helps"),
        ("ExportCanceledError", ENDS_THE_SAME, "clear task 'start' with downstream: only a new export helps"),
        (
            "ExportNotReadyError",
            ENDS_THE_SAME,
            "put an ExportTaskSensor between task 'start' and this task, then clear this task",
        ),
        (
            "WaitTimeoutError",
            "none: timeout= is all the time there is, so none is used up",
            "clear this task to wait longer for the same export, or raise timeout=",
        ),
        (
            "NoTriggererError",
            ENDS_THE_SAME,
            "start a triggerer, or look why it does not run, then clear this task",
        ),
        (
            "IntegrityError",
            "reads the same export again and writes the same objects",
            AFTER_THE_LAST + "clear task 'start' with downstream",
        ),
        (
            "TooManyErrorRowsError",
            ENDS_THE_SAME,
            "read the landed errors, then clear task 'start' with downstream or raise max_error_rows",
        ),
        (
            "StorageError",
            ENDS_THE_SAME,
            "fix bucket, permissions or connection, as the first lines say, then clear this task",
        ),
        (
            "ObjectExistsError",
            ENDS_THE_SAME,
            "keep what is there, or let it be replaced as the first lines say, then clear this task",
        ),
        (
            "StorageUnavailableError",
            "reads the same export again and writes the same objects",
            AFTER_THE_LAST + "check the store, then clear this task",
        ),
    ],
)
def test_each_error_branch_names_its_remedy(error: str, retry: str, to_do: str) -> None:
    """Each branch of the error tree says what a retry does and what to do."""
    lines = report(error, export_id="clx1", start_task_id="start").text().splitlines()
    assert lines[-2:] == [f"  retry:     {retry}", f"  to do:     {to_do}"]


@pytest.mark.parametrize("error", ["RateLimitedError", "RunningExportLimitError", "UnreachableError"])
def test_before_an_export_is_known_a_retry_adopts_or_starts(error: str) -> None:
    assert "retry:     adopts the export if one was started, else starts it" in report(error).text()


@pytest.mark.parametrize("error", ["ExportFailedError", "ExportCanceledError"])
def test_own_retry_replaces_a_dead_export(error: str) -> None:
    """A task that starts the export itself replaces a dead one by its own retry."""
    assert report(error, restarts=True).retryable
    assert "retry:     starts a new export" in report(error, restarts=True).text()
    assert (
        "to do:     nothing while retries are left; after the last one clear this task, which starts a new export"
        in report(error, restarts=True, start_task_id="all").text()
    )
    assert not report(error).retryable


RETRYABLE = [kind for kind in CLASSES if kind.retryable]


@pytest.mark.parametrize("kind", RETRYABLE, ids=lambda kind: kind.__name__)
def test_the_last_try_promises_no_retry(kind: type[LabelboxExportError]) -> None:
    """The last try says that no retry is left, what clearing does, and advises without "while retries are left"."""
    before, last = (
        FailureReport(kind("x"), export_id="clx1", try_number=number, tries=2).text().splitlines() for number in (1, 2)
    )
    assert "left" not in before[-2]
    assert last[-2].startswith("  retry:     none is left; clearing this task ")
    assert "retries" not in last[-1]
    assert "clear" in last[-1]


@pytest.mark.parametrize(
    ("error", "facts", "does"),
    [
        ("StorageUnavailableError", {}, "reads the same export again and writes the same objects"),
        ("UnreachableError", {"restarts": True}, "resumes with the same export"),
        ("UnreachableError", {"restarts": True, "forgets": True}, "starts a new export"),
        ("IntegrityError", {"restarts": True}, "starts a new export"),
        ("ExportFailedError", {"restarts": True}, "starts a new export"),
    ],
)
def test_the_last_try_says_what_clearing_does(error: str, facts: dict[str, Any], does: str) -> None:
    """What clearing does may differ from a retry: after a mismatch, and where Airflow has no task state store."""
    text = report(error, export_id="clx1", try_number=3, tries=3, **facts).text()
    assert f"  retry:     none is left; clearing this task {does}\n" in text


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
    full = storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "write", Path("/lake/rows"))
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
    lines = report(error, restarts=True, **facts).text().splitlines()
    assert "  in store:  as before; this try has started no export" in lines
    assert f"  retry:     {retry}" in lines


def test_an_uncertain_start_is_not_called_none() -> None:
    """Labelbox may have started the export, so the block does not deny it."""
    text = report("StartUncertainError", restarts=True).text()
    assert "  in store:  as before; whether this try has started an export is not known\n" in text


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_retry_is_used_as_the_error_says(kind: type[LabelboxExportError]) -> None:
    assert FailureReport(kind("x")).retryable is kind.retryable


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind is not LabelboxExportError])
def test_every_error_has_an_advice_of_its_own_branch(kind: type[LabelboxExportError]) -> None:
    advice = FailureReport(kind("x"), start_task_id="start").text().splitlines()[-1]
    assert advice.startswith("  to do:     ")
    assert GENERAL not in advice
    assert "{" not in advice


def test_an_error_outside_the_branches_gets_the_general_advice() -> None:
    assert GENERAL in report("LabelboxExportError").text()


def test_advice_without_a_known_start_task() -> None:
    """Without a known start task the advice says which task is meant."""
    assert "clear the task that starts the export with downstream" in report("HandleError").text()
