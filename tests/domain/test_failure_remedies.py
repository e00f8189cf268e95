"""The report of a failed task: what a retry does, and what to do for each branch of the error tree."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from labelbox_export_provider import errors
from labelbox_export_provider.domain.records.failure_report import FailureReport
from labelbox_export_provider.errors import LabelboxExportError

CLASSES = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, LabelboxExportError)]
GENERAL = "do what the first lines say, then clear this task; if it comes again, report this message"


def report(error: str, **facts: Any) -> FailureReport:
    return FailureReport(getattr(errors, error)("what happened"), **facts)


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
        ("ExportPurgedError", ENDS_THE_SAME, "clear task 'start' with downstream: only a new export helps"),
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
            "TaskStoppedError",
            "resumes with the same export",
            AFTER_THE_LAST + "clear this task, unless it was stopped on purpose",
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
            "WindowsNotLandedError",
            ENDS_THE_SAME,
            "fill each gap as described below, then clear this task",
        ),
        (
            "StorageError",
            ENDS_THE_SAME,
            "fix bucket or directory, permissions or connection, as the first lines say, then clear this task",
        ),
        (
            "StorageUnsupportedError",
            ENDS_THE_SAME,
            "change the option that the first lines name or use another store, then clear this task",
        ),
        (
            "ObjectChangedError",
            "reads the same export again and writes the same objects",
            AFTER_THE_LAST + "check that nothing else writes to this place, then clear this task",
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


@pytest.mark.parametrize("error", ["ExportFailedError", "ExportCanceledError", "ExportPurgedError"])
def test_own_retry_replaces_a_dead_export(error: str) -> None:
    """A task that starts the export itself replaces a dead one by its own retry."""
    assert report(error, starts_export=True).retryable
    assert "retry:     starts a new export" in report(error, starts_export=True).text()
    assert (
        "to do:     nothing while retries are left; after the last one clear this task, which starts a new export"
        in report(error, starts_export=True, start_task_id="all").text()
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
        ("UnreachableError", {"starts_export": True}, "resumes with the same export"),
        ("UnreachableError", {"starts_export": True, "forgets": True}, "starts a new export"),
        ("IntegrityError", {"starts_export": True}, "starts a new export"),
        ("ExportFailedError", {"starts_export": True}, "starts a new export"),
    ],
)
def test_the_last_try_says_what_clearing_does(error: str, facts: dict[str, Any], does: str) -> None:
    """What clearing does may differ from a retry: after a mismatch, and where Airflow has no task state store."""
    text = report(error, export_id="clx1", try_number=3, tries=3, **facts).text()
    assert f"  retry:     none is left; clearing this task {does}\n" in text


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_retry_is_used_where_the_error_is_retryable(kind: type[LabelboxExportError]) -> None:
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
