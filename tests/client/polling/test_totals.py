"""Totals of a complete export: an empty stream is believed only when it is certain."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.waiter import Waiter

from labelbox_export_provider.client.polling import (
    EMPTY_AGAIN_AFTER,
    CompletedTotals,
)
from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.errors import (
    IntegrityError,
)
from labelbox_export_provider.testing.faults import (
    ErrorRows,
    NullFile,
    NullHeader,
)

NOTHING = {"workflow_status": "Done", "batch_ids": ["clnowhere"]}
TWO_ERRORS = ErrorRows(lines=('{"error": "a"}', '{"error": "bc"}'))


@pytest.fixture
def complete(waiter: Waiter) -> Waiter:
    waiter.fake.change(seconds_per_export=0)
    return waiter


def expected(waiter: Waiter) -> StreamTotals:
    export = waiter.fake.exports[-1]
    assert export.rows > 0
    return StreamTotals(size=export.result_bytes, lines=export.rows)


def test_totals_of_both_streams_are_announced(complete: Waiter) -> None:
    """Totals are those that the server announces for both streams."""
    complete.fake.faults.add(TWO_ERRORS)
    complete.start()
    totals = complete.totals()
    errors = StreamTotals(size=len('{"error": "a"}\n{"error": "bc"}\n'), lines=2)
    assert totals == CompletedTotals(expected(complete), errors)
    assert totals.to_json() == {
        "result": {"rows": expected(complete).lines, "bytes": expected(complete).size},
        "errors": {"rows": 2, "bytes": 31},
    }
    assert complete.runner.slept == []


def test_no_errors_are_the_rule_and_cost_no_wait(complete: Waiter) -> None:
    complete.start()
    assert complete.totals() == CompletedTotals(expected(complete), None)
    assert complete.totals().to_json()["errors"] == {"rows": 0, "bytes": 0}
    assert complete.runner.slept == []


@pytest.mark.parametrize("form", ["null", "zero", "null_members"])
def test_empty_export_needs_a_second_read(complete: Waiter, form: str) -> None:
    """An empty export is believed after a second read and a missing first file."""
    complete.fake.change(empty_header=form)
    complete.start(**NOTHING)
    complete.fake.requests.clear()
    assert complete.totals() == CompletedTotals(None, None)
    assert complete.runner.slept == [EMPTY_AGAIN_AFTER]
    asked = [(request.operation_name, request.variables["streamType"]) for request in complete.fake.requests.api]
    assert asked == [
        ("StreamHeader", "RESULT"),
        ("StreamHeader", "RESULT"),
        ("FileFromOffset", "RESULT"),
        ("StreamHeader", "ERRORS"),
        ("FileFromOffset", "ERRORS"),
    ]


@pytest.mark.parametrize("stream", ["RESULT", "ERRORS"])
def test_late_header_does_not_empty_a_stream(complete: Waiter, stream: Any) -> None:
    """A header that is merely late does not turn a full stream into an empty one."""
    complete.fake.faults.add(TWO_ERRORS, NullHeader(stream=stream))
    complete.start()
    totals = complete.totals()
    assert totals.result == expected(complete)
    assert totals.errors == StreamTotals(size=31, lines=2)
    assert complete.runner.slept == [EMPTY_AGAIN_AFTER]


@pytest.mark.parametrize("stream", ["RESULT", "ERRORS"])
def test_stream_with_a_file_is_not_empty(complete: Waiter, stream: Any) -> None:
    """A stream with a file but without a header is not treated as empty."""
    complete.fake.faults.add(TWO_ERRORS, NullHeader(stream=stream, times=None))
    complete.start()
    with pytest.raises(IntegrityError, match=rf"no header for its {stream} stream.*a first file. It is not treated as"):
        complete.totals()


def test_missing_header_and_files_mean_empty(
    complete: Waiter,
) -> None:
    """An export whose header and files are missing for long is all that can look empty."""
    complete.fake.faults.add(NullHeader(stream="RESULT", times=None), NullFile(stream="RESULT", times=None))
    complete.start()
    assert complete.totals().result is None
