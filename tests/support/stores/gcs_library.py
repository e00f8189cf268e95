"""Google's client library as it speaks to the strict server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import GoogleAPICallError

from labelbox_export_provider.testing.object_store import Call, Fault, StrictGCS

if TYPE_CHECKING:
    from google.cloud.storage import Blob


QUANTUM = 256 * 1024


CONTENT = bytes(range(256)) * (5 * QUANTUM // 256) + b"the rest"


def quick() -> Any:
    """The library's own way to try again, without its pauses."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01).with_timeout(2.0)


@contextmanager
def refused_in_a_session(status: int) -> Iterator[None]:
    """For sessions the library raises the server's answer unchanged."""
    from google.cloud.storage.exceptions import InvalidResponse

    with pytest.raises(InvalidResponse) as caught:
        yield
    assert caught.value.response.status_code == status


def write(blob: Blob, content: bytes = CONTENT, *, chunk_quanta: int = 2, **options: Any) -> None:
    """Write content of unknown size as the library does: chunk by chunk."""
    with blob.open("wb", chunk_size=chunk_quanta * QUANTUM, retry=quick(), **options) as stream:
        stream.write(content)


def operations(server: StrictGCS) -> list[str]:
    return [call.operation for call in server.calls if call.operation != "bucket"]


def inject(operation: str, turn: int, fault: Fault) -> Callable[[Call], Fault | None]:
    return lambda call: fault if (call.operation, call.turn) == (operation, turn) else None


class Session:
    """An upload session that the library opens and that breaks the rules, as the library never would."""

    def __init__(self, blob: Blob, **options: Any) -> None:
        self._url = blob.create_resumable_upload_session(**options)
        self._http = blob.client._http

    def put(self, place: str, content: bytes = b"", **headers: str) -> tuple[int, str | None]:
        """Return the status, and how much is confirmed."""
        headers = {"Content-Range": f"bytes {place}", **headers}
        answer = self._http.put(self._url, data=content, headers=headers, allow_redirects=False)
        return answer.status_code, answer.headers.get("Range")

    def cancel(self) -> int:
        return int(self._http.delete(self._url).status_code)


def refusal(error: GoogleAPICallError) -> tuple[int, str]:
    """Return code and reason of an answer in the form of Google's errors."""
    error_body: Mapping[str, Any] = error.response.json()["error"]
    assert error_body["message"]
    assert error_body["code"] == error.code
    return error_body["code"], error_body["errors"][0]["reason"]
