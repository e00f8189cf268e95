"""The events of a waiting trigger: the flat JSON that Airflow stores, and the error that each stands for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    AuthenticationError,
    AuthorizationError,
    ConnectionSettingsError,
    ExportCanceledError,
    ExportFailedError,
    LabelboxExportError,
    NotFoundError,
    NoTriggererError,
    ProtocolError,
    RefusedError,
    WaitTimeoutError,
)

log = logging.getLogger(__name__)

Outcome = Literal[
    "COMPLETE",
    "FAILED",
    "CANCELED",
    "TIMEOUT",
    "UNREPORTED",
    "AUTH",
    "NOT_ALLOWED",
    "ANOTHER_USER",
    "NOT_FOUND",
    "CONNECTION",
    "REFUSED",
    "PROTOCOL",
]

_NOT_LOST = "The export itself continues in Labelbox and is not lost: clear this task and it waits for the same export."


@dataclass(frozen=True, slots=True)
class ExportEvent:
    """How a wait ended. `message` and `details` are those of an error; neither holds a secret."""

    outcome: Outcome
    export_id: str
    message: str = ""
    details: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the payload of the trigger event."""
        return asdict(self)

    @classmethod
    def parse(cls, payload: Mapping[str, Any] | None) -> ExportEvent | None:
        """Read a payload; None for one that this version does not know: then the task polls the export itself.

        While a fleet is upgraded the trigger may be of another version than the worker. Unknown members are ignored.
        """
        if payload is None or payload.get("outcome") not in get_args(Outcome) or not payload.get("export_id"):
            log.warning("The trigger sent an event that this version does not know. The export is polled instead.")
            return None
        details = payload.get("details")
        return cls(
            payload["outcome"],
            str(payload["export_id"]),
            str(payload.get("message", "")),
            None if details is None else str(details),
        )

    @classmethod
    def of(cls, error: LabelboxExportError, export_id: str) -> ExportEvent:
        """Return the event of an error that ends the wait, so that the task can raise it again as what it is."""
        otherwise: Outcome = "PROTOCOL"
        outcome = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), otherwise)
        return cls(outcome, export_id, error.message, error.details)

    def error(self, timeout: timedelta) -> LabelboxExportError | None:
        """Return the error that this event stands for, None for COMPLETE; `timeout` is how long the wait might last."""
        if self.outcome == "COMPLETE":
            return None
        if self.outcome == "UNREPORTED":
            return NoTriggererError(
                f"No triggerer reported on export {self.export_id} within {timeout} (timeout). Check that one runs. "
                f"{_NOT_LOST}"
            )
        if self.outcome == "TIMEOUT":
            return WaitTimeoutError(
                f"Waited {timeout} (timeout) for export {self.export_id}, and it has not ended. {_NOT_LOST}",
                details=f"last seen: {self.message}" if self.message else None,
            )
        return _ERRORS[self.outcome](self.message or f"Export {self.export_id}: {self.outcome}.", details=self.details)


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
