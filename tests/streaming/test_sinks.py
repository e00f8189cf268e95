"""What every store promises, and what each adds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.streaming_stores import (
    BUCKET,
    files,
    objects,
    open_uploads,
    s3_client,
)

from labelbox_export_provider.spec.errors import (
    ConfigurationError,
    IntegrityError,
    ObjectExistsError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.streaming.sinks.base import (
    EXPORT_ID,
    ExpectedObject,
    NewObject,
    ObjectWriter,
    Part,
    PartBody,
    Sink,
)
from labelbox_export_provider.streaming.sinks.file import FileSink
from labelbox_export_provider.streaming.sinks.s3 import S3Sink

MIB = 1024**2


@dataclass
class Store:
    name: str
    sink: Sink
    visible: Callable[[], dict[str, bytes]]
    litter: Callable[[], list[str]]


NewBucket = Callable[[str], tuple[Any, str]]


@pytest.fixture(params=["file", "moto", "rclone"])
def store(request: pytest.FixtureRequest, tmp_path: Path, new_bucket: NewBucket) -> Store:
    if request.param == "file":
        root = tmp_path / "lake"
        root.mkdir()

        def visible() -> dict[str, bytes]:
            return {name: data for name, data in files(root).items() if "/." not in f"/{name}"}

        return Store("file", FileSink(root), visible, lambda: [name for name in files(root) if "/." in f"/{name}"])
    client, bucket = new_bucket(request.getfixturevalue(request.param))
    return Store(
        request.param,
        S3Sink(client, bucket),
        lambda: objects(client, bucket),
        lambda: open_uploads(client, bucket),
    )


where_the_store_can = pytest.mark.parametrize("store", ["file", "moto"], indirect=True)
"""What rclone's server does not offer, whoever the client is: it lets an aborted upload be completed and ignores
`If-None-Match`. `S3Sink` says so of such stores."""


def expected(content: bytes) -> ExpectedObject:
    return ExpectedObject(len(content), google_crc32c.value(content))


def put_all(writer: ObjectWriter, content: bytes, part_bytes: int) -> None:
    starts = list(range(0, len(content), part_bytes)) or [0]
    for number, start in enumerate(starts, 1):
        body = PartBody([content[start : start + part_bytes]])
        writer.put_part(Part(number, start, body, last=number == len(starts)))


PARTS = os.urandom(5 * MIB) * 2 + b"the rest"


@pytest.mark.parametrize("content", [PARTS, b"small", b""], ids=["three parts", "one part", "empty"])
def test_an_object_appears_whole_when_it_is_completed_and_not_before(store: Store, content: bytes) -> None:
    writer = store.sink.begin(NewObject("data/a=1/rows.gz", "application/gzip", {EXPORT_ID: "e1"}))
    put_all(writer, content, 5 * MIB)
    assert store.visible() == {}
    written = writer.complete(expected(content))
    assert store.visible() == {"data/a=1/rows.gz": content}
    assert store.litter() == []
    assert (written.size, written.crc32c) == (len(content), google_crc32c.value(content))
    assert written.uri == store.sink.uri("data/a=1/rows.gz")


def test_an_aborted_object_leaves_nothing(store: Store) -> None:
    writer = store.sink.begin(NewObject("rows.gz", "application/gzip"))
    put_all(writer, PARTS, 5 * MIB)
    writer.abort()
    writer.abort()
    assert store.visible() == {}
    assert store.litter() == []


def test_an_overwritten_object_keeps_its_old_content_until_the_new_one_is_complete(store: Store) -> None:
    store.sink.put(NewObject("rows", "text/plain"), b"old")
    writer = store.sink.begin(NewObject("rows", "text/plain"))
    put_all(writer, PARTS, 5 * MIB)
    assert store.visible() == {"rows": b"old"}
    writer.complete(expected(PARTS))
    assert store.visible() == {"rows": PARTS}


def test_parts_that_do_not_add_up_are_never_published(store: Store) -> None:
    """G3: verified before visible."""
    writer = store.sink.begin(NewObject("rows", "text/plain"))
    put_all(writer, PARTS, 5 * MIB)
    with pytest.raises(IntegrityError, match=str(len(PARTS) + 1)):
        writer.complete(ExpectedObject(len(PARTS) + 1, 0))
    writer.abort()
    assert store.visible() == {}


@where_the_store_can
def test_the_next_try_removes_what_a_killed_one_left_and_fences_it(store: Store) -> None:
    """G2: nothing partial is ever visible."""
    zombie = store.sink.begin(NewObject("rows", "text/plain"))
    neighbour = store.sink.begin(NewObject("rows.2", "text/plain"))
    for writer in (zombie, neighbour):
        writer.put_part(Part(1, 0, PartBody([b"x" * 5 * MIB]), last=False))
    assert store.sink.abort_open_uploads("rows") == 1
    assert len(store.litter()) == 1

    def go_on() -> None:
        zombie.put_part(Part(2, 5 * MIB, PartBody([b"y"]), last=True))
        zombie.complete(expected(b"x" * 5 * MIB + b"y"))

    with pytest.raises(StorageError):
        go_on()
    assert store.visible() == {}
    neighbour.abort()
    assert store.litter() == []


@where_the_store_can
def test_create_only_refuses_what_somebody_else_put_there_meanwhile(store: Store) -> None:
    for content in (b"small", PARTS):
        writer = store.sink.begin(NewObject("rows", "text/plain", {EXPORT_ID: "e1"}, create_only=True))
        put_all(writer, content, 5 * MIB)
        store.sink.put(NewObject("rows", "text/plain", {EXPORT_ID: "other"}), b"theirs")
        with pytest.raises(ObjectExistsError, match="replace"):
            writer.complete(expected(content))
        writer.abort()
        assert store.visible() == {"rows": b"theirs"}
        assert store.litter() == []


def test_create_only_accepts_the_very_same_object_of_an_earlier_try(store: Store) -> None:
    for _ in range(2):
        writer = store.sink.begin(NewObject("rows", "text/plain", {EXPORT_ID: "e1"}, create_only=True))
        put_all(writer, PARTS, 5 * MIB)
        writer.complete(expected(PARTS))
        writer.abort()
    assert store.visible() == {"rows": PARTS}


def test_head_and_read_tell_what_is_there(store: Store) -> None:
    assert store.sink.head("rows") is None
    assert store.sink.read("rows", limit=10) is None
    store.sink.put(NewObject("rows", "text/plain", {EXPORT_ID: "e1"}), b"0123456789abc")
    there = store.sink.head("rows")
    assert there is not None
    assert there.size == 13
    assert there.metadata is None or there.metadata[EXPORT_ID] == "e1"
    assert store.sink.read("rows", limit=10) == b"0123456789"


@pytest.mark.parametrize("key", ["", "/rows", "a//b", "../rows", "a/./b", "rows/"])
def test_a_key_that_could_leave_the_root_is_refused(tmp_path: Path, key: str) -> None:
    for sink in (FileSink(tmp_path), S3Sink(None, BUCKET)):
        with pytest.raises(ConfigurationError, match="relative"):
            sink.begin(NewObject(key, "text/plain"))


@given(st.lists(st.binary(max_size=20), max_size=6), st.lists(st.integers(0, 90), max_size=6))
def test_a_part_body_reads_like_the_joined_buffers_at_any_place(buffers: list[bytes], places: list[int]) -> None:
    whole, body = b"".join(buffers), PartBody(buffers)
    assert len(body) == len(whole)
    for place in [0, *places]:
        body.seek(place)
        assert body.read(7) == whole[place : place + 7]
        assert body.read() == whole[place + 7 :]


# --- files


def test_a_killed_writer_of_a_file_leaves_nothing_visible_and_the_next_try_cleans_up(tmp_path: Path) -> None:
    """G2: nothing partial is ever visible."""
    program = f"""
        import os, signal
        from labelbox_export_provider.streaming.sinks.base import NewObject, Part, PartBody
        from labelbox_export_provider.streaming.sinks.file import FileSink
        writer = FileSink({str(tmp_path)!r}).begin(NewObject("data/rows", "text/plain"))
        writer.put_part(Part(1, 0, PartBody([b"x" * 1000000]), last=False))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert ended.returncode == -9
    left = files(tmp_path)
    assert [name.startswith("data/.labelbox-") for name in left] == [True]
    sink = FileSink(tmp_path)
    assert sink.abort_open_uploads("data/rows") == 1
    sink.put(NewObject("data/rows", "text/plain"), b"done")
    assert files(tmp_path) == {"data/rows": b"done"}


