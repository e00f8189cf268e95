"""Uploads to Google Cloud Storage: lost chunks, answers and sessions, and what other writers do."""

from __future__ import annotations

import logging

import pytest
from support.stores.gcs_uploads import CONTENT, MINE, expected, inject, parts, put, put_and_complete, sink, write

from labelbox_export_provider.errors import (
    IntegrityError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    NewObject,
)
from labelbox_export_provider.sinks.gcs.arguments import QUANTUM
from labelbox_export_provider.testing.object_store import Fault, StrictGCS

LOST = [Fault("before"), Fault("half"), Fault("after"), Fault("before", 503, "backendError"), Fault("after", 503)]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.when} {fault.status}")
@pytest.mark.parametrize(("operation", "turn"), [("send", 0), ("send", 2), ("finish", 0)])
def test_a_lost_request_or_answer_loses_and_doubles_no_byte(
    server: StrictGCS, operation: str, turn: int, fault: Fault
) -> None:
    """A lost request or answer is repeated without a byte lost or doubled."""
    server.fault = inject(operation, fault, turn=turn)
    written = write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}
    assert written.version_id == str(server.objects["rows"].generation)
    assert "ask" in {call.operation for call in server.calls}


def test_only_the_unconfirmed_half_of_a_chunk_is_resent(server: StrictGCS) -> None:
    """Of a chunk of which the server kept one half, only the other half is sent again."""
    server.fault = inject("send", Fault("half"), turn=1)
    writer = sink(server).begin(NewObject("rows", "text/plain"))
    put(writer, part_bytes=4 * QUANTUM)
    writer.complete(expected())
    sent = sum(call.size for call in server.calls if "upload_id" in call.query)
    assert sent == len(CONTENT) + QUANTUM
    assert server.visible() == {"rows": CONTENT}


def test_a_lost_opening_of_a_session_leaves_nothing_that_is_seen(server: StrictGCS) -> None:
    server.fault = inject("open", Fault("after"))
    write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}
    # GCS drops the first one after a week.
    assert server.open_uploads() == ["rows"]


@pytest.mark.parametrize("operation", ["open", "send", "finish"])
def test_a_service_that_stays_busy_is_retryable(server: StrictGCS, operation: str) -> None:
    """A service that stays busy is worth a retry, and nothing is left."""
    server.fault = inject(operation, Fault("before", 503, "backendError"), for_ever=True)
    writer = sink(server, retry_timeout=0.2).begin(NewObject("rows", "text/plain", MINE))
    with pytest.raises(
        StorageUnavailableError, match=r"retrying may help.*gs://lake/rows was answered with .*HTTP 503"
    ):
        put_and_complete(writer)
    server.fault = lambda call: None
    writer.abort()
    assert (server.visible(), server.open_uploads()) == ({}, [])


def test_an_object_of_which_a_part_failed_cannot_be_completed(server: StrictGCS) -> None:
    """Verified before visible: by us, not by the store alone."""
    server.fault = inject("send", Fault("before", 503, "backendError"), turn=1, for_ever=True)
    writer = sink(server, retry_timeout=0.2).begin(NewObject("rows", "text/plain", MINE))
    failed = 0
    for part in parts():
        try:
            writer.put_part(part)
        except StorageError:
            failed += 1
    assert failed > 1
    server.fault = lambda call: None
    asked = len(server.calls)
    with pytest.raises(IntegrityError, match="Nothing was published"):
        writer.complete(expected())
    assert len(server.calls) == asked
    assert server.visible() == {}


def test_a_session_that_is_gone_is_replaced_by_a_retry(server: StrictGCS) -> None:
    """A session that is gone is an error, and a retry opens another one."""
    writer = write(server)
    server.uploads.clear()
    with pytest.raises(StorageUnavailableError, match=r"session is gone.*A retry opens a new one.*gs://lake/rows"):
        writer.complete(expected())
    write(server).complete(expected())
    assert server.visible() == {"rows": CONTENT}


