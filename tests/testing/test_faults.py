"""Every fault that can be asked for happens where, when and as often as asked."""

from __future__ import annotations

import email.utils
import json
import time
from datetime import timedelta

import httpx
import pytest
from support.fake_client import BY_NAME, HTTP, START, Client

from labelbox_export_provider.testing import FakeLabelbox, ManualClock, StreamLayout
from labelbox_export_provider.testing.fault_plan import fault_as_json, fault_from_json
from labelbox_export_provider.testing.faults import (
    KINDS,
    BrokenFile,
    CanceledExport,
    CorruptFile,
    DrippingFile,
    ErrorRows,
    ErrorStatus,
    ExpiredFile,
    FailedExport,
    GraphQLErrorAnswer,
    HiddenExport,
    HtmlAnswer,
    LongerFile,
    LostAnswer,
    NullFile,
    NullHeader,
    RateLimited,
    RefusedFile,
    SlowAnswer,
    SlowExport,
    SlowFile,
    TruncatedFile,
    UnknownStatus,
    WrongRanges,
    WrongTotals,
)

WHO = "query { user { id } }"


def test_a_fault_concerns_the_operation_that_it_names(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorStatus(operation="createdTasks"))
    export_id = client.start()
    assert client.header(export_id) is not None
    assert client.post(BY_NAME, {"name": "x"}).status_code == 502
    fake.faults.add(ErrorStatus(operation="Mine"))
    assert client.post(WHO).status_code == 200
    assert client.post("query Mine { user { id } }").status_code == 502


def test_too_many_requests_come_with_retry_after_in_both_forms(
    fake: FakeLabelbox, client: Client, clock: ManualClock
) -> None:
    fake.faults.add(RateLimited(retry_after=2), RateLimited(retry_after=2, retry_after_as_date=True))
    fake.faults.add(RateLimited(retry_after=None), RateLimited(as_html=True))
    seconds = client.post(WHO)
    assert (seconds.status_code, seconds.headers["retry-after"]) == (429, "2")
    assert seconds.json()["message"].startswith("You have exceeded")
    moment = email.utils.parsedate_to_datetime(client.post(WHO).headers["retry-after"])
    assert moment == clock() + timedelta(seconds=2)
    assert "retry-after" not in client.post(WHO).headers
    assert client.post(WHO).headers["content-type"] == "text/html"