def test_a_file_store_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    with pytest.raises(StorageError, match="choose another root") as caught:
        FileSink(tmp_path / "lake").begin(NewObject("data/rows", "text/plain"))
    assert "Nothing was published" in str(caught.value)


# --- S3


def test_sink_args_reach_the_store_and_misspelt_ones_are_refused(moto: str, new_bucket: NewBucket) -> None:
    client, bucket = new_bucket(moto)
    sink = S3Sink(client, bucket, {"StorageClass": "STANDARD_IA", "Tagging": "team=vision"})
    sink.put(NewObject("one", "text/plain"), b"1")
    writer = sink.begin(NewObject("two", "text/plain"))
    put_all(writer, PARTS, 5 * MIB)
    writer.complete(expected(PARTS))
    for key in ("one", "two"):
        assert client.head_object(Bucket=bucket, Key=key)["StorageClass"] == "STANDARD_IA"
        tags = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        assert tags == [{"Key": "team", "Value": "vision"}]
    with pytest.raises(ConfigurationError, match="Did you mean 'StorageClass'"):
        S3Sink(client, bucket, {"StorageClas": "STANDARD"})
    with pytest.raises(ConfigurationError, match="decompress twice"):
        S3Sink(client, bucket, {"ContentEncoding": "gzip"})


