"""What a waiting trigger reports, as the flat JSON that Airflow stores, and which error it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from labelbox_export_provider.spec.errors import (
    AuthenticationError,
    ConnectionSettingsError,
    ExportCanceledError,
    ExportFailedError,
    LabelboxExportError,
    NotFoundError,
    ProtocolError,
    WaitTimeoutError,
)

Outcome = Literal["COMPLETE", "FAILED", "CANCELED", "TIMEOUT", "AUTH", "NOT_FOUND", "CONNECTION", "PROTOCOL"]


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

    def error(self) -> LabelboxExportError | None:
        """Give the error that this event stands for; None for COMPLETE."""
        if self.outcome == "COMPLETE":
            return None
        return _ERRORS[self.outcome](self.message or f"Export {self.export_id}: {self.outcome}.")


_ERRORS: dict[str, type[LabelboxExportError]] = {
    "FAILED": ExportFailedError,
    "CANCELED": ExportCanceledError,
    "TIMEOUT": WaitTimeoutError,
    "AUTH": AuthenticationError,
    "NOT_FOUND": NotFoundError,
    "CONNECTION": ConnectionSettingsError,
    "PROTOCOL": ProtocolError,
}
