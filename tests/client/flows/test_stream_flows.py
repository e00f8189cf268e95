"""Flows that read totals and files of streams, or cancel an export, without driver, network or clock."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.conversations import answer, by_hand
from support.client.flow_answers import INVALID, POLICY, UNKNOWN, file, header

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.types import (
    Answer,
    ExportFile,
    StreamTotals,
    StreamType,
)
from labelbox_export_provider.errors import (
    IntegrityError,
    NotFoundError,
    ProtocolError,
)


@pytest.mark.parametrize(("size", "lines"), [(17, 3), ("17", "3"), ("17", 3)])
def test_totals_are_read_from_numbers_and_from_text(size: object, lines: object) -> None:
    done = by_hand(
        flows.stream_totals("t1", StreamType.ERRORS, POLICY), header({"totalSize": size, "totalLines": lines})
    )
    assert done.value == StreamTotals(17, 3)
    assert done.sends[0].variables == {"where": {"id": "t1"}, "streamType": "ERRORS"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"totalSize": 0, "totalLines": 0},
        {"totalSize": "0", "totalLines": "0"},
        {"totalSize": None, "totalLines": None},
    ],
)
def test_empty_stream_has_three_forms(value: object) -> None:
    """An empty stream may be reported as null as nulls or as zeros."""
    done = by_hand(flows.stream_totals("t1", StreamType.RESULT, POLICY), header(value))
    assert (done.value, done.error) == (None, None)


def test_more_than_64_bits_do_not_fit() -> None:
    largest = 2**64 - 1
    done = by_hand(
        flows.stream_totals("t1", StreamType.RESULT, POLICY), header({"totalSize": str(largest), "totalLines": 1})
    )
    assert done.value == StreamTotals(largest, 1)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"totalSize": 17, "totalLines": None}, IntegrityError),
        ({"totalSize": None, "totalLines": 3}, IntegrityError),
        ({"totalSize": 0, "totalLines": 3}, IntegrityError),
        ({"totalSize": -1, "totalLines": 3}, IntegrityError),
        ({"totalSize": "-1", "totalLines": 3}, IntegrityError),
        ({"totalSize": 2**64, "totalLines": 3}, IntegrityError),
        ({"totalSize": "many", "totalLines": 3}, ProtocolError),
        ({"totalSize": 1.5, "totalLines": 3}, ProtocolError),
        ({"totalSize": True, "totalLines": 3}, ProtocolError),
        ({"totalSize": "\u0663", "totalLines": 3}, ProtocolError),
        ({"totalSize": "", "totalLines": 3}, ProtocolError),
        ({"totalSize": "-", "totalLines": 3}, ProtocolError),
        ([], ProtocolError),
    ],
)
def test_nonsense_totals_are_not_an_empty_stream(value: object, error: type[Exception]) -> None:
    """Totals that make no sense are never treated as an empty stream."""
    assert type(by_hand(flows.stream_totals("t1", StreamType.RESULT, POLICY), header(value)).error) is error


@pytest.mark.parametrize("flow", [flows.stream_totals, flows.has_file], ids=["totals", "has_file"])
def test_an_export_that_is_not_there_is_not_an_empty_one(flow: Any) -> None:
    error = by_hand(flow("t1", StreamType.RESULT, POLICY), answer({"task": None})).error
    assert isinstance(error, NotFoundError)
    assert "t1" in str(error)


def test_file_is_asked_for_by_offset() -> None:
    """A file is asked for by its offset as text and described in full."""
    done = by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), file("0", "9", 0, "2"))
    assert done.value == ExportFile(0, 9, 0, 2, "https://h/f?s")
    assert done.value.size == 10
    assert done.sends[0].variables == {"where": {"id": "t1"}, "streamType": "RESULT", "offset": "5"}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer({"task": {"exportFileFromOffset": None}}), IntegrityError),
        (file(6, 9), IntegrityError),
        (file(0, 4), IntegrityError),
        (file(9, 0), IntegrityError),
        (file(-1, 9), IntegrityError),
        (file(0, 9, -1, 2), IntegrityError),
        (file(0, 9, 3, 2), IntegrityError),
        (file(None, 9), ProtocolError),
        (file(0, 9, "x", 2), ProtocolError),
        (file(url=None), ProtocolError),
        (file(url=""), ProtocolError),
        (file(url=7), ProtocolError),
        (answer({"task": {"exportFileFromOffset": {"file": "https://h/f?s"}}}), ProtocolError),
        (answer({"task": {"exportFileFromOffset": []}}), ProtocolError),
    ],
)
def test_nonsense_file_is_refused_without_its_url(reply: Answer, error: type[Exception]) -> None:
    """A file that makes no sense is refused without showing its URL."""
    done = by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), reply)
    assert type(done.error) is error
    assert "https://h" not in str(done.error)


def test_the_url_of_a_file_is_not_shown_by_repr() -> None:
    assert "https" not in repr(by_hand(flows.file_at("t1", StreamType.RESULT, 5, POLICY), file()).value)


@pytest.mark.parametrize(
    ("reply", "there"), [(file(), True), (answer({"task": {"exportFileFromOffset": None}}), False), (UNKNOWN, False)]
)
def test_whether_a_stream_has_a_file_at_all_can_be_asked(reply: Answer, there: bool) -> None:
    assert by_hand(flows.has_file("t1", StreamType.RESULT, POLICY), reply).value is there


CANCELABLE = answer({"cancelableTaskTypes": ["importDataRows", "exportDataRows"]})


def test_an_export_is_canceled_when_its_type_is_cancelable() -> None:
    accepted = answer({"cancelBulkOperationJob": {"success": True}})
    done = by_hand(flows.cancel_export("t1", "export-data-rows", POLICY), CANCELABLE, accepted)
    assert done.value is True
    assert done.sends[-1].variables == {"id": "t1"}


def test_an_export_whose_type_is_not_cancelable_is_left_alone() -> None:
    done = by_hand(
        flows.cancel_export("t1", "export-data-rows", POLICY), answer({"cancelableTaskTypes": ["importDataRows"]})
    )
    assert done.value is False
    assert done.operations == ["CancelableTaskTypes"]


@pytest.mark.parametrize("reply", [INVALID, UNKNOWN, answer({"cancelBulkOperationJob": None})])
def test_a_refusal_to_cancel_is_an_answer_and_not_an_error(reply: Answer) -> None:
    assert by_hand(flows.cancel_export("t1", "export-data-rows", POLICY), CANCELABLE, reply).value is False


def test_canceling_is_tried_without_known_types() -> None:
    """Where cancelable types cannot be read canceling is tried all the same."""
    accepted = answer({"cancelBulkOperationJob": {"success": True}})
    assert by_hand(flows.cancel_export("t1", None, POLICY), INVALID, accepted).value is True
