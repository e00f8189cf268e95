"""Servers that are slow to start, once for all tests of this folder. Buckets are each test's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.streaming_stores import moto_server, rclone_server, s3_client

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
