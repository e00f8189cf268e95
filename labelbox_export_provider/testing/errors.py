"""The error that resolvers raise; the GraphQL engine converts it to its wire form."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """One entry of `errors` in a GraphQL answer, with its `extensions.code` and, where given, `exception.status`."""

    def __init__(self, code: str, message: str, *, exception_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exception_status = exception_status

    @property
    def extensions(self) -> dict[str, Any]:
        """The `extensions` member."""
        if self.exception_status is None:
            return {"code": self.code}
        return {
            "code": self.code,
            "exception": {"status": self.exception_status, "message": self.message, "response": None},
        }

    def as_entry(self) -> dict[str, Any]:
        """Return the whole entry, for answers that are made without running the query."""
        return {"message": self.message, "locations": [], "path": [], "extensions": self.extensions}


def not_found(kind: str, identifier: object) -> ApiError:
    """Return the answer to an id that does not exist or is hidden from the key."""
    return ApiError("RESOURCE_NOT_FOUND", f"Resource not found: {kind} {identifier!r}")


def bad_request(message: str) -> ApiError:
    """Return the answer to a value that the schema accepts but that is not valid."""
    return ApiError("INTERNAL_SERVER_ERROR", message, exception_status=400)
