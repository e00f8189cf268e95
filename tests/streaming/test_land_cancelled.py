"""A landing ends when its token is cancelled, with the reason, and without a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stores.servers import files
from support.streaming.exports import LandingClient
from support.streaming.landing import KilledAt

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.sinks.file import FileSink


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