def test_bytes_that_change_on_the_way_are_refused_by_the_server(server: StrictGCS) -> None:
    writer = write(server)
    server.uploads[next(iter(server.uploads))].content[7] ^= 1
    with pytest.raises(StorageUnavailableError, match="Other bytes arrived than were sent"):
        writer.complete(expected())
    assert server.visible() == {}


def test_an_object_of_other_bytes_is_removed(server: StrictGCS) -> None:
    """An object that the store made of other bytes is removed."""
    server.spoil = lambda content: content[:-1]
    with pytest.raises(IntegrityError, match=r"made 1323064 bytes .* of 1323065 bytes .* It was removed again"):
        write(server).complete(expected())
    assert server.visible() == {}


def test_a_zombie_cannot_overwrite_the_next_try(server: StrictGCS) -> None:
    """A killed try that still runs cannot write over what the next one has published.

    Whatever it sent, it began when there was something else at the name, and so GCS refuses it.
    """
    zombie = write(server)
    other = CONTENT[::-1]
    later = sink(server).begin(NewObject("rows", "text/plain", {EXPORT_ID: "another export"}))
    put(later, other)
    later.complete(expected(other))
    with pytest.raises(StorageError, match="Another try of the same task has taken over"):
        zombie.complete(expected())
    zombie.abort()
    assert server.visible() == {"rows": other}
    assert server.open_uploads() == []


def test_two_tries_of_one_export_leave_one_object(server: StrictGCS) -> None:
    """Two tries of one export both succeed and leave one object."""
    first, second = write(server), write(server)
    assert second.complete(expected()).version_id == first.complete(expected()).version_id
    first.abort()
    assert server.visible() == {"rows": CONTENT}
    assert server.open_uploads() == []


@pytest.mark.parametrize("answered", [b"", b"[]", b'{"name": "rows"}'])
def test_a_completion_without_generation_is_retryable(server: StrictGCS, answered: bytes) -> None:
    """A completion of an upload that names no generation is worth a retry."""
    server.fault = inject("finish", Fault("after", 200, body=answered))
    writer = write(server)
    with pytest.raises(StorageUnavailableError, match="but not its generation"):
        writer.complete(expected())


def test_sink_args_become_properties_of_the_object(server: StrictGCS) -> None:
    """The properties that `sink_args` set are those of the object in the store."""
    given = {
        "storage_class": "NEARLINE",
        "kms_key_name": "projects/p/locations/eu/keyRings/r/cryptoKeys/k",
        "custom_time": "2026-11-22T02:00:00+00:00",
        "predefined_acl": "bucketOwnerFullControl",
    }
    store = sink(server, sink_args=given, user_project="who-pays")
    writer = store.begin(NewObject("large", "text/plain", MINE))
    put(writer)
    writer.complete(expected())
    store.put(NewObject("small", "text/plain", MINE), b"x")
    for key in ("large", "small"):
        metadata = server.objects[key].metadata
        assert metadata["storageClass"] == "NEARLINE"
        assert metadata["customTime"].startswith("2026-11-22T02:00:00")
        assert "contentEncoding" not in metadata
    opened = [call.query for call in server.calls if call.method == "POST"]
    assert len(opened) == 2
    for query in opened:
        assert query["userProject"] == "who-pays"
        assert query["predefinedAcl"] == "bucketOwnerFullControl"
        assert query["kmsKeyName"].startswith("projects")


def test_no_session_address_is_in_logs_or_errors(server: StrictGCS, caplog: pytest.LogCaptureFixture) -> None:
    """The address of an upload session is in no log record and no error.

    Anybody who has it can write the object.
    """
    records: list[logging.LogRecord] = []

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    handler = Recorder(1)
    names = ["", "google", "google.auth.transport.requests", "urllib3", "requests"]
    before = [(name, logging.getLogger(name).level) for name in names]
    for name in names:
        logging.getLogger(name).setLevel(1)
        logging.getLogger(name).addHandler(handler)
    try:
        write(server).complete(expected())
        server.fault = inject("send", Fault("before"), turn=4, for_ever=True)
        with pytest.raises(StorageUnavailableError) as broken:
            write(server, retry_timeout=0.2)
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
