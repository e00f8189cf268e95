"""What a user touches in Airflow's UI, in a real browser: connection, trigger form, logs, links, asset events."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect
from support.e2e.browser import logged_in
from support.e2e.pictures import take_picture
from support.e2e.stage import API_KEY, FAILING, FIRST, Stage
from support.e2e.users import ADMIN, VIEWER

from labelbox_export_provider.testing.faults import FailedExport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

TUTORIAL = {
    "Connection ID": "labelbox_default",
    "GraphQL endpoint": "http://127.0.0.1:8765/graphql",
    "API key": "tutorial-key",
}
GREEN, RED = "rgb(0, 128, 0)", "rgb(255, 0, 0)"
pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def failed_run(stage: Stage) -> str:
    stage.labelbox.faults.add(FailedExport(source_id=FAILING))
    return stage.start("chain", project_id=FAILING, prefix="chain/in_a_browser")


@pytest.fixture
def page(stage: Stage, browser: Browser, failed_run: str) -> Iterator[Page]:
    with logged_in(browser, stage.airflow.url, ADMIN) as page:
        yield page


def task_page(dag_id: str, run_id: str, task_id: str, tab: str = "") -> str:
    return f"dags/{dag_id}/runs/{quote(run_id, safe='')}/tasks/{task_id}{tab and f'/{tab}'}"


def test_the_form_makes_a_connection_that_works(stage: Stage, page: Page) -> None:
    """The form has this provider's fields and words; what it makes passes the Test icon, and a wrong key does not."""
    for name, key in (("browser_right", API_KEY), ("browser_wrong", "not-the-key-of-anybody")):
        page.goto("connections")
        page.get_by_role("button", name="Add Connection").click()
        form = page.get_by_role("dialog")
        form.get_by_role("combobox").fill("labelbox")
        form.get_by_role("option", name="Labelbox").click()
        for label, value in TUTORIAL.items():
            form.get_by_label(label).fill(value)
        take_picture(page, "connection-form")
        form.get_by_role("textbox", name="Connection ID").fill(name)
        form.get_by_role("textbox", name="GraphQL endpoint").fill(stage.labelbox.endpoint)
        form.get_by_role("textbox", name="API key").fill(key)
        form.get_by_role("spinbutton", name="Port").fill(str(urlsplit(stage.labelbox.endpoint).port))
        expect(form.get_by_role("textbox", name="Login")).to_have_count(0)
        form.get_by_role("button", name="Extra Fields", exact=True).click()
        expect(form.get_by_text("Seconds that one call may take. Empty: 60")).to_be_visible()
        form.get_by_role("button", name="Save").click()
        row = page.get_by_role("row").filter(has_text=name)
        with page.expect_response("**/connections/test") as answered:
            row.get_by_role("button", name="Test Connection").click()
        answer = answered.value.json()
        assert answer["status"] is (key == API_KEY)
        assert ("Fake Labelbox" in answer["message"]) is (key == API_KEY)
        assert key not in answer["message"]
        icon = row.get_by_role("button", name="Test Connection").locator("svg")
        expect(icon).to_have_css("color", GREEN if key == API_KEY else RED)


def _fill_in(page: Page, label: str, day: str, time: str) -> None:
    field = page.get_by_role("dialog").first.get_by_role("group").filter(has_text=label)
    field.get_by_text("Select date and time").click()
    page.get_by_role("textbox", name=label).fill(day)
    page.get_by_role("textbox", name="HH:mm").fill(time)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(field.get_by_text(f"May 0{day[-1]}, 2026 {time}")).to_be_visible()


def test_the_trigger_form_lands_the_window_that_is_filled_in(stage: Stage, page: Page) -> None:
    """The window of the form is landed; then its log, its asset event and its link are there to be clicked."""
    stage.airflow.api.wait_for_dag("windows_land")
    page.goto("dags/windows_land")
    page.get_by_role("button", name=re.compile("Trigger")).click()
    _fill_in(page, "Window start", "2026/05/04", "02:00")
    _fill_in(page, "Window end", "2026/05/05", "02:00")
    with page.expect_response("**/dagRuns") as answered:
        page.get_by_role("dialog").first.get_by_role("button", name="Trigger", exact=True).click()
    run_id = answered.value.json()["dag_run_id"]
    assert stage.airflow.api.wait_for_run("windows_land", run_id)["state"] == "success"
    summary = stage.airflow.api.xcoms("windows_land", run_id, "land")["return_value"]
    assert (summary["window"]["start"], summary["window"]["end"]) == ("2026-05-04T02:00:00Z", "2026-05-05T02:00:00Z")
    shown = {str(stage.home / "windows"): "/data/labelbox", socket.gethostname(): "worker"}
    page.goto(f"{task_page('windows_land', run_id, 'land')}?log_level=info")
    expect(page.get_by_text(re.compile("Landed export"))).to_be_visible()
    take_picture(page, "landed", replace=shown)
    page.goto(task_page("windows_land", run_id, "land", "details"))
    link = page.get_by_role("link", name="Labelbox", exact=True)
    expect(link).to_have_attribute("href", re.compile(rf"^https://app\.labelbox\.com/projects/{FIRST}"))
    take_picture(page, "links", replace=shown, to=link)
    page.goto(task_page("windows_land", run_id, "land", "asset_events"))
    expect(page.get_by_role("link", name=f"/data/source=project/id={FIRST}")).to_be_visible()


def test_the_log_of_a_failure_shows_what_to_do(stage: Stage, browser: Browser, failed_run: str) -> None:
    """Somebody who may only read finds in the log of the failed task what has failed and what to click."""
    stage.airflow.api.wait_for_run("chain", failed_run)
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto(task_page("chain", failed_run, "wait"))
        expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
        expect(page.get_by_text(re.compile("clear task", re.IGNORECASE)).first).to_be_visible()
