"""The Airflow hook: from a connection to a client that runs flows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseHook, Connection
from airflow.sdk.log import mask_secret

from labelbox_export_provider.airflow_compat import (
    AirflowNotFoundException,
    get_async_connection,
    get_async_extra,
    get_connection,
    mask_secret_async,
)
from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client import flows, lookups
from labelbox_export_provider.client import user_agent as agent
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Flow
from labelbox_export_provider.client.user_agent import provider_version
from labelbox_export_provider.errors import ConnectionSettingsError, LabelboxExportError

if TYPE_CHECKING:
    from labelbox_export_provider.client.http_clients import LabelboxClient
    from labelbox_export_provider.client.types import ListedSource
    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.export_task.task import ExportTask

__all__ = ["LabelboxHook", "airflow_version", "no_such_connection", "provider_version", "user_agent"]

TEST_CONNECTION_SECONDS = 10.0
T = TypeVar("T")


class LabelboxHook(BaseHook):
    """Talks to Labelbox with the key of an Airflow connection of type `labelbox`.

    `run` runs one flow of `labelbox_export_provider.client.flows` in a worker; triggers use `async_settings`
    and share an asynchronous client of their own. The key is registered with Airflow's secret masker and goes to the
    GraphQL endpoint only. Every fault of the connection is a `ConnectionSettingsError` that names the field. A `token`
    that is cancelled ends what its clients do.
    """

    conn_name_attr: ClassVar[str] = "labelbox_conn_id"
    default_conn_name: ClassVar[str] = "labelbox_default"
    conn_type: ClassVar[str] = "labelbox"
    hook_name: ClassVar[str] = "Labelbox"

    def __init__(
        self, labelbox_conn_id: str = default_conn_name, *, token: CancelToken | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.labelbox_conn_id = labelbox_conn_id
        self._token = token

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked. Read once: a hook lives no longer than one phase of a task."""
        try:
            connection = get_connection(self.labelbox_conn_id)
        except AirflowNotFoundException:
            raise no_such_connection(self.labelbox_conn_id) from None
        if key := _key_of(connection):
            mask_secret(key)
        return _settings(self.labelbox_conn_id, connection, _extra(self.labelbox_conn_id, connection))

    @classmethod
    async def async_settings(cls, labelbox_conn_id: str) -> ConnectionSettings:
        """Read the connection on an event loop without blocking it."""
        try:
            connection = await get_async_connection(labelbox_conn_id)
        except AirflowNotFoundException:
            raise no_such_connection(labelbox_conn_id) from None
        try:
            extra = await get_async_extra(connection)
        except ValueError:
            raise _bad_extra(labelbox_conn_id) from None
        if key := _key_of(connection):
            await mask_secret_async(key)
        return _settings(labelbox_conn_id, connection, extra)

    def get_conn(self) -> LabelboxClient:
        """Open a client; close it, or use it as a context manager."""
        return _client(self.settings, self._token)

    def run(self, flow: Flow[T]) -> T:
        """Run one flow with a client of its own."""
        with self.get_conn() as client:
            return client.run(flow)

    def get_projects(self, match_glob: str | None = None) -> list[ListedSource]:
        """Return id and name of all projects that the key may see, sorted by name; deleted ones are left out.

        `match_glob` narrows them by name, with `*`, `?` and `[...]` as in `GCSHook.list` and in `S3Hook` with
        `wildcard_match`; upper and lower case differ. The list is whole or the call fails: one that moves while it is
        read is read again, and `ListChangedError` is raised where it moves all the time.
        """
        return self.run(lookups.projects(match_glob))

    def get_datasets(self, match_glob: str | None = None) -> list[ListedSource]:
        """Return id and name of all datasets, as `get_projects` does."""
        return self.run(lookups.datasets(match_glob))

    def get_export_task(self, export: ExportHandle | Mapping[str, Any] | str) -> ExportTask:
        """Return an export task to follow and read in Python, by its handle (`start.output`) or by its bare id.

        It has a client of its own with this hook's connection, whatever connection the handle names: close it, or use
        it as a context manager. Raises `HandleError`, `NotFoundError` and `AnotherUsersExportError`.
        """
        from labelbox_export_provider.export_task.task import ExportTask  # brings HTTP libraries

        client = self.get_conn()
        try:
            return ExportTask.get_task(client, export, owns_client=True)
        except BaseException:
            client.close()
            raise

    def test_connection(self) -> tuple[bool, str]:
        """Return whose key it is, for Airflow's connection form; one try, since a person is waiting.

        The text goes to the browser as it is, so it holds nothing but the owner's name, organization and time zone.
        """
        try:
            timeout = min(self.settings.timeout, TEST_CONNECTION_SECONDS)
            # Airflow's API server tests the connection under another id.
            quick = self.settings.model_copy(update={"timeout": timeout, "conn_id": None})
            with _client(quick) as client:
                owner = client.run(flows.who_am_i(ONCE))
        except LabelboxExportError as error:
            return False, str(error)
        zone = owner.timezone or "none set, so dates without offset are read as UTC"
        organization = owner.organization_name or owner.organization_id
        return True, f"The key belongs to {owner.email or owner.user_id} of {organization}. Time zone: {zone}."


def _client(settings: ConnectionSettings, token: CancelToken | None = None) -> LabelboxClient:
    # Inside the function: it brings httpx, which DAG parsing does not need.
    from labelbox_export_provider.client.http_clients import LabelboxClient

    return LabelboxClient(settings, user_agent=user_agent(), token=token)


def no_such_connection(conn_id: str) -> ConnectionSettingsError:
    """Return the error of a missing connection, with how to create it."""
    return ConnectionSettingsError(
        f"There is no Airflow connection {conn_id!r} (labelbox_conn_id). Create one of type 'labelbox' with the API "
        f"key as its password, or set AIRFLOW_CONN_{conn_id.upper()} for all Airflow components."
    )


def _bad_extra(conn_id: str) -> ConnectionSettingsError:
    return ConnectionSettingsError(
        f"The extra of connection {conn_id!r} is not a JSON object. Write for instance "
        '{"timeout": 60, "verify": true}, or leave it empty.'
    )


def _extra(conn_id: str, connection: Connection) -> dict[str, Any]:
    try:
        return dict(connection.extra_dejson)
    except (ValueError, TypeError):
        raise _bad_extra(conn_id) from None


def _key_of(connection: Connection) -> str:
    """Return what is to be masked: the key as it is used, or the login where the key may be in the wrong field."""
    return (connection.password or "").strip() or (connection.login or "").strip()


def _settings(conn_id: str, connection: Connection, extra: dict[str, Any]) -> ConnectionSettings:
    return ConnectionSettings.from_parts(
        conn_id=conn_id,
        host=connection.host,
        login=connection.login,
        password=connection.password,
        port=connection.port,
        schema=connection.schema,
        # The form writes a null for a field that was left empty.
        extra={name: value for name, value in extra.items() if value is not None and value != ""},
    )


@cache
def user_agent() -> str:
    """Return the User-Agent of this program's requests."""
    return agent.user_agent(f"Airflow/{airflow_version()}")


@cache
def airflow_version() -> str:
    """Return Airflow's version."""
    return version("apache-airflow")