def test_an_object_in_s3_never_has_a_content_encoding(moto: str, new_bucket: NewBucket) -> None:
    client, bucket = new_bucket(moto)
    S3Sink(client, bucket).put(NewObject("rows.gz", "application/gzip"), b"1")
    head = client.head_object(Bucket=bucket, Key="rows.gz")
    assert (head["ContentType"], head.get("ContentEncoding")) == ("application/gzip", None)


def test_a_bucket_that_does_not_exist_is_named_with_the_option_to_correct(moto: str) -> None:
    sink = S3Sink(s3_client(moto), "no-such-bucket")
    for call in (
        lambda: sink.abort_open_uploads("rows"),
        lambda: sink.put(NewObject("rows", "text/plain"), b"1"),
        lambda: put_all(sink.begin(NewObject("rows", "text/plain")), PARTS, 5 * MIB),
    ):
        with pytest.raises(StorageError, match=r"no bucket 'no-such-bucket'.*s3_bucket") as caught:
            call()
        assert not caught.value.retryable
        assert caught.value.__context__ is None


def test_refused_credentials_name_the_connection(rclone: str) -> None:
    sink = S3Sink(s3_client(rclone, secret="wrong-secret-key"), "any")
    with pytest.raises(StorageError, match="Renew them in the connection") as caught:
        sink.put(NewObject("rows", "text/plain"), b"1")
    assert not caught.value.retryable


def test_a_store_that_cannot_be_reached_is_worth_a_retry() -> None:
    sink = S3Sink(s3_client("http://127.0.0.1:9", attempts=1), "any")
    with pytest.raises(StorageUnavailableError, match="endpoint_url") as caught:
        sink.put(NewObject("rows", "text/plain"), b"1")
    assert caught.value.retryable
