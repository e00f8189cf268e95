"""A landing ends when its token is cancelled, with the reason, and without a manifest."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files
from support.streaming.exports import LandingClient
from support.streaming.landing import KilledAt

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.errors import IntegrityError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing import StreamLayout
from labelbox_export_provider.testing.faults import CorruptFile, ErrorStatus, Fault, SlowAnswer

NEXT_FILE = "exportFileFromOffset"


class MarkedError(Exception):
    """Somebody marked the task as failed."""


class CancelsAt(KilledAt):
    """Cancels a token when an object under a key with `part` in it is about to become visible."""

    def __init__(self, sink: Sink, part: str, token: CancelToken) -> None:
        super().__init__(sink, part)
        self._token = token

    def _pass(self, key: str) -> None:
        if self._part in key:
            self._token.cancel(MarkedError())


@pytest.mark.parametrize("part", ["data/", "uris/"])
def test_a_cancelled_landing_publishes_no_manifest(at: LandingClient, tmp_path: Path, part: str) -> None:
    """A landing that somebody marked as failed never publishes; the token's error is raised."""
    token = CancelToken()
    with pytest.raises(MarkedError):
        at.land(at.export(), CancelsAt(FileSink(tmp_path), part, token), token=token)
    assert not [name for name in files(tmp_path) if "manifests/" in name]


def test_a_token_that_is_cancelled_already_moves_nothing(at: LandingClient, tmp_path: Path) -> None:
    """A landing that was cancelled before it began asks for no file."""
    token = CancelToken()
    token.cancel(MarkedError())
    with pytest.raises(MarkedError):
        at.land(at.export(), FileSink(tmp_path), token=token)
    assert files(tmp_path) == {}
    assert not at.fake.requests.files


@pytest.mark.parametrize("compression", ["gzip", None])
@pytest.mark.parametrize(
    "api",
    [SlowAnswer(operation=NEXT_FILE, seconds=15), ErrorStatus(operation=NEXT_FILE, status=503)],
    ids=["slow", "down"],
)
def test_an_error_is_raised_at_once_whatever_the_api_does(
    at: LandingClient, tmp_path: Path, api: Fault, compression: Any
) -> None:
    """Rows that are found wrong in the first object fail the landing while files of later ones are not known yet."""
    at.fake.change(streams=StreamLayout(file_bytes=9_000))
    handle = at.export()
    at.fake.faults.add(CorruptFile(file_index=0, position=30), replace(api, times=None, after=25))
    begun = time.monotonic()
    with pytest.raises(IntegrityError, match="bytes 0 to"):
        at.land(
            handle, FileSink(tmp_path), compression=compression, workers=1, max_object_bytes=65536, sleep=time.sleep
        )
    assert time.monotonic() - begun < 5
    assert files(tmp_path) == {}
