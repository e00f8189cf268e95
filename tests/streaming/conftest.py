"""Servers that are slow to start, once for all tests of this folder. Buckets are each test's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.streaming_landing import Store
from support.streaming_stores import files, moto_server, objects, rclone_server, s3_client

from labelbox_export_provider.streaming.sinks.file import FileSink
from labelbox_export_provider.streaming.sinks.s3 import S3Sink

_numbers = itertools.count()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as address:
        yield address


@pytest.fixture
def new_bucket() -> Callable[[str], tuple[Any, str]]:
    """Give a client and an empty bucket at a server."""

    def create(address: str) -> tuple[Any, str]:
        client, bucket = s3_client(address), f"lake-{next(_numbers)}"
        client.create_bucket(Bucket=bucket)
        return client, bucket

    return create


@pytest.fixture(params=["file", "moto", pytest.param("rclone", marks=pytest.mark.thorough)])
def store(request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Any) -> Store:
    """An empty store of each kind, to land in."""
    if request.param == "file":
        return Store(FileSink(tmp_path), lambda: files(tmp_path), f"file://{tmp_path}")
    client, bucket = new_bucket(request.getfixturevalue(request.param))
    return Store(S3Sink(client, bucket), lambda: objects(client, bucket), f"s3://{bucket}")
