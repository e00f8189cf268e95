"""The export tasks of the fake and their states over time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.data.streams import Stream
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    FailedExport,
    HiddenExport,
    SlowExport,
    UnknownStatus,
    WrongRanges,
    WrongTotals,
)

RUNNING = ("IN_PROGRESS", "CANCELLING")


@dataclass(frozen=True, kw_only=True)
class StartedExport:
    """An export as a test sees it. `filters` and `params` are as the client sent them; `rows` is their number."""

    export_id: str
    name: str | None
    mutation: str
    source_kind: str
    source_id: str | None
    filters: Mapping[str, Any]
    params: Mapping[str, Any]
    user_id: str
    status: str
    started_at: datetime
    rows: int
    result_bytes: int
    error_rows: int


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """The request of a client."""

    name: str | None
    mutation: str
    source_kind: str
    source_id: str | None
    filters: Mapping[str, Any]
    params: Mapping[str, Any]
    is_streamable: bool


@dataclass(frozen=True, kw_only=True)
class ExportFaults:
    """The faults that an export got at its start."""

    ends: FailedExport | CanceledExport | None = None
    slow: SlowExport | None = None
    unknown_status: UnknownStatus | None = None
    totals: WrongTotals | None = None
    ranges: WrongRanges | None = None
    hidden: HiddenExport | None = None


@dataclass(kw_only=True)
class Export:
    """One export task. Its streams are those of the rows as they were when it started."""

    export_id: str
    request: ExportRequest
    user: FakeUser
    started_at: datetime
    run_seconds: float
    polls_left: int
    cancel_seconds: float
    streams: Mapping[str, Stream]
    faults: ExportFaults
    canceled_at: datetime | None = None
    looks_left: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def status_at(self, now: datetime) -> str:
        """Return the state at this instant; reading it does not change it."""
        with self._lock:
            if self.canceled_at is not None:
                over = now >= self.canceled_at + timedelta(seconds=self.cancel_seconds)
                return "CANCELED" if over else "CANCELLING"
            if self.polls_left > 0 or now < self.started_at + timedelta(seconds=self.run_seconds):
                return self.faults.unknown_status.status if self.faults.unknown_status else "IN_PROGRESS"
            if isinstance(self.faults.ends, FailedExport):
                return "FAILED"
            return "CANCELED" if isinstance(self.faults.ends, CanceledExport) else "COMPLETE"

    def is_removed(self, now: datetime, kept_seconds: float | None) -> bool:
        """Return whether its results are not kept any more."""
        if kept_seconds is None or self.status_at(now) != "COMPLETE":
            return False
        return now >= self.started_at + timedelta(seconds=self.run_seconds + kept_seconds)

    def is_running(self, now: datetime) -> bool:
        """Return whether it counts for the running-export limits."""
        return self.status_at(now) not in ("COMPLETE", "FAILED", "CANCELED")

    def poll(self, now: datetime) -> str:
        """Return the state as a client reads it, which uses up one of `polls_left`."""
        with self._lock:
            status = self.status_at(now)
            self.polls_left = max(0, self.polls_left - 1)
            return status

    def share_done(self, now: datetime) -> float:
        """Return the completed part, from 0 to 1."""
        if not self.is_running(now):
            return 1.0
        elapsed = (now - self.started_at).total_seconds()
        return min(0.99, elapsed / self.run_seconds) if self.run_seconds else 0.5

    def updated_at(self, now: datetime) -> datetime:
        """Return the instant of the last change."""
        if self.canceled_at is not None:
            return self.canceled_at
        return min(now, self.started_at + timedelta(seconds=self.run_seconds))

    def cancel(self, now: datetime) -> bool:
        """Start to cancel it; return False when it has ended already."""
        with self._lock:
            if not self.is_running(now):
                return False
            if self.canceled_at is None:
                self.canceled_at = now
            return True

    def is_hidden(self, now: datetime, *, by_id: bool) -> bool:
        """Return whether a look-up still misses it; each miss uses up one of the counted look-ups."""
        hidden = self.faults.hidden
        if hidden is None or (by_id and not hidden.by_id):
            return False
        with self._lock:
            if self.looks_left > 0:
                self.looks_left -= 1
                return True
            return now < self.started_at + timedelta(seconds=hidden.seconds)

    def as_seen(self, now: datetime) -> StartedExport:
        """Return the view for tests."""
        asked = self.request
        return StartedExport(
            export_id=self.export_id,
            name=asked.name,
            mutation=asked.mutation,
            source_kind=asked.source_kind,
            source_id=asked.source_id,
            filters=asked.filters,
            params=asked.params,
            user_id=self.user.user_id,
            status=self.status_at(now),
            started_at=self.started_at,
            rows=self.streams["RESULT"].lines,
            result_bytes=len(self.streams["RESULT"].content),
            error_rows=self.streams["ERRORS"].lines,
        )
