"""The plugin as Airflow sees it; what the page does is tested in a browser (tests/e2e)."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from starlette.applications import Starlette
from starlette.routing import Mount

from labelbox_export_provider.plugins import windows_page
from labelbox_export_provider.plugins.windows_page import LabelboxWindowsPlugin, static_files

STATIC = Path(windows_page.__file__).parent / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
CONSOLES = {"https://console.aws.amazon.com", "https://console.cloud.google.com"}


def get(path: str, method: str = "GET") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=[Mount(windows_page.URL_PREFIX, static_files)]))
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            return await client.request(method, f"{windows_page.URL_PREFIX}{path}")

    return asyncio.run(ask())


def test_airflow_accepts_the_plugin() -> None:
    assert issubclass(LabelboxWindowsPlugin, AirflowPlugin)
    LabelboxWindowsPlugin.validate()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
    assert [(app["url_route"], app["destination"]) for app in LabelboxWindowsPlugin.react_apps] == [
        ("labelbox-windows", "nav"),
        ("labelbox_windows", "dag"),
    ]


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("https://airflow.example.com", "/labelbox-windows/page.js"),
        ("https://example.com/team/airflow/", "/team/airflow/labelbox-windows/page.js"),
        (None, "/labelbox-windows/page.js"),
    ],
)
def test_the_script_is_below_the_path_of_airflow(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, path: str
) -> None:
    """Airflow before 3.3 does not resolve the script's address against its own."""
    monkeypatch.setattr(conf, "get", lambda *_, **__: base_url)
    assert windows_page._bundle_url() == path


def test_the_script_is_served() -> None:
    answer = get("/page.js")
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]
    assert answer.text == (STATIC / "page.js").read_text()


@pytest.mark.parametrize(
    "path", ["/", "/none.js", "/../windows_page.py", "/..%2fwindows_page.py", "/%2e%2e/__init__.py"]
)
def test_nothing_else_is_served(path: str) -> None:
    assert get(path).status_code == 404


def test_the_files_cannot_be_written() -> None:
    assert get("/page.js", "POST").status_code == 405


def test_loading_the_plugin_imports_nothing_of_weight() -> None:
    """All processes of Airflow load it, so it brings no module but its own."""
    program = """
import sys, json, airflow.plugins_manager, airflow.configuration
before = set(sys.modules)
import labelbox_export_provider.plugins.windows_page
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded[-1] == "labelbox_export_provider.plugins.windows_page"
    assert not [module for module in loaded if not module.startswith("labelbox_export_provider")]


def test_the_entry_points_name_the_plugin() -> None:
    """Airflow finds plugins by their entry points alone."""
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    home = f"{LabelboxWindowsPlugin.__module__}:{LabelboxWindowsPlugin.__name__}"
    assert f'[project.entry-points."airflow.plugins"]\nlabelbox_windows = "{home}"\n' in project


def test_the_page_needs_no_other_host() -> None:
    """Scripts import each other alone; the only other hosts are those of links to a store's console."""
    for script in SCRIPTS:
        text = script.read_text()
        assert len(text.splitlines()) <= 300
        for imported in re.findall(r'(?:from|import) "([^"]+)"', text):
            assert (STATIC / imported).is_file(), f"{script.name} imports {imported}"
        assert set(re.findall(r"https?://[\w.]+", text)) <= CONSOLES, script.name


def test_the_entry_asks_for_all_scripts_at_once() -> None:
    imported = set(re.findall(r'"\./(\w+\.js)"', (STATIC / "page.js").read_text()))
    assert imported == {script.name for script in SCRIPTS} - {"page.js"}
