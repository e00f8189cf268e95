"""Upload sessions of the strict server behave as those of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.stores.gcs_library import (
    CONTENT,
    QUANTUM,
    Session,
    inject,
    operations,
    refused_in_a_session,
    write,
)
from support.stores.servers import BUCKET, gcs_client

from labelbox_export_provider.testing.object_store import Fault, StrictGCS, strict_gcs

if TYPE_CHECKING:
    from google.cloud.storage import Bucket


@pytest.fixture
def server() -> Iterator[StrictGCS]:
    with strict_gcs() as served:
        yield served


@pytest.fixture
def bucket(server: StrictGCS) -> Bucket:
    return gcs_client(server.address).bucket(BUCKET)


def test_an_object_is_visible_with_its_last_chunk(server: StrictGCS, bucket: Bucket) -> None:
    """An object of many chunks is visible once its last byte is there."""
    stream = bucket.blob("rows").open("wb", chunk_size=QUANTUM)
    stream.write(CONTENT)
    assert (server.visible(), server.open_sessions()) == ({}, ["rows"])
    stream.close()
    assert (server.visible(), server.open_sessions()) == ({"rows": CONTENT}, [])
    assert operations(server) == ["open", "send", "send", "send", "send", "send", "finish"]


@pytest.mark.parametrize("content", [b"", b"x" * QUANTUM, b"x" * 2 * QUANTUM], ids=["empty", "one", "two"])
def test_an_object_may_be_empty_or_end_with_a_whole_chunk(server: StrictGCS, bucket: Bucket, content: bytes) -> None:
    write(bucket.blob("rows"), content, chunk_quanta=1)
    assert server.visible() == {"rows": content}


LOST = [
    Fault("before"),
    Fault("half"),
    Fault("half", keeps=QUANTUM),
    Fault("half", keeps=QUANTUM - 1),
    Fault("after"),
    Fault("half", 503, "backendError"),
    Fault("after", 503, "backendError"),
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.when} {fault.status} {fault.keeps}")
@pytest.mark.parametrize(("operation", "turn"), [("send", 0), ("send", 1), ("finish", 0)])
def test_the_library_resends_a_whole_chunk(
    server: StrictGCS, bucket: Bucket, operation: str, turn: int, fault: Fault
) -> None:
    """The library sends a chunk that was lost or kept in part again, all of it."""
    server.takes_overlaps = True
    server.fault = inject(operation, turn, fault)
    write(bucket.blob("rows"), checksum="crc32c")
    assert server.visible() == {"rows": CONTENT}
    assert operations(server).count(operation) == {"send": 3, "finish": 2}[operation]


@pytest.mark.parametrize(("keeps", "kept"), [(None, 2), (3 * QUANTUM, 3), (2 * QUANTUM - 1, 1), (QUANTUM - 1, 0)])
def test_multiples_of_a_broken_chunk_are_kept(server: StrictGCS, bucket: Bucket, keeps: int | None, kept: int) -> None:
    """Of a chunk that broke off, whole multiples are kept and reported."""
    server.fault = inject("send", 0, Fault("half", 503, "backendError", keeps=keeps))
    session = Session(bucket.blob("rows"))
    assert session.put(f"0-{4 * QUANTUM - 1}/*", CONTENT[: 4 * QUANTUM]) == (503, None)
    there = kept * QUANTUM
    assert session.put("*/*") == (308, f"bytes=0-{there - 1}" if there else None)
    assert session.put(f"*/{len(CONTENT)}") == (308, f"bytes=0-{there - 1}" if there else None)
    assert session.put(f"{there}-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT[there:]) == (200, None)
    assert server.visible() == {"rows": CONTENT}
    assert session.put("*/*") == (200, None)


def test_the_chunk_that_ends_an_object_may_be_kept_in_part_too(server: StrictGCS, bucket: Bucket) -> None:
    server.fault = inject("finish", 0, Fault("half", 503, "backendError"))
    session = Session(bucket.blob("rows"))
    assert session.put(f"0-{len(CONTENT) - 1}/{len(CONTENT)}", CONTENT) == (503, None)
    assert session.put("*/*") == (308, f"bytes=0-{2 * QUANTUM - 1}")
    assert (server.visible(), server.open_sessions()) == ({}, ["rows"])


def test_chunks_that_do_not_join_are_refused(server: StrictGCS, bucket: Bucket) -> None:
    """Chunks that leave a gap, overlap or have an odd size are refused."""
    session = Session(bucket.blob("rows"))
    two = b"x" * 2 * QUANTUM
    assert session.put(f"0-{QUANTUM - 2}/*", two[: QUANTUM - 1]) == (400, None)
    assert session.put(f"{QUANTUM}-{2 * QUANTUM - 1}/*", two[:QUANTUM]) == (400, None)
    assert session.put(f"0-{QUANTUM - 1}/*", two) == (400, None)
    assert session.put(f"0-{QUANTUM - 1}/{QUANTUM - 5}", two[:QUANTUM]) == (400, None)
    assert session.put("*/*", two[:QUANTUM]) == (400, None)
    assert session.put("all of it", b"x") == (400, None)
    assert session.put("*/*") == (308, None)
    assert session.put(f"0-{2 * QUANTUM - 1}/*", two) == (308, f"bytes=0-{2 * QUANTUM - 1}")
    assert session.put(f"{QUANTUM}-{3 * QUANTUM - 1}/*", two) == (400, None)
    assert session.put(f"*/{QUANTUM}") == (400, None)
    assert (server.visible(), server.open_sessions()) == ({}, ["rows"])
    assert session.put(f"*/{2 * QUANTUM}") == (200, None)
    assert server.visible() == {"rows": two}


def test_a_total_that_was_named_stays(server: StrictGCS, bucket: Bucket) -> None:
    session = Session(bucket.blob("rows"), size=10)
    assert session.put("0-8/9", b"x" * 9) == (400, None)
    assert session.put("0-9/10", b"x" * 10) == (200, None)
    assert server.visible() == {"rows": b"x" * 10}


def test_a_cancelled_session_is_gone_with_what_it_held(server: StrictGCS, bucket: Bucket) -> None:
    session = Session(bucket.blob("rows"))
    session.put(f"0-{QUANTUM - 1}/*", CONTENT[:QUANTUM])
    assert session.cancel() == 499
    assert (server.visible(), server.open_sessions()) == ({}, [])
    assert session.put("*/*") == (410, None)
    assert session.put(f"{QUANTUM}-{2 * QUANTUM - 1}/*", CONTENT[:QUANTUM]) == (410, None)
    assert session.cancel() == 410


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_expires_ends_the_upload(server: StrictGCS, bucket: Bucket, status: int) -> None:
    stream = bucket.blob("rows").open("wb", chunk_size=QUANTUM)
    stream.write(CONTENT)
    server.expire_uploads(status)
    with refused_in_a_session(status):
        stream.close()
    assert (server.visible(), server.open_sessions()) == ({}, [])
