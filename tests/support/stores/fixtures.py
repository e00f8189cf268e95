"""Servers that are slow to start, once for all tests of a process. Buckets are each test's own."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import (
    BUCKET,
    files,
    gcs_client,
    gcs_emulator,
    moto_server,
    objects,
    rclone_server,
    s3_client,
)
from support.streaming.landing import Store

from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import strict_gcs, strict_s3

_numbers = itertools.count()
client_of = functools.cache(s3_client)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as address:
        yield address


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    with gcs_emulator() as address:
        yield address


@pytest.fixture
def new_bucket() -> Callable[[str], tuple[Any, str]]:
    """Return a client, the same for all tests of a server, and an empty bucket of the test."""

    def create(address: str) -> tuple[Any, str]:
        client, bucket = client_of(address), f"lake-{next(_numbers)}"
        client.create_bucket(Bucket=bucket)
        return client, bucket

    return create


SLOWER = [pytest.param(name, marks=pytest.mark.thorough) for name in ("moto", "rclone", "gcs")]


@pytest.fixture(params=["file", "s3", *SLOWER])
def store(request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Any) -> Iterator[Store]:
    """An empty store of each kind, to land in."""
    if request.param == "file":
        yield Store(FileSink(tmp_path), lambda: files(tmp_path), f"file://{tmp_path}")
    elif request.param == "s3":
        with strict_s3() as server:
            sink = S3Sink(s3_client(server.address), BUCKET)
            yield Store(sink, server.visible, f"s3://{BUCKET}")
    elif request.param == "gcs":
        with strict_gcs() as server:
            yield Store(GCSSink(gcs_client(server.address), BUCKET), server.visible, f"gs://{BUCKET}")
    else:
        client, bucket = new_bucket(request.getfixturevalue(request.param))
        yield Store(S3Sink(client, bucket), lambda: objects(client, bucket), f"s3://{bucket}")
