"""The page of landed, empty, rejected and missing windows: in Airflow's navigation and as a tab of every DAG.

All of Airflow's processes load plugins, so this module imports nothing that they have not imported already. The page is
JavaScript in `static/` that reads what checks have found through Airflow's public API, with the session of whoever
looks at it; the server's part hands out those files and nothing else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from starlette.staticfiles import StaticFiles

NAME = "Labelbox windows"
URL_PREFIX = "/labelbox-windows"


async def static_files(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer one request (ASGI) with a file of the page."""
    await _static_files()(scope, receive, send)


@cache
def _static_files() -> StaticFiles:
    from starlette.staticfiles import StaticFiles

    return StaticFiles(directory=Path(__file__).parent / "static")


def _bundle_url() -> str:
    """Return the path of the page's script, which before Airflow 3.3 has to hold the path of `[api] base_url`."""
    base_url = conf.get("api", "base_url", fallback=None) or ""
    return f"{urlsplit(base_url).path.rstrip('/')}{URL_PREFIX}/page.js"


class LabelboxWindowsPlugin(AirflowPlugin):
    """What Airflow is told about the page."""

    name = "labelbox_windows"
    fastapi_apps: list[Any] = [{"app": static_files, "url_prefix": URL_PREFIX, "name": NAME}]  # noqa: RUF012
    react_apps: list[Any] = [  # noqa: RUF012
        {"name": NAME, "bundle_url": _bundle_url(), "url_route": route, "destination": destination, **more}
        for route, destination, more in (
            ("labelbox-windows", "nav", {"category": "browse"}),
            ("labelbox_windows", "dag", {}),
        )
    ]
