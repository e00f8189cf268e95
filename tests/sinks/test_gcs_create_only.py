"""Objects that must not overwrite: resumable uploads in order, through Google's own library."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.stores.gcs_uploads import CONTENT, MINE, PART, expected, inject, parts, put_and_complete, sink, write
from support.stores.servers import gcs_client
from support.streaming.http import Reply, Request, http_server

from labelbox_export_provider.errors import IntegrityError, ObjectExistsError, StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import EXPORT_ID, NewObject, Part, PartBody
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.gcs.writers import PartStream
from labelbox_export_provider.testing.object_store import Fault, StrictGCS

CHUNK = 256 * 1024
CREATED = NewObject("rows", "text/plain", MINE, create_only=True)
THEIRS = NewObject("rows", "text/plain", {EXPORT_ID: "other"})
LOST = [Fault("before"), Fault("half"), Fault("after"), Fault("before", 503, "backendError"), Fault("after", 503)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelbox_export_provider.sinks.gcs.calls.CHUNK_BYTES", CHUNK)


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.when} {fault.status}")
@pytest.mark.parametrize("operation", ["open", "send", "finish"])
def test_a_lost_request_or_answer_loses_and_doubles_no_byte(server: StrictGCS, operation: str, fault: Fault) -> None:
    """The library sends it again."""
    server.fault = inject(operation, fault)
    written = write(server, create_only=True).complete(expected())
    assert server.visible() == {"rows": CONTENT}
    assert written.version_id == str(server.objects["rows"].generation)
    assert "CreateMultipartUpload" not in {call.operation for call in server.calls}


def test_parts_that_are_put_early_wait_for_their_turn(server: StrictGCS) -> None:
    """Their threads end in any order, the bytes are in order."""
    writer = sink(server).begin(CREATED)
    late, *early = parts(part_bytes=PART)
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(writer.put_part, part) for part in reversed(early)]
        writer.put_part(late)
        for done in waiting:
            done.result()
    writer.complete(expected())
    assert server.visible() == {"rows": CONTENT}


def test_a_part_behind_a_missing_one_is_not_sent(server: StrictGCS, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for ever for a part that no thread puts."""
    monkeypatch.setattr(PartStream, "max_gap", 0.1)
    writer = sink(server).begin(CREATED)
    _, second, *_ = parts()
    with pytest.raises(StorageError, match="Part 1 was never put, so part 2 was not sent"):
        writer.put_part(second)
    writer.abort()
    assert server.visible() == {}


