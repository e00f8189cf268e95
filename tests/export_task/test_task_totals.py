"""Totals of a task, and a task that is not complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.export_tasks import Prompt, prompt

from labelbox_export_provider import ExportTask, StreamType
from labelbox_export_provider.errors import (
    ExportFailedError,
    ExportNotReadyError,
    IntegrityError,
)
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorRows,
    FailedExport,
    NullHeader,
)

ERROR_LINES = ('{"error": "gone: d\u2028\u00e9j\u00e0"}', '{"error": "too large"}')


@pytest.fixture
def someone() -> Iterator[Prompt]:
    with prompt(seconds_per_export=100) as at_prompt:
        yield at_prompt


def test_totals_are_those_of_the_streams(someone: Prompt) -> None:
    someone.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    task = someone.start()
    task.wait_till_done()
    content = b"".join(row + b"\n" for row in someone.rows(task))
    assert (task.has_result(), task.has_errors()) == (True, True)
    assert task.get_total_file_size(StreamType.RESULT) == len(content)
    assert task.get_total_lines(stream_type=StreamType.RESULT) == 60
    assert task.get_total_lines(StreamType.ERRORS) == 2
    assert task.get_total_file_size(StreamType.ERRORS) == sum(len(line.encode()) + 1 for line in ERROR_LINES)


def test_totals_are_asked_for_once(someone: Prompt) -> None:
    task = someone.start()
    task.wait_till_done()
    for _ in range(3):
        assert task.has_result()
        task.get_total_lines()
    assert len(someone.fake.requests.asking("exportMetadataHeader")) == 1


def test_a_wrong_stream_type_is_refused_with_the_types(someone: Prompt) -> None:
    with pytest.raises(ValueError, match=r"'ROWS'.*StreamType\.RESULT"):
        someone.start().get_total_lines("ROWS")  # type: ignore[arg-type]  # what is tested


def test_an_export_without_rows_is_empty_in_every_form(someone: Prompt) -> None:
    """An export without rows is empty in every form that Labelbox has for it."""
    for form in ("null", "zero", "null_members"):
        someone.fake.change(empty_header=form)
        task = someone.start(last_activity_at=["1990-01-01", "1990-01-02"])
        task.wait_till_done()
        assert (task.has_result(), task.has_errors()) == (False, False)
        assert (task.get_total_lines(), task.get_total_file_size()) == (0, 0)
        assert list(task.result) == list(task.get_buffered_stream()) == []
        with pytest.raises(ValueError, match="the stream is empty"):
            task.get_buffered_stream().with_offset(0)


def test_a_late_header_is_not_an_empty_export(someone: Prompt) -> None:
    """A header that is merely late is not treated as an empty export.

    Otherwise a full export would be read as one without rows.
    """
    task = someone.start()
    task.wait_till_done()
    someone.fake.faults.add(NullHeader(stream="RESULT"))
    someone.waits.clear()
    assert task.has_result() is True
    assert someone.waits == [5.0]


def test_no_header_but_a_first_file_is_an_integrity_error(someone: Prompt) -> None:
    task = someone.start()
    task.wait_till_done()
    someone.fake.faults.add(NullHeader(stream="RESULT", times=None))
    with pytest.raises(IntegrityError):
        task.has_result()


# --- tasks that are not complete

READS: dict[str, Callable[[ExportTask], object]] = {
    "has_result": lambda task: task.has_result(),
    "has_errors": lambda task: task.has_errors(),
    "get_total_lines": lambda task: task.get_total_lines(StreamType.ERRORS),
    "get_total_file_size": lambda task: task.get_total_file_size(),
    "get_buffered_stream": lambda task: task.get_buffered_stream(),
    "result": lambda task: task.result,
    "errors": lambda task: task.errors,
}


def test_reading_a_task_that_runs_raises_an_exception_of_its_own(someone: Prompt) -> None:
    task = someone.start()
    for read in READS.values():
        with pytest.raises(ExportTask.TaskNotReadyException, match=r"IN_PROGRESS.*wait_till_done"):
            read(task)
    assert ExportTask.TaskNotReadyException is ExportTask.ExportTaskException is ExportNotReadyError


def test_a_task_that_has_ended_meanwhile_is_polled_again(someone: Prompt) -> None:
    """A task that has ended meanwhile is polled again before it counts as not ready."""
    task = someone.get_task(someone.start().uid)
    someone.clock.advance(100)
    assert task.has_result() is True


def test_a_canceled_task_is_not_ready_and_never_will_be(someone: Prompt) -> None:
    someone.fake.faults.add(CanceledExport())
    task = someone.start()
    task.wait_till_done()
    for read in READS.values():
        with pytest.raises(ExportNotReadyError, match="never"):
            read(task)


def test_a_failed_task_has_errors_but_no_result(someone: Prompt) -> None:
    """A FAILED task may have errors, and its result is never treated as an empty one."""
    someone.fake.faults.add(FailedExport())
    task = someone.start()
    task.wait_till_done()
    assert (task.has_result(), task.has_errors(), list(task.errors)) == (False, False, [])
    for read in ("get_total_file_size", "get_buffered_stream", "result"):
        with pytest.raises(ExportFailedError, match="has_errors"):
            READS[read](task)
