"""One resumable upload session of GCS: bytes in order, as far as the server confirms them.

The client library opens sessions, but its ways to send (`Blob.open`, `upload_from_file`) copy every byte twice and send
a whole chunk again when the server kept a part of it. So this module sends, over the library's own authorised HTTP
session, from the buffers that the bytes are in. The protocol is public and short.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.sinks.gcs.errors import (
    is_store_error,
    is_worth_another_call,
    read_error,
    read_response,
    refusal_error,
)
from labelbox_export_provider.sinks.refusals import Refusal

_TIMEOUT = (61.0, 60.0)  # seconds to connect and between bytes, as in the client library
_PIECE = 1 << 20
_CONFIRMED = re.compile(r"bytes=0-(\d+)")


class _TryAgainError(Exception):
    """The request may be repeated from the confirmed byte on; `failure` is raised when the time for that is over."""

    def __init__(self, failure: StorageError) -> None:
        super().__init__(type(failure).__name__)
        self.failure = failure


class _Rest:
    """The bytes of some buffers from a position on; can be sent more than once."""

    def __init__(self, buffers: Sequence[memoryview], skip: int) -> None:
        self._buffers = buffers
        self._skip = skip

    def __len__(self) -> int:
        return sum(map(len, self._buffers)) - self._skip

    def __iter__(self) -> Iterator[memoryview]:
        skip = self._skip
        for buffer in self._buffers:
            for start in range(min(skip, len(buffer)), len(buffer), _PIECE):
                yield buffer[start : start + _PIECE]
            skip -= min(skip, len(buffer))


@dataclass(frozen=True, slots=True)
class _Range:
    """Bytes of the object from `start` on; the last range carries the checksum of the whole object."""

    buffers: Sequence[memoryview]
    start: int
    crc32c: str | None

    @property
    def stop(self) -> int:
        return self.start + sum(map(len, self.buffers))

    @property
    def whole(self) -> str:
        return "*" if self.crc32c is None else str(self.stop)


class UploadSession:
    """A session at `url`, which is secret: anybody who has it can write the object.

    `retry` is the client library's own policy. It starts again whenever the server has confirmed bytes, so a slow
    upload does not use it up.
    """

    def __init__(self, http: Any, url: str, retry: Any, bucket: str, key: str, *, connection: str) -> None:
        self._http = http
        self._url = url
        self._retry = retry
        self._bucket = bucket
        self._key = key
        self._connection = connection
        self._confirmed = 0
        self._uncertain = False

    def send(self, buffers: Sequence[memoryview]) -> None:
        """Send bytes before the last ones; their number must be a multiple of `QUANTUM`."""
        self._send(_Range(buffers, self._confirmed, None))

    def finish(self, buffers: Sequence[memoryview], crc32c: str) -> Mapping[str, Any]:
        """Send the last bytes, at least one, with the checksum (base64) of the whole; return the object's resource."""
        resource = self._send(_Range(buffers, self._confirmed, crc32c))
        if resource is None:
            raise self._protocol_error("confirmed the last byte, but made no object")
        return resource

    def cancel(self) -> None:
        """Cancel the session with all its bytes; one that does not exist any more is not an error."""
        response = self._request("DELETE", {}, b"")
        # 499 is how GCS says that the session is cancelled.
        if response.status_code not in {200, 204, 404, 410, 412, 499}:
            raise refusal_error(self._read(response))

    def _send(self, part: _Range) -> Mapping[str, Any] | None:
        while True:
            before = self._confirmed
            failure: StorageError
            try:
                resource: Mapping[str, Any] | None = self._with_retries()(lambda: self._send_rest(part))()
            except Exception as error:
                # The policy's own error, when its time is over, holds the last one.
                last = getattr(error, "cause", error)
                if not isinstance(last, _TryAgainError):
                    raise
                failure = last.failure
            else:
                return resource
            if self._confirmed == before:
                raise failure

    def _with_retries(self) -> Any:
        return self._retry.with_predicate(lambda error: isinstance(error, _TryAgainError))

    def _send_rest(self, part: _Range) -> Mapping[str, Any] | None:
        if self._uncertain and (resource := self._ask(part)) is not None:
            return resource
        while self._confirmed < part.stop:
            before = self._confirmed
            content_range = f"bytes {before}-{part.stop - 1}/{part.whole}"
            if (resource := self._put(content_range, _Rest(part.buffers, before - part.start), part)) is not None:
                return resource
            if self._confirmed == before:
                raise _TryAgainError(
                    StorageUnavailableError("Cloud Storage takes no more bytes.", details=self._label())
                )
        return None if part.crc32c is None else self._ask(part)

    def _ask(self, part: _Range) -> Mapping[str, Any] | None:
        """Ask how many bytes the server has; where it has all, this also makes the object."""
        return self._put(f"bytes */{part.whole}", b"", part)

    def _put(self, content_range: str, body: _Rest | bytes, part: _Range) -> Mapping[str, Any] | None:
        headers = {"Content-Range": content_range}
        if part.crc32c is not None:
            headers["x-goog-hash"] = f"crc32c={part.crc32c}"
        self._uncertain = True
        response = self._request("PUT", headers, body)
        if response.status_code == 308:
            found = _CONFIRMED.fullmatch(response.headers.get("Range", ""))
            confirmed = int(found.group(1)) + 1 if found else 0
            if not part.start <= confirmed <= part.stop:
                raise self._protocol_error(
                    f"has {confirmed} bytes where it had confirmed {part.start} and was sent {part.stop}"
                )
            self._confirmed = confirmed
            self._uncertain = False
            return None
        if response.status_code in {200, 201}:
            if part.crc32c is None:
                raise self._protocol_error("made an object before the last bytes were sent")
            return self._resource(response)
        raise self._refused(self._read(response))

    def _resource(self, response: Any) -> Mapping[str, Any]:
        try:
            resource = response.json()
        except ValueError:
            resource = None
        if not isinstance(resource, dict) or "generation" not in resource:
            raise self._protocol_error("confirmed the object, but not its generation")
        return resource

    def _read(self, response: Any) -> Refusal:
        return read_response(response, "create", self._bucket, self._key, self._connection)

    def _refused(self, refusal: Refusal) -> Exception:
        if refusal.status in {404, 410}:
            return StorageUnavailableError(
                "The upload session is gone: it was cancelled, or is older than a week. Nothing was published. A retry "
                "opens a new one.",
                details=f"{self._label()} (HTTP {refusal.status})",
            )
        failure = refusal_error(refusal)
        return _TryAgainError(failure) if is_worth_another_call(refusal) else failure

    def _request(self, method: str, headers: Mapping[str, str], body: _Rest | bytes) -> Any:
        failure: Exception
        try:
            return self._http.request(
                method, self._url, data=body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False
            )
        except Exception as error:
            if not (is_store_error(error) or isinstance(error, OSError)):
                raise
            found = refusal_error(read_error(error, "create", self._bucket, self._key, self._connection))
            failure = _TryAgainError(found) if found.retryable and method == "PUT" else found
        # Raised outside of the handler: the libraries' own errors quote the secret address.
        raise failure

    def _protocol_error(self, what: str) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"Cloud Storage {what}. No manifest names any of it. A retry opens a new upload session.",
            details=self._label(),
        )

    def _label(self) -> str:
        return f"gs://{self._bucket}/{self._key}"
