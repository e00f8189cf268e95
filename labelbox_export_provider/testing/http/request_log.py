"""The request log of the fake, for assertions. Holds no API key and no signature."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """One request to the GraphQL endpoint.

    `fields` are the names of all fields that it asked for. `user_id` is the owner of the key, None for a key that is
    not accepted. A dropped answer has status None; `carried_out` is whether the request took effect.
    """

    at: datetime
    operation_name: str | None
    fields: frozenset[str]
    query: str
    variables: Mapping[str, Any]
    headers: Mapping[str, str]
    user_id: str | None
    status: int | None
    error_codes: tuple[str, ...]
    fault: str | None
    carried_out: bool


@dataclass(frozen=True, kw_only=True)
class FileRequest:
    """One request to the file server; `path` is without its query, which holds the signature."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    had_authorization: bool
    had_cookie: bool
    range: str | None
    status: int | None
    bytes_sent: int
    fault: str | None


class RequestLog:
    """Every request so far, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._api: list[ApiRequest] = []
        self._files: list[FileRequest] = []

    def add(self, request: ApiRequest | FileRequest) -> None:
        """Record a request, after it was answered."""
        with self._lock:
            if isinstance(request, ApiRequest):
                self._api.append(request)
            else:
                self._files.append(request)

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._api.clear()
            self._files.clear()

    @property
    def api(self) -> list[ApiRequest]:
        """Requests to the GraphQL endpoint."""
        with self._lock:
            return list(self._api)

    @property
    def files(self) -> list[FileRequest]:
        """Requests to the file server."""
        with self._lock:
            return list(self._files)

    def asking(self, name: str) -> list[ApiRequest]:
        """GraphQL requests that asked for a field of this name, or have this operation name."""
        return [request for request in self.api if name in request.fields or name == request.operation_name]


def redact(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers with lower-case names, the secret ones with their scheme alone."""
    redacted = {}
    for name, value in headers.items():
        lower = name.lower()
        scheme, space, _ = value.partition(" ")
        secret = lower in ("authorization", "cookie", "proxy-authorization")
        redacted[lower] = (f"{scheme} ***" if space else "***") if secret else value
    return redacted
