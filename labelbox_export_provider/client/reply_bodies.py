"""The JSON object of a GraphQL answer, read without trust: a missing, null or mistyped member breaks nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GraphQLError:
    """One entry of `errors`, or of an answer that has only a top-level `message`; every member may be missing.

    `path` leads to the member of `data` that the entry is about; it is empty where the entry is about the request.
    """

    code: str | None
    status: int | None
    text: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """An answer's JSON object, read without trust."""

    data: Mapping[str, Any] | None
    errors: tuple[GraphQLError, ...] = ()
    message: str | None = None


def read_body(raw: bytes) -> Body | None:
    """Read an answer's JSON object; None where it is not JSON, or not an object."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    data, message = value.get("data"), value.get("message")
    return Body(
        data=data if isinstance(data, dict) else None,
        errors=tuple(_entries(value.get("errors"))),
        message=message if isinstance(message, str) else None,
    )


def _entries(errors: object) -> list[GraphQLError]:
    if not errors:
        return []
    return [_entry(each) for each in (errors if isinstance(errors, list) else [errors])]


def _entry(error: object) -> GraphQLError:
    if not isinstance(error, dict):
        return GraphQLError(None, None, _text(error))
    extensions = error.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    exception = extensions.get("exception")
    exception = exception if isinstance(exception, dict) else {}
    code = extensions.get("code")
    texts = dict.fromkeys(
        _text(each) for each in (error.get("message"), exception.get("message"), error.get("errors")) if each
    )
    return GraphQLError(
        code=code if isinstance(code, str) else None,
        status=_status(exception.get("status")),
        text=" / ".join(texts) or "no text",
        path=_path(error.get("path")),
    )


def _path(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
