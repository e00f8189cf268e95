"""A real browser: Chromium as the distribution packages it, headless, driven by Playwright, logged in as one user."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright
from support.e2e.distribution import CannotInstallError, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, StorageState
    from support.e2e.users import User

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = (
    "The browser tests need Chromium. They install it themselves where they may (root, apt-get). Here: install the "
    "package `chromium`, or name the program in LABELBOX_CHROMIUM, or leave these tests out: -m 'e2e and not browser'."
)
PATIENCE = 60_000  # milliseconds: two cores are shared with all components of Airflow and with other tests

_SESSIONS: dict[tuple[str, User], StorageState] = {}
"""Of users who have logged in: the form is slow, and one look at it is enough."""

expect.set_options(timeout=PATIENCE)


def chromium() -> str:
    """Return the path of Chromium, installed now if it has to be."""
    return os.environ.get("LABELBOX_CHROMIUM") or _found() or _installed()


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _installed() -> str:
    try:
        install("chromium", "fonts-dejavu-core")
    except CannotInstallError as error:
        pytest.fail(f"{HOW}\n{error}")
    return _found() or pytest.fail(HOW)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium, without a sandbox where root is not allowed one."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


@contextmanager
def logged_in(browser: Browser, url: str, user: User) -> Iterator[Page]:
    """Return a page of somebody who has logged in through Airflow's form; an error in a script fails the test."""
    context = browser.new_context(
        base_url=f"{url}/",
        storage_state=_SESSIONS.get((url, user)),
        viewport={"width": 1280, "height": 800},
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    if (url, user) not in _SESSIONS:
        page.goto("./")
        page.locator("input[name=username]").fill(user.name)
        page.locator("input[name=password]").fill(user.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Dags", exact=True).first).to_be_visible()
        _SESSIONS[url, user] = context.storage_state()
    yield page
    assert errors == []
    context.close()
