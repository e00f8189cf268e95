"""What a waiting trigger reports, as the flat JSON that Airflow stores, and which error it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from labelbox_export_provider.spec.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    ConnectionSettingsError,
    ExportCanceledError,
    ExportFailedError,
    LabelboxExportError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    WaitTimeoutError,
)

Outcome = Literal[
    "COMPLETE",
    "FAILED",
    "CANCELED",
    "TIMEOUT",
    "AUTH",
    "NOT_ALLOWED",
    "ANOTHER_USER",
    "NOT_FOUND",
    "CONNECTION",
    "REFUSED",
    "PROTOCOL",
]

NO_REPORT = "nothing, since no triggerer reported; look whether one runs"
"""What was seen of an export when Airflow itself ended the wait."""


@dataclass(frozen=True, slots=True)
class ExportEvent:
    """How a wait ended. `message` is fit for people and holds no secret."""

    outcome: Outcome
    export_id: str
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the payload of the trigger event."""
        return asdict(self)

    @classmethod
    def parse(cls, payload: Mapping[str, Any] | None) -> ExportEvent:
        """Read a payload; anything unknown is a `ProtocolError`, never taken for success."""
        if payload is None or payload.get("outcome") not in get_args(Outcome) or not payload.get("export_id"):
            raise ProtocolError(f"The trigger sent an event that this version does not know: {payload!r}.")
        return cls(payload["outcome"], str(payload["export_id"]), str(payload.get("message", "")))

    @classmethod
    def of(cls, error: LabelboxExportError, export_id: str) -> ExportEvent:
        """Tell of an error that ends the wait, so that the task can raise it again as what it is."""
        otherwise: Outcome = "PROTOCOL"
        outcome = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), otherwise)
        return cls(outcome, export_id, str(error))

    def error(self, timeout: timedelta) -> LabelboxExportError | None:
        """Give the error that this event stands for, None for COMPLETE; `timeout` is how long the wait might last."""
        if self.outcome == "COMPLETE":
            return None
        if self.outcome == "TIMEOUT":
            seen = f" Last seen: {self.message}." if self.message else ""
            return WaitTimeoutError(
                f"Waited {timeout} (timeout) for export {self.export_id}, and it has not ended. The export itself goes "
                f"on in Labelbox and is not lost: clear this task and it waits on for the same export.{seen}"
            )
        return _ERRORS[self.outcome](self.message or f"Export {self.export_id}: {self.outcome}.")


_ERRORS: dict[Outcome, type[LabelboxExportError]] = {
    "FAILED": ExportFailedError,
    "CANCELED": ExportCanceledError,
    "AUTH": AuthenticationError,
    "NOT_ALLOWED": AuthorizationError,
    "ANOTHER_USER": AnotherUsersExportError,
    "NOT_FOUND": NotFoundError,
    "CONNECTION": ConnectionSettingsError,
    "REFUSED": RefusedError,
    "PROTOCOL": ProtocolError,
}
