"""What every store promises, and what each adds."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores.gcs_uploads import PART
from support.stores.servers import (
    file_store,
    files,
    s3_client,
    s3_store,
    strict_gcs_store,
    strict_store,
)

from labelbox_export_provider.errors import ConfigurationError, StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.base import ExpectedObject, NewObject, ObjectWriter, Part, PartBody
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Promise, SinkConformance, Store

MIB = 1024**2
PARTS = os.urandom(5 * MIB) * 2 + b"the rest"
NewBucket = Callable[[str], tuple[Any, str]]


class TestFiles(SinkConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        root = tmp_path / "lake"
        root.mkdir()
        return file_store(root)


@pytest.mark.thorough
class TestS3OfMoto(SinkConformance):
    lacks: ClassVar = {Promise.CREATION_HAS_NO_RACE: "the server lets a second multipart upload win over a first"}

    @pytest.fixture
    def store(self, moto: str, new_bucket: NewBucket) -> Store:
        return s3_store(*new_bucket(moto))


@pytest.mark.thorough
class TestS3OfRclone(SinkConformance):
    """The server ignores the condition of any client; `S3Sink` documents that for such stores. It has no rules."""

    lacks: ClassVar = {
        Promise.CREATE_ONLY: "the server ignores If-None-Match",
        Promise.CREATION_HAS_NO_RACE: "the server ignores If-None-Match",
        Promise.PARTS_CAN_BE_REPLACED: "the server refuses other bytes for a part that it has",
    }

    @pytest.fixture
    def store(self, rclone: str, new_bucket: NewBucket) -> Store:
        return replace(s3_store(*new_bucket(rclone)), set_upload_rules=None)


class TestStrictS3(SinkConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with strict_s3() as server:
            yield strict_store(server)


class TestStrictGCS(SinkConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with strict_gcs(minimum_part_bytes=PART) as server:
            yield strict_gcs_store(server)


def put_all(writer: ObjectWriter, content: bytes, part_bytes: int) -> None:
    starts = list(range(0, len(content), part_bytes)) or [0]
    for number, start in enumerate(starts, 1):
        body = PartBody([content[start : start + part_bytes]])
        writer.put_part(Part(number, start, body, last=number == len(starts)))


@given(st.lists(st.binary(max_size=20), max_size=6), st.lists(st.integers(0, 90), max_size=6))
def test_a_part_body_reads_like_the_joined_buffers_at_any_place(buffers: list[bytes], places: list[int]) -> None:
    whole, body = b"".join(buffers), PartBody(buffers)
    assert len(body) == len(whole)
    for place in [0, *places]:
        body.seek(place)
        assert body.read(7) == whole[place : place + 7]
        assert body.read() == whole[place + 7 :]


# --- files


def test_a_killed_file_writer_leaves_nothing_visible(tmp_path: Path) -> None:
    """A killed writer of a file leaves nothing visible, and the next try cleans up.

    G2: nothing partial is ever visible.
    """
    program = f"""
        import os, signal
        from labelbox_export_provider.sinks.base import NewObject, Part, PartBody
        from labelbox_export_provider.sinks.file import FileSink
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
    assert str(tmp_path / "lake") in str(caught.value)


# --- S3


def test_sink_args_reach_the_store_and_misspelt_ones_are_refused(moto: str, new_bucket: NewBucket) -> None:
    client, bucket = new_bucket(moto)
    sink = S3Sink(client, bucket, {"StorageClass": "STANDARD_IA", "Tagging": "team=vision"})
    sink.put(NewObject("one", "text/plain"), b"1")
    writer = sink.begin(NewObject("two", "text/plain"))
    put_all(writer, PARTS, 5 * MIB)
    writer.complete(ExpectedObject(len(PARTS), google_crc32c.value(PARTS)))
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


def test_a_missing_bucket_is_named_with_its_option(moto: str) -> None:
    """A bucket that does not exist is named with the option to correct."""
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
