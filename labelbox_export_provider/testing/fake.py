"""`FakeLabelbox`: a Labelbox of one's own, for as long as a test or a demo needs it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any

from labelbox_export_provider.testing.accounts import Accounts, FakeUser
from labelbox_export_provider.testing.admin_app import AdminApp
from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.clock import Clock, utc_now
from labelbox_export_provider.testing.dataset import generate_rows
from labelbox_export_provider.testing.exports import StartedExport
from labelbox_export_provider.testing.fault_plan import FaultPlan
from labelbox_export_provider.testing.file_app import FileApp
from labelbox_export_provider.testing.graphql_app import GraphQLApp
from labelbox_export_provider.testing.http_server import HttpAnswer, HttpRequest, HttpServer
from labelbox_export_provider.testing.request_log import RequestLog
from labelbox_export_provider.testing.rows import DataRow
from labelbox_export_provider.testing.service import Service, view_of
from labelbox_export_provider.testing.world import World


class FakeLabelbox:
    """A fake Labelbox on two local ports: GraphQL (`endpoint`) and signed files.

    ::

        with FakeLabelbox(generate_rows(500)) as fake:
            os.environ.update(fake.airflow_environment())
            ...
            assert [export.status for export in fake.exports] == ["COMPLETE"]

    It applies filters and export params, checks keys, limits running exports, and is strict about unknown fields,
    arguments and input members; `behaviour` holds its switches, `faults` what shall go wrong, `requests` what it was
    asked. Without `rows` it makes some. `projects` (id to name) adds empty projects. Port 0 takes a free one.
    """

    def __init__(
        self,
        rows: Iterable[DataRow] | None = None,
        *,
        behaviour: Behaviour | None = None,
        user: FakeUser | None = None,
        projects: Mapping[str, str] | None = None,
        clock: Clock = utc_now,
        host: str = "127.0.0.1",
        port: int = 0,
        file_port: int = 0,
    ) -> None:
        self.user = user or FakeUser()
        self.accounts = Accounts(self.user)
        self.faults = FaultPlan()
        self.requests = RequestLog()
        self.clock = clock
        world = World(generate_rows() if rows is None else rows, projects or {})
        self._service = Service(world, self.accounts, self.faults, behaviour or Behaviour(), clock)
        self._graphql = GraphQLApp(self._service, self.requests)
        self._admin = AdminApp(self)
        self._where = (host, port, file_port)
        self._running = ExitStack()

    def __enter__(self) -> FakeLabelbox:
        host, port, file_port = self._where
        with ExitStack() as stack:
            for name, number, application in (
                ("_api_server", port, self._answer),
                ("_file_server", file_port, FileApp(self._service, self.requests)),
            ):
                server = HttpServer(host, number, application)
                server.start()
                stack.callback(server.stop)
                setattr(self, name, server)
            self._running = stack.pop_all()
        self._service.file_base_url = self._file_server.base_url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    _api_server: HttpServer
    _file_server: HttpServer

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        if request.path == "/graphql":
            return self._graphql(request)
        if request.path.startswith("/_fake/"):
            return self._admin(request)
        body = f"<!doctype html><html><body><pre>Cannot {request.method} {request.path}</pre></body></html>"
        return HttpAnswer(404, body.encode(), {"content-type": "text/html; charset=utf-8"})

    @property
    def base_url(self) -> str:
        """The address of the API server, without path."""
        return self._api_server.base_url

    @property
    def endpoint(self) -> str:
        """The GraphQL endpoint."""
        return f"{self.base_url}/graphql"

    @property
    def file_base_url(self) -> str:
        """The address of the file server."""
        return self._file_server.base_url

    @property
    def api_key(self) -> str:
        """A key of `user`."""
        return self.user.api_key

    @property
    def organization_id(self) -> str:
        """The organization of all users."""
        return self.accounts.organization_id

    @property
    def projects(self) -> dict[str, str]:
        """Ids and names of all projects."""
        return {project_id: project.name for project_id, project in self._service.world.projects.items()}

    @property
    def project_id(self) -> str:
        """The only project, or the first of several."""
        return next(iter(self._service.world.projects))

    @property
    def behaviour(self) -> Behaviour:
        """The switches as they are now."""
        return self._service.behaviour

    def change(self, **switches: Any) -> None:
        """Change switches of `behaviour` from now on; running exports keep what they started with."""
        self._service.behaviour = replace(self._service.behaviour, **switches)

    def add_user(self, user: FakeUser | None = None) -> FakeUser:
        """Let one more user into the organization."""
        return self.accounts.add(user or FakeUser(email="colleague@example.com", name="Colleague"))

    def revoke(self, api_key: str) -> None:
        """Refuse a key from now on."""
        self.accounts.revoke(api_key)

    @property
    def exports(self) -> list[StartedExport]:
        """Every export that was started, oldest first."""
        now = self.clock()
        return [export.as_seen(now) for export in self._service.exports]

    def edit(self, row_id: str, last_activity_at: datetime | None = None) -> None:
        """Have activity on a generated row, now or at the instant given; running exports keep what they found."""
        now = self.clock()
        with self._service.world.lock:
            self._service.world.row(row_id).edit(last_activity_at or now, now=now)

    def row_ids(self, project_id: str | None = None) -> list[str]:
        """The ids of a project's rows, in the order in which exports give them."""
        return [row.row_id for row in self._service.world.in_project(project_id or self.project_id)]

    def rows_for(
        self,
        project_id: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        like: str | None = None,
    ) -> list[bytes]:
        """The truth: the lines of the rows of a project whose `last_activity_at` lies in `[start, end)` now.

        `params` are export params by their wire names, by default `includeDataRowDetails` alone; `like` takes those of
        the export with this id.
        """
        if like is not None:
            export = self._service.export(like)
            if export is None:
                raise LookupError(f"no export has the id {like}")
            params = export.request.params
        project = project_id or self.project_id
        if project not in self.projects:
            raise LookupError(f"no project has the id {project}; there is {', '.join(self.projects)}")
        view = view_of({"includeDataRowDetails": True} if params is None else params)
        view = replace(view, project_ids=frozenset({project}))
        with self._service.world.lock:
            return [row.render(view) for row in self._service.world.in_window(project, start, end)]

    def airflow_connection(self, api_key: str | None = None) -> str:
        """An Airflow connection to this fake as JSON, fit for `AIRFLOW_CONN_…`."""
        return json.dumps({"conn_type": "labelbox", "host": self.endpoint, "password": api_key or self.api_key})

    def airflow_environment(self, conn_id: str = "labelbox_default") -> dict[str, str]:
        """The environment variable that gives Airflow the connection."""
        return {f"AIRFLOW_CONN_{conn_id.upper()}": self.airflow_connection()}