def test_a_gateway_answers_html_and_nothing_is_carried_out(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(HtmlAnswer())
    answer = client.post(START % ("Project", "Project"), client.start_variables())
    assert answer.text.startswith("<!doctype html>")
    assert fake.exports == []


def test_any_graphql_error_can_be_answered(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(GraphQLErrorAnswer(code="RESOURCE_CONFLICT", message="taken", exception_status=409, status=409))
    answer = client.post(WHO)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["message"], error["extensions"]["code"]) == (409, "taken", "RESOURCE_CONFLICT")
    assert error["extensions"]["exception"]["status"] == 409


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_answer_can_be_lost_with_the_export_started_or_not(
    fake: FakeLabelbox, client: Client, carried_out: bool
) -> None:
    fake.faults.add(LostAnswer(operation="exportDataRowsInProject", carried_out=carried_out))
    with pytest.raises(httpx.TransportError):
        client.start()
    assert len(fake.exports) == carried_out
    (request,) = fake.requests.api
    assert (request.status, request.fault, request.carried_out) == (None, "LostAnswer", carried_out)


def test_a_slow_answer_takes_its_time_and_is_carried_out(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(SlowAnswer(seconds=0.2, operation="exportDataRowsInProject"))
    begin = time.monotonic()
    client.start()
    assert time.monotonic() - begin >= 0.2
    fake.faults.add(SlowAnswer(seconds=5))
    with pytest.raises(httpx.ReadTimeout):
        HTTP.post(fake.endpoint, json={"query": WHO}, timeout=0.1)


def test_an_export_can_fail_or_be_canceled(fake: FakeLabelbox, client: Client) -> None:
    fake.change(polls_per_export=1)
    for fault, status in ((FailedExport(), "FAILED"), (CanceledExport(), "CANCELED")):
        fake.faults.add(fault)
        export_id = client.start()
        assert [client.status(export_id) for _ in range(2)] == ["IN_PROGRESS", status]
        assert client.header(export_id) is None


def test_a_fault_of_exports_can_concern_one_project(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(FailedExport(source_id="clother"))
    assert client.status(client.start()) == "COMPLETE"
    fake.faults.add(FailedExport(source_id=fake.project_id))
    assert client.status(client.start()) == "FAILED"


def test_one_export_can_run_longer_or_in_an_unknown_state(
    fake: FakeLabelbox, client: Client, clock: ManualClock
) -> None:
    fake.faults.add(SlowExport(seconds=100), UnknownStatus(status="PAUSED"))
    export_id = client.start()
    clock.advance(99)
    assert client.status(export_id) == "PAUSED"
    clock.advance(1)
    assert client.status(export_id) == "COMPLETE"
    assert client.status(client.start()) == "COMPLETE"


def test_error_rows_make_an_error_stream_beside_the_result(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(ErrorRows(lines=('{"error": "Grüße"}', "not even JSON")))
    export_id = client.start()
    assert client.read(export_id, "ERRORS") == '{"error": "Grüße"}\nnot even JSON\n'.encode()
    assert client.header(export_id, "ERRORS")["totalLines"] == "2"
    assert client.header(export_id)["totalLines"] == "90"
    assert fake.exports[0].error_rows == 2


def test_totals_can_disagree_with_the_files(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(WrongTotals(bytes_by=3, lines_by=-1))
    export_id = client.start()
    size = fake.exports[0].result_bytes
    assert client.header(export_id) == {"totalSize": str(size + 3), "totalLines": "89"}
    assert len(client.read(export_id)) == size


def test_ranges_of_one_file_can_disagree_with_it(fake: FakeLabelbox, client: Client) -> None:
    fake.change(streams=StreamLayout(file_bytes=20000))
    second = client.file_at(client.start(), 20000)
    fake.faults.add(WrongRanges(file_index=1, offsets_by=-2, lines_by=5))
    wrong = client.file_at(client.start(), 20000)
    assert int(wrong["offsets"]["end"]) == int(second["offsets"]["end"]) - 2
    assert int(wrong["lines"]["end"]) == int(second["lines"]["end"]) + 5
    assert HTTP.get(wrong["file"]).content == HTTP.get(second["file"]).content


def test_a_header_can_be_null_at_first(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(NullHeader(times=2, stream="RESULT"))
    export_id = client.start()
    assert [client.header(export_id) is None for _ in range(3)] == [True, True, False]


def test_a_file_can_be_null_in_the_middle(fake: FakeLabelbox, client: Client) -> None:
    fake.faults.add(NullFile(after=1))
    export_id = client.start()
    assert [client.file_at(export_id) is None for _ in range(3)] == [False, True, False]


def test_a_new_export_can_be_missing_from_look_ups_for_a_while(
    fake: FakeLabelbox, client: Client, clock: ManualClock
) -> None:
    fake.faults.add(HiddenExport(seconds=5, looks=1))
    export_id = client.start(name="late")

    def found() -> bool:
        return bool(client.ask(BY_NAME, {"name": "late"})["user"]["createdTasks"])

    assert client.task(export_id) is not None
    assert not found()
    assert not found()
    clock.advance(5)
    assert found()
    fake.faults.add(HiddenExport(looks=1, by_id=True))
    hidden = client.start()
    assert [client.task(hidden) is None for _ in range(2)] == [True, False]


@pytest.fixture
def url(fake: FakeLabelbox, client: Client) -> str:
    return str(client.file_at(client.start())["file"])


@pytest.fixture
def content(url: str) -> bytes:
    return HTTP.get(url).content


def test_a_file_can_be_shorter_or_longer_than_stated(fake: FakeLabelbox, url: str, content: bytes) -> None:
    fake.faults.add(TruncatedFile(keep=10), LongerFile(extra="more"))
    assert HTTP.get(url).content == content[:10]
    assert HTTP.get(url).content == content + b"more"
    assert HTTP.get(url).content == content


def test_a_file_can_break_off(fake: FakeLabelbox, url: str, content: bytes) -> None:
    fake.faults.add(BrokenFile(after_bytes=100))
    with pytest.raises(httpx.TransportError):
        HTTP.get(url)
    assert HTTP.get(url, headers={"Range": "bytes=100-"}).content == content[100:]


@pytest.mark.parametrize("hash_agrees", [True, False])
def test_a_file_can_hold_another_byte(fake: FakeLabelbox, url: str, content: bytes, hash_agrees: bool) -> None:
    honest = HTTP.get(url).headers["x-goog-hash"]
    fake.faults.add(CorruptFile(position=17, hash_agrees=hash_agrees))
    answer = HTTP.get(url)
    different = [place for place, (a, b) in enumerate(zip(answer.content, content, strict=True)) if a != b]
    assert different == [17]
    assert (answer.headers["x-goog-hash"] == honest) is not hash_agrees


def test_a_file_can_be_refused_or_expired(fake: FakeLabelbox, url: str) -> None:
    fake.faults.add(RefusedFile(), RefusedFile(status=404), ExpiredFile())
    assert [HTTP.get(url).status_code for _ in range(2)] == [403, 404]
    expired = HTTP.get(url)
    assert (expired.status_code, "ExpiredToken" in expired.text) == (400, True)
    assert HTTP.get(url).status_code == 200
    assert [request.fault for request in fake.requests.files] == ["RefusedFile", "RefusedFile", "ExpiredFile", None]


def test_a_file_can_be_slow(fake: FakeLabelbox, url: str) -> None:
    fake.faults.add(SlowFile(seconds=0.2))
    begin = time.monotonic()
    assert HTTP.get(url).status_code == 200
    assert time.monotonic() - begin >= 0.2


def test_a_file_can_drip(fake: FakeLabelbox, url: str) -> None:
    """The rest of the answer comes byte by byte."""
    whole = HTTP.get(url).content
    fake.faults.add(DrippingFile(after_bytes=len(whole) - 4, seconds_per_byte=0.05))
    begin = time.monotonic()
    assert HTTP.get(url).content == whole
    assert time.monotonic() - begin >= 0.2


def test_a_fault_can_concern_one_stream(fake: FakeLabelbox, client: Client) -> None:
    """A request for the other stream is answered at once."""
    fake.faults.add(SlowAnswer(stream="RESULT", seconds=0.3))
    export_id = client.start()
    begin = time.monotonic()
    client.header(export_id, "ERRORS")
    assert time.monotonic() - begin < 0.3
    client.header(export_id)
    assert time.monotonic() - begin >= 0.3


def test_a_fault_of_files_can_concern_one_of_them(fake: FakeLabelbox, client: Client) -> None:
    fake.change(streams=StreamLayout(file_bytes=20000))
    fake.faults.add(RefusedFile(file_index=1, stream="RESULT"))
    export_id = client.start()
    first = client.file_at(export_id)
    second = client.file_at(export_id, int(first["offsets"]["end"]) + 1)
    assert [HTTP.get(file["file"]).status_code for file in (first, second, second)] == [200, 403, 200]


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_has_a_json_form(name: str) -> None:
    fault = KINDS[name](times=3, after=1)
    assert fault_from_json(json.loads(json.dumps(fault_as_json(fault)))) == fault
    with pytest.raises(ValueError, match=f"{name} has no color"):
        fault_from_json({"fault": name, "color": 1})


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="LostAnswer"):
        fault_from_json({"fault": "Nonsense"})