def test_an_aborted_object_is_never_published(server: StrictGCS) -> None:
    """The library's thread never sees an end, whenever the writer is aborted."""
    for sent in range(4):
        writer = sink(server).begin(CREATED)
        for part in list(parts(part_bytes=CHUNK // 2))[:sent]:
            writer.put_part(part)
        writer.abort()
        with pytest.raises(StorageError, match="completed or aborted"):
            writer.complete(expected())
    assert server.visible() == {}


def test_a_service_that_stays_busy_is_retryable(server: StrictGCS) -> None:
    """The error of the library's thread is that of the part that waits, and of those that come."""
    server.fault = inject("send", Fault("before", 503, "backendError"), for_ever=True)
    writer = sink(server, retry_timeout=0.2).begin(CREATED)
    with pytest.raises(StorageUnavailableError, match=r"Cloud Storage is busy or failed; retrying may help"):
        put_and_complete(writer)
    writer.abort()
    assert server.visible() == {}


def test_a_session_that_is_gone_is_replaced_by_a_retry(server: StrictGCS) -> None:
    """A session that is gone is an error, and a retry opens another one."""
    writer = write(server, create_only=True)
    server.uploads.clear()
    with pytest.raises(StorageUnavailableError, match=r"session is gone.*A retry opens a new one.*gs://lake/rows"):
        writer.complete(expected())
    write(server, create_only=True).complete(expected())
    assert server.visible() == {"rows": CONTENT}


@pytest.mark.parametrize("kept", [{}, {"Range": "bytes=0-99"}], ids=["nothing", "a part"])
def test_a_chunk_of_which_only_a_part_is_kept_is_retryable(kept: dict[str, str]) -> None:
    """The library gives up then, with an error of Python's or one that names a success."""

    def respond(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(200, b"", {"Location": f"http://{request.headers['host']}/upload?upload_id=u1"})
        return Reply(308, b"", kept)

    with http_server(respond) as address:
        writer = GCSSink(gcs_client(address), "lake", retry_timeout=0.2).begin(CREATED)
        with pytest.raises(StorageUnavailableError, match="kept only a part of what was sent") as given_up:
            put_and_complete(writer)
        writer.abort()
    assert "upload_id" not in str(given_up.value)


def test_creation_over_an_object_is_refused_before_sending(server: StrictGCS) -> None:
    """Creation where something else is, is refused before a byte is sent."""
    sink(server).put(THEIRS, b"theirs")
    with pytest.raises(ObjectExistsError, match="replace=False"):
        write(server, create_only=True)
    assert "send" not in {call.operation for call in server.calls}
    assert server.visible() == {"rows": b"theirs"}


def test_what_comes_meanwhile_is_not_replaced(server: StrictGCS) -> None:
    """The precondition is checked again when the upload ends, so a killed try that still runs replaces nothing."""
    zombie = write(server, create_only=True)
    sink(server).put(THEIRS, b"theirs")
    with pytest.raises(ObjectExistsError, match="replace=False"):
        zombie.complete(expected())
    assert server.visible() == {"rows": b"theirs"}


def test_two_tries_of_one_export_leave_one_object(server: StrictGCS) -> None:
    """Two tries of one export both succeed, and the second compares the bytes that are there."""
    first, second = write(server, create_only=True), write(server, create_only=True)
    generation = first.complete(expected()).version_id
    assert second.complete(expected()).version_id == generation
    third = write(server, create_only=True)
    server.objects["rows"].content = CONTENT[::-1]
    with pytest.raises(ObjectExistsError):
        third.complete(expected())
    assert server.visible() == {"rows": CONTENT[::-1]}


def test_bytes_that_change_on_the_way_are_refused_by_the_server(server: StrictGCS) -> None:
    """The checksum of the whole comes with its last bytes."""
    writer = write(server, create_only=True)
    server.uploads[next(iter(server.uploads))].content[7] ^= 1
    with pytest.raises(StorageUnavailableError, match="Other bytes arrived than were sent"):
        writer.complete(expected())
    assert server.visible() == {}


def test_an_object_of_other_bytes_is_removed(server: StrictGCS) -> None:
    """An object that the store made of other bytes is removed, whoever notices it."""
    server.spoil = lambda content: content[:-1]
    with pytest.raises((IntegrityError, StorageUnavailableError)):
        write(server, create_only=True).complete(expected())
    assert server.visible() == {}


def test_parts_are_read_as_one_file_in_any_sizes() -> None:
    """Reads of any size cross the ends of parts, and a part that comes again is ignored."""
    stream, read = PartStream(), []
    bodies = [b"abc", b"", b"defgh", b"i"]
    memory = bytearray(5)  # of all parts, one after the other
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: [stream.read(4) for _ in range(3)])
        offset = 0
        for number, body in enumerate(bodies, 1):
            for _ in range(2):
                memory[: len(body)] = body
                views = [memoryview(memory)[:2][: len(body)], memoryview(memory)[2 : max(2, len(body))]]
                stream.put(Part(number, offset, PartBody(views), last=False))
                memory[:] = bytes(5)
            offset += len(body)
        stream.end()
        read = reading.result()
    assert (read, stream.tell()) == ([b"abcd", b"efgh", b"i"], 9)


def test_no_session_address_is_in_logs_or_errors(server: StrictGCS, caplog: pytest.LogCaptureFixture) -> None:
    """The address of an upload session is in no log record and no error.

    Anybody who has it can write the object.
    """
    records: list[logging.LogRecord] = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Recorder(1)
    names = ["", "google", "google.auth.transport.requests", "google.api_core", "urllib3", "requests"]
    before = [(name, logging.getLogger(name).level) for name in names]
    for name in names:
        logging.getLogger(name).setLevel(1)
        logging.getLogger(name).addHandler(handler)
    try:
        write(server, create_only=True).complete(expected())
        server.objects.clear()
        server.fault = inject("send", Fault("before"), turn=1, for_ever=True)
        with pytest.raises(StorageUnavailableError) as broken:
            put_and_complete(sink(server, retry_timeout=0.2).begin(CREATED))
    finally:
        for name, level in before:
            logging.getLogger(name).setLevel(level)
            logging.getLogger(name).removeHandler(handler)
    assert any(record.name == "google.auth.transport.requests" for record in records)
    error: BaseException | None = broken.value
    while error is not None:
        assert "as-good-as-a-password" not in repr(error)
        error = error.__cause__ or error.__context__
    assert not [record for record in records if "as-good-as-a-password" in f"{record.getMessage()} {vars(record)}"]
