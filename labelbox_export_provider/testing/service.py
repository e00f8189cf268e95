"""The service behind the API, without GraphQL and HTTP: selects rows, runs export tasks, signs their files."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime

from labelbox_export_provider.testing.accounts import Accounts, FakeUser
from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.clock import Clock
from labelbox_export_provider.testing.data.indexed_workspace import World
from labelbox_export_provider.testing.data.streams import FilePiece, lay_out
from labelbox_export_provider.testing.errors import ApiError
from labelbox_export_provider.testing.exports import Export, ExportFaults, ExportRequest
from labelbox_export_provider.testing.fault_plan import F, FaultPlan
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorRows,
    ExportFault,
    FailedExport,
    HiddenExport,
    SlowExport,
    UnknownStatus,
    WrongRanges,
    WrongTotals,
)
from labelbox_export_provider.testing.ids import make_id
from labelbox_export_provider.testing.selection import select
from labelbox_export_provider.testing.signing import UrlSigner


class Service:
    """The state of the fake organization. `file_base_url` is set once the file server listens."""

    def __init__(self, world: World, accounts: Accounts, faults: FaultPlan, behaviour: Behaviour, clock: Clock) -> None:
        self.world = world
        self.accounts = accounts
        self.faults = faults
        self.behaviour = behaviour
        self.clock = clock
        self.signer = UrlSigner()
        self.file_base_url = ""
        self.denied_projects: set[str | None] = set()
        """Ids of projects that every key sees and none may export."""
        self._exports: dict[str, Export] = {}
        self._numbers = itertools.count()
        self._lock = threading.RLock()

    @property
    def exports(self) -> list[Export]:
        """Every export so far, oldest first."""
        with self._lock:
            return list(self._exports.values())

    def export(self, export_id: str) -> Export | None:
        """Return an export by id."""
        with self._lock:
            return self._exports.get(export_id)

    def start(self, request: ExportRequest, user: FakeUser) -> Export:
        """Start an export; fails if the user may not or too many run already."""
        now = self.clock()
        if not user.may_export:
            raise ApiError("AUTHORIZATION_ERROR", f"{user.email} may not export data rows")
        if request.source_kind == "project" and request.source_id in self.denied_projects:
            raise ApiError("AUTHORIZATION_ERROR", f"{user.email} may not export project {request.source_id}")
        with self._lock, self.world.lock:
            rows, view = select(self.world, request, behaviour=self.behaviour, now=now, owner_zone=user.timezone)
            self._check_limits(request, now)
            lines = [row.render(view) for row in rows]
            hidden = self._export_fault(HiddenExport, request)
            slow = self._export_fault(SlowExport, request)
            errors = self._export_fault(ErrorRows, request)
            export = Export(
                export_id=make_id(f"export {next(self._numbers)} {now.isoformat()} {user.user_id}"),
                request=request,
                user=user,
                started_at=now,
                run_seconds=slow.seconds if slow else self.behaviour.seconds_per_export,
                polls_left=self.behaviour.polls_per_export,
                cancel_seconds=self.behaviour.seconds_to_cancel,
                streams={
                    "RESULT": lay_out(lines, self.behaviour.streams),
                    "ERRORS": lay_out(
                        [line.encode() for line in errors.lines] if errors else [], self.behaviour.streams
                    ),
                },
                faults=ExportFaults(
                    ends=self._export_fault(FailedExport, request) or self._export_fault(CanceledExport, request),
                    slow=slow,
                    unknown_status=self._export_fault(UnknownStatus, request),
                    totals=self._export_fault(WrongTotals, request),
                    ranges=self._export_fault(WrongRanges, request),
                    hidden=hidden,
                ),
                looks_left=hidden.looks if hidden else 0,
            )
            self._exports[export.export_id] = export
        return export

    def _export_fault(self, kind: type[F], request: ExportRequest) -> F | None:
        return self.faults.take(
            kind, lambda fault: not isinstance(fault, ExportFault) or fault.source_id in (None, request.source_id)
        )

    def _check_limits(self, request: ExportRequest, now: datetime) -> None:
        running = [export for export in self._exports.values() if export.is_running(now)]
        here = [export for export in running if export.request.source_id == request.source_id]
        limits = [(self.behaviour.running_exports_per_organization, len(running), "organization")]
        if request.source_kind == "project":
            limits.insert(0, (self.behaviour.running_exports_per_project, len(here), "project"))
        for limit, number, place in limits:
            if limit is not None and number >= limit:
                message = f"You have reached the limit of {limit} running exports per {place}"
                if self.behaviour.running_limit_form == "not_allowed":
                    raise ApiError("OPERATION_NOT_ALLOWED", message)
                raise ApiError("INTERNAL_SERVER_ERROR", message, exception_status=429)

    def visible_to(self, user: FakeUser) -> list[Export]:
        """Return the exports that a user's key can see, oldest first."""
        everyone = self.behaviour.tasks_of_other_users
        return [export for export in self.exports if everyone or export.user.user_id == user.user_id]

    def removed_as(self, export: Export) -> str | None:
        """Return how an export whose results are removed looks; None for one that still has them."""
        removed = export.is_removed(self.clock(), self.behaviour.results_kept_seconds)
        return self.behaviour.removed_results if removed else None

    def sign(self, export: Export, stream: str, piece: FilePiece) -> str:
        """Return a signed URL of one file."""
        path = f"/labelbox-exports/{export.export_id}/{stream}/{piece.index}.ndjson"
        query = self.signer.query(path, now=self.clock(), seconds=self.behaviour.url_seconds)
        return f"{self.file_base_url}{path}?{query}"
