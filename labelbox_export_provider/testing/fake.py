"""`FakeLabelbox`: a local Labelbox for tests and demos."""

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
from labelbox_export_provider.testing.data.dataset import generate_rows
from labelbox_export_provider.testing.data.indexed_workspace import World
from labelbox_export_provider.testing.data.rows import DataRow
from labelbox_export_provider.testing.data.workspace import Place, Workspace
from labelbox_export_provider.testing.expected_rows import SourceName, rows_for
from labelbox_export_provider.testing.exports import Export, StartedExport
from labelbox_export_provider.testing.fault_plan import FaultPlan
from labelbox_export_provider.testing.faults import StreamName
from labelbox_export_provider.testing.file_app import FileApp
from labelbox_export_provider.testing.graphql.app import GraphQLApp
from labelbox_export_provider.testing.http.request_log import RequestLog
from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest, HttpServer
from labelbox_export_provider.testing.service import Service


class FakeLabelbox:
    """A fake Labelbox on two local ports: GraphQL (`endpoint`) and signed files.

    ::

        with FakeLabelbox(generate_rows(500)) as fake:  # or FakeLabelbox(workspace=generate_workspace())
            os.environ.update(fake.airflow_environment())
            ...
            assert [export.status for export in fake.exports] == ["COMPLETE"]

    It applies filters and export params, checks keys, limits running exports, and is strict about unknown fields,
    arguments and input members; `behaviour` holds its switches, `faults` the planned faults, `requests` the received
    requests. `rows` are those of one or more projects, and `projects` (id to name) adds empty ones; a `workspace` is
    the whole content instead; without either it generates rows of one project. Port 0 takes a free one.
    """

    def __init__(
        self,
        rows: Iterable[DataRow] | None = None,
        *,
        workspace: Workspace | None = None,
        projects: Mapping[str, str] | None = None,
        behaviour: Behaviour | None = None,
        user: FakeUser | None = None,
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
        if workspace is None:
            empty = [Place(id=project_id, name=name) for project_id, name in (projects or {}).items()]
            with_rows = Workspace(rows=list(generate_rows() if rows is None else rows)).completed()
            workspace = replace(with_rows, projects=[*with_rows.projects, *empty])
        elif rows is not None or projects is not None:
            raise ValueError("a workspace has its own rows and projects: give either workspace= or rows and projects=")
        self._service = Service(World(workspace), self.accounts, self.faults, behaviour or Behaviour(), clock)
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
        if request.path in ("/graphql", "/_gql"):  # the official client asks for batches at the second path
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
    def workspace(self) -> Workspace:
        """The whole content: rows, projects, datasets, batches, slices, models and model runs."""
        return self._service.world.workspace

    @property
    def projects(self) -> dict[str, str]:
        """Ids and names of all projects."""
        return {project.id: project.name for project in self.workspace.projects}

    @property
    def project_id(self) -> str:
        """The only project, or the first of several."""
        return next(iter(self.projects))

    @property
    def behaviour(self) -> Behaviour:
        """The switches as they are now."""
        return self._service.behaviour

    def change(self, **switches: Any) -> None:
        """Change switches of `behaviour` from now on; running exports keep what they started with."""
        self._service.behaviour = replace(self._service.behaviour, **switches)

    def add_user(self, user: FakeUser | None = None) -> FakeUser:
        """Add one more user to the organization."""
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
        """Set a generated row's last activity, by default to now; running exports keep what they found."""
        now = self.clock()
        with self._service.world.lock:
            self._service.world.row(row_id).edit(last_activity_at or now, now=now)

    def add_project(self, project_id: str, name: str, rows: Iterable[DataRow] = ()) -> None:
        """Add a project while the fake runs, with rows of it or empty."""
        self._service.world.add(list(rows), projects=[Place(id=project_id, name=name)])

    def delete_project(self, project_id: str) -> None:
        """Delete a project with its labels while the fake runs; exports of it that were started keep their rows."""
        self._service.world.delete_project(project_id)

    def deny_project(self, project_id: str) -> None:
        """Refuse exports of a project from now on, with AUTHORIZATION_ERROR; it can be seen all the same."""
        self._service.denied_projects.add(project_id)

    def row_ids(self, project_id: str | None = None) -> list[str]:
        """Return the ids of a project's rows, in the order in which exports give them."""
        return [row.row_id for row in self._service.world.in_project(project_id or self.project_id)]

    def expected_rows(self, export_id: str, stream: StreamName = "RESULT") -> bytes:
        """Return the rows (or error rows) that an export must have, byte for byte, each with a newline."""
        return self._export(export_id).streams[stream].as_rows()

    def rows_for(
        self,
        project_id: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        dataset_id: str | None = None,
        slice_id: str | None = None,
        model_run_id: str | None = None,
        everything: bool = False,
        params: Mapping[str, Any] | None = None,
        like: str | None = None,
    ) -> list[bytes]:
        """Return the rows of a source whose `last_activity_at` lies in `[start, end)` now, as an export has them.

        The source is the first project unless one is named (`everything` is the catalog). `params` are export params by
        their wire names, by default `includeDataRowDetails` alone; `like` takes those of the export with this id, and
        its source unless one is named.
        """
        named = {"project": project_id, "dataset": dataset_id, "slice": slice_id, "model_run": model_run_id}
        sources = [SourceName(kind, source_id) for kind, source_id in named.items() if source_id is not None]
        if everything:
            sources.append(SourceName("catalog", None))
        if len(sources) > 1:
            raise ValueError(f"one source at a time, not {' and '.join(source.kind for source in sources)}")
        if like is not None:
            asked = self._export(like).request
            params = asked.params
            sources = sources or [SourceName(asked.source_kind, asked.source_id)]
        source = sources[0] if sources else SourceName("project", self.project_id)
        return rows_for(
            self._service, source, start, end, {"includeDataRowDetails": True} if params is None else params
        )

    def _export(self, export_id: str) -> Export:
        export = self._service.export(export_id)
        if export is None:
            raise LookupError(f"no export has the id {export_id}")
        return export

    def airflow_connection(self, api_key: str | None = None) -> str:
        """Return an Airflow connection to this fake as JSON, for `AIRFLOW_CONN_…`."""
        return json.dumps({"conn_type": "labelbox", "host": self.endpoint, "password": api_key or self.api_key})

    def airflow_environment(self, conn_id: str = "labelbox_default") -> dict[str, str]:
        """Return the environment variable that defines the connection for Airflow."""
        return {f"AIRFLOW_CONN_{conn_id.upper()}": self.airflow_connection()}
