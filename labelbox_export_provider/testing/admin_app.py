"""The fake's admin API under `/_fake/`, for tests and demos in other processes. It needs no key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any, Protocol

from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.clock import Clock
from labelbox_export_provider.testing.data.workspace import Workspace
from labelbox_export_provider.testing.exports import StartedExport
from labelbox_export_provider.testing.fault_plan import FaultPlan, fault_as_json, fault_from_json
from labelbox_export_provider.testing.faults import StreamName
from labelbox_export_provider.testing.http.request_log import RequestLog
from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest


class Administered(Protocol):
    """The part of a `FakeLabelbox` that the admin API shows and changes."""

    clock: Clock
    faults: FaultPlan
    requests: RequestLog

    @property
    def behaviour(self) -> Behaviour:
        """The switches as they are now."""

    @property
    def exports(self) -> Sequence[StartedExport]:
        """Every export that was started."""

    @property
    def projects(self) -> Mapping[str, str]:
        """Ids and names of all projects."""

    @property
    def workspace(self) -> Workspace:
        """The whole workspace."""

    def change(self, **switches: Any) -> None:
        """Change switches of `behaviour`."""

    def edit(self, row_id: str, last_activity_at: datetime) -> None:
        """Set a row's last activity."""

    def revoke(self, api_key: str) -> None:
        """Refuse a key from now on."""

    def rows_for(self, *names: Any, **options: Any) -> list[bytes]:
        """Return the rows that must land for a window."""

    def expected_rows(self, export_id: str, stream: StreamName) -> bytes:
        """Return the rows that an export must give."""


class AdminApp:
    """Answers the paths below `/_fake/`.

    ``GET rows?project=&start=&end=``
        NDJSON: the expected rows of `[start, end)`, ends in ISO 8601, both optional. With `data_row_details`, unless
        `export=<id>` asks for the params of that export, or `params=<JSON object of wire names>` for others.
        `dataset=`, `slice=` or `model_run=` with an id or `everything=yes` names another source than a project.
    ``GET expected_rows?export=&stream=``
        NDJSON: the rows that an export must give, byte for byte; `stream=ERRORS` for its error rows.
    ``GET exports``, ``GET requests``, ``GET projects``, ``GET workspace``
        exports, requests (API and files), projects, and the workspace without rows; JSON.
    ``GET faults``, ``POST faults``, ``DELETE faults``
        pending faults; add one (an object) or several (a list); remove them.
    ``POST edit``
        `{"row_id": …, "last_activity_at": …}`, the latter by default now
    ``POST behaviour``
        an object of switches of `Behaviour`.
    ``POST revoke``
        `{"api_key": …}`
    """

    def __init__(self, fake: Administered) -> None:
        self._fake = fake
        self._routes: Mapping[tuple[str, str], Callable[[HttpRequest], HttpAnswer]] = {
            ("GET", "rows"): self._rows,
            ("GET", "expected_rows"): self._expected_rows,
            ("GET", "exports"): lambda _: _json([asdict(export) for export in fake.exports]),
            ("GET", "requests"): lambda _: _json(
                {
                    "api": [asdict(request) for request in fake.requests.api],
                    "files": [asdict(request) for request in fake.requests.files],
                }
            ),
            ("GET", "projects"): lambda _: _json(fake.projects),
            ("GET", "workspace"): lambda _: _json(asdict(replace(fake.workspace, rows=()))),
            ("GET", "faults"): lambda _: _json([fault_as_json(fault) for fault in fake.faults.pending]),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "edit"): self._edit,
            ("POST", "behaviour"): self._change,
            ("POST", "revoke"): self._revoke,
        }

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request; a wrong value is answered with 400 and a sentence."""
        route = self._routes.get((request.method, request.path.removeprefix("/_fake/")))
        if route is None:
            known = ", ".join(f"{method} /_fake/{name}" for method, name in self._routes)
            return _json({"error": f"unknown path; there are {known}"}, status=404)
        try:
            return route(request)
        except (ValueError, TypeError, LookupError) as error:
            return _json({"error": str(error)}, status=400)

    def _rows(self, request: HttpRequest) -> HttpAnswer:
        query = request.query
        rows = self._fake.rows_for(
            query.get("project"),
            _moment(query.get("start")),
            _moment(query.get("end")),
            dataset_id=query.get("dataset"),
            slice_id=query.get("slice"),
            model_run_id=query.get("model_run"),
            everything="everything" in query,
            params=json.loads(query["params"]) if "params" in query else None,
            like=query.get("export"),
        )
        return HttpAnswer(200, b"".join(row + b"\n" for row in rows), {"content-type": "application/x-ndjson"})

    def _expected_rows(self, request: HttpRequest) -> HttpAnswer:
        streams: Mapping[str, StreamName] = {"RESULT": "RESULT", "ERRORS": "ERRORS"}
        stream = streams.get(request.query.get("stream", "RESULT"))
        if stream is None:
            raise ValueError(f"stream must be one of {', '.join(streams)}")
        content = self._fake.expected_rows(request.query.get("export", ""), stream)
        return HttpAnswer(200, content, {"content-type": "application/x-ndjson"})

    def _add_faults(self, request: HttpRequest) -> HttpAnswer:
        content = json.loads(request.body)
        faults = [fault_from_json(entry) for entry in (content if isinstance(content, list) else [content])]
        self._fake.faults.add(*faults)
        return _json([fault_as_json(fault) for fault in faults])

    def _clear_faults(self, _: HttpRequest) -> HttpAnswer:
        self._fake.faults.clear()
        return _json([])

    def _edit(self, request: HttpRequest) -> HttpAnswer:
        content = json.loads(request.body)
        self._fake.edit(content["row_id"], _moment(content.get("last_activity_at")) or self._fake.clock())
        return _json(content)

    def _change(self, request: HttpRequest) -> HttpAnswer:
        self._fake.change(**json.loads(request.body))
        return _json(asdict(self._fake.behaviour))

    def _revoke(self, request: HttpRequest) -> HttpAnswer:
        self._fake.revoke(json.loads(request.body)["api_key"])
        return _json({})


def _moment(text: str | None) -> datetime | None:
    """Return an instant in ISO 8601; a plus sign that a URL decoded to a space is accepted."""
    if not text:
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "+"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _json(content: object, *, status: int = 200) -> HttpAnswer:
    body = json.dumps(content, default=_plain, ensure_ascii=False).encode()
    return HttpAnswer(status, body, {"content-type": "application/json; charset=utf-8"})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"cannot show {type(value).__name__} as JSON")
