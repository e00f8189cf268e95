"""The page of windows in a real browser: what it shows of landed, empty, rejected and missing ones, and to whom."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from support.e2e.browser import logged_in
from support.e2e.pictures import BOTH, take_picture
from support.e2e.stage import FIRST, Stage
from support.e2e.users import ADMIN, OUTSIDER, VIEWER
from support.e2e.windows import DAY, touch

from benchmarks.years_of_windows import PREFIX, snapshot_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

MISSING_COLOUR = {"light": "rgb(207, 34, 46)", "dark": "rgb(248, 81, 73)"}
COLOUR = "cell => getComputedStyle(cell).backgroundColor"
ALONE = f'.lbw-snapshot:not([aria-label="{PREFIX}"]) {{ display: none }}'
MONDAY = datetime(2026, 5, 4, 2, tzinfo=timezone.utc)
LANDED, EMPTY, MISSING, REJECTED, NEWEST = "2026-05-04", "2026-05-05", "2026-05-06", "2026-05-08", "2026-05-10"
STATES = {LANDED: "landed", EMPTY: "empty", MISSING: "missing", "2026-05-07": "landed", REJECTED: "rejected"}


def check_file(stage: Stage, name: str, snapshot: dict[str, object]) -> None:
    file = stage.home / name
    file.write_text(json.dumps(snapshot))
    run_id = stage.start("windows_many", file=str(file))
    stage.airflow.api.wait_for_run("windows_many", run_id)
    assert stage.states("windows_many", run_id) == {"check": "success"}, stage.explain("windows_many", run_id)


def yesterday() -> datetime:
    return (datetime.now(timezone.utc) - DAY).replace(hour=2, minute=0, second=0, microsecond=0)


def land(stage: Stage, dag_id: str, start: datetime) -> str:
    run_id = stage.run(dag_id, start=start.isoformat(), end=(start + DAY).isoformat())
    assert stage.states(dag_id, run_id) == {"land": "success"}, stage.explain(dag_id, run_id)
    return run_id


@pytest.fixture(scope="module")
def landing(stage: Stage) -> str:
    """A week of windows: two that runs really landed, others by their names, one never landed, one rejected."""
    run_id = land(stage, "windows_land", MONDAY)
    land(stage, "windows_land_too", MONDAY + 3 * DAY)
    root = stage.home / "windows"
    touch(root, FIRST, MONDAY + DAY, "empty")
    touch(root, FIRST, MONDAY + 4 * DAY, "rejected")
    for later in (5, 6):
        touch(root, FIRST, MONDAY + later * DAY, "ok")
    checked = stage.run("windows_check")
    assert stage.states("windows_check", checked) == {"check": "failed"}, "there are gaps"
    return run_id


def found(page: Page) -> Locator:
    """What the check of this module has found; others of the same Airflow have checked the same source elsewhere."""
    return page.get_by_role("region", name=re.compile(r"\bwindows$"))


def cell(page: Page, day: str) -> Locator:
    return found(page).get_by_role("grid", name=FIRST).get_by_role("gridcell", name=re.compile(f"^{day}: "))


def test_calendar_shows_what_each_window_is(stage: Stage, browser: Browser, landing: str) -> None:
    """Landed, empty, rejected and missing windows are told apart by name and by colour, in both themes."""
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto("dags")
        page.get_by_role("button", name="Browse").click()
        page.get_by_role("menuitem", name="Labelbox windows").or_(
            page.get_by_role("link", name="Labelbox windows")
        ).click()
        expect(found(page).get_by_role("grid", name=f"Windows of project {FIRST}, 2026")).to_be_visible()
        for day, state in STATES.items():
            expect(cell(page, day)).to_have_attribute("data-state", state)
        expect(cell(page, LANDED)).to_have_attribute("aria-label", f"{LANDED}: landed, 15 rows")
        expect(found(page).get_by_text("1 missing, 1 rejected", exact=True)).to_be_visible()
        for theme in BOTH:
            page.emulate_media(color_scheme=theme)
            expect(cell(page, MISSING)).to_have_css("background-color", MISSING_COLOUR[theme])
            colours = {state: cell(page, day).evaluate(COLOUR) for day, state in STATES.items()}
            assert len(set(colours.values())) == len(colours)


def test_a_click_leads_to_run_and_manifest_and_fill(stage: Stage, browser: Browser, landing: str) -> None:
    """A landed day names its run and manifest; a missing one has the command that fills it; both without a mouse."""
    with logged_in(browser, stage.airflow.url, ADMIN) as page:
        page.goto("plugin/labelbox-windows")
        cell(page, NEWEST).focus()
        for _ in range(6):
            page.keyboard.press("ArrowUp")
        expect(cell(page, LANDED)).to_be_focused()
        page.keyboard.press("Enter")
        details = page.get_by_role("region", name=re.compile(f"^{LANDED}"))
        expect(details.get_by_text(re.compile("2026-05-04 02:00 . 2026-05-05 02:00 UTC"))).to_be_visible()
        manifest = stage.airflow.api.xcoms("windows_land", landing, "land")["return_value"]["manifest_uri"]
        expect(details.get_by_text(manifest, exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        expect(details).to_have_count(0)
        cell(page, MISSING).click()
        details = page.get_by_role("region", name=re.compile(f"^{MISSING}"))
        fill = "airflow backfill create --dag-id windows_land --from-date 2026-05-06T02:00:00Z"
        expect(details.get_by_text(fill)).to_be_visible()
        cell(page, REJECTED).click()
        details = page.get_by_role("region", name=re.compile(f"^{REJECTED}"))
        expect(details.get_by_text("Read its error rows")).to_be_visible()
        expect(details.get_by_text(f"/errors/source=project/id={FIRST}/dt={REJECTED}/")).to_be_visible()
        cell(page, LANDED).click()
        details = page.get_by_role("region", name=re.compile(f"^{LANDED}"))
        details.get_by_role("link", name=landing).click()
        expect(page).to_have_url(re.compile("/under/a/path/dags/windows_land/runs/"))
        expect(page.get_by_text(landing).first).to_be_visible()


@pytest.mark.parametrize("dag_id", ["windows_check", "windows_land", "windows_land_too"])
def test_a_dag_has_the_page_as_a_tab(stage: Stage, browser: Browser, landing: str, dag_id: str) -> None:
    """The tab of a DAG that checks shows its check, that of one that lands what others found of its sources.

    The check names one of these; the other is known by its asset events.
    """
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto(f"dags/{dag_id}")
        page.get_by_role("link", name="Labelbox windows").click()
        expect(cell(page, MISSING)).to_have_attribute("data-state", "missing")
        page.goto("dags/single")
        page.get_by_role("link", name="Labelbox windows").click()
        expect(page.get_by_text("No check of windows has reported about a source that this DAG lands.")).to_be_visible()


def test_a_user_without_the_dag_sees_nothing_of_it(stage: Stage, browser: Browser, landing: str) -> None:
    """Whoever may not read the check's DAG gets neither source nor prefix, on the page and in all that it asks for."""
    with logged_in(browser, stage.airflow.url, OUTSIDER) as page:
        answers: list[str] = []
        page.on(
            "response", lambda response: answers.append(response.text()) if "/api/v2/dags" in response.url else None
        )
        page.goto("plugin/labelbox-windows")
        expect(page.get_by_text("No check of windows has reported in a DAG that you may read.")).to_be_visible()
        assert answers
        assert not [answer for answer in answers if FIRST in answer or "windows_check" in answer]
        with page.expect_response("**/dags/windows_check*") as refused:
            page.goto("dags/windows_check/plugin/labelbox_windows")
        assert refused.value.status == 403
        expect(page.get_by_role("grid")).to_have_count(0)


def test_three_hundred_sources_can_be_searched(stage: Stage, browser: Browser) -> None:
    """Of 300 sources over three years those with gaps come first, are found by name and opened one by one."""
    end = yesterday()
    check_file(stage, "many.json", snapshot_of(300, 1095, end))
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto("plugin/labelbox-windows")
        section = page.get_by_role("region", name=PREFIX)
        lines = section.get_by_role("group").filter(has_text="project clproject")
        expect(lines).to_have_count(300)
        expect(lines.first.get_by_role("img", name="4 missing")).to_be_visible()
        take_picture(page, "windows-many", style=ALONE)
        section.get_by_role("checkbox", name="only with gaps").check()
        expect(section.get_by_text("28 of 300")).to_be_visible()
        section.get_by_role("searchbox", name="Find a source").fill("clproject0000000000000020")
        expect(lines).to_have_count(1)
        expect(section.get_by_role("grid")).to_have_count(0)
        lines.get_by_text("project clproject").click()
        expect(section.get_by_role("grid")).to_have_count(4 if end.timetuple().tm_yday > 1 else 3)
        section.get_by_role("gridcell", name=re.compile("missing")).first.click()
        expect(section.get_by_text("airflow dags trigger labelbox_fill_gaps")).to_be_visible()
        section.get_by_role("gridcell", name=re.compile("landed")).first.click()
        expect(section.get_by_role("link", name="s3://my-data-lake/labelbox/manifests/")).to_have_attribute(
            "href",
            re.compile(r"^https://console\.aws\.amazon\.com/s3/buckets/my-data-lake\?prefix=labelbox%2Fmanifests"),
        )


def test_one_source_is_open_from_the_start(stage: Stage, browser: Browser) -> None:
    """The calendars of a single source are there without a click, and a missing day tells how it is filled."""
    many: dict[str, Any] = snapshot_of(4, 420, yesterday())
    check_file(stage, "one.json", {**many, "sources": many["sources"][-1:]})
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto("plugin/labelbox-windows")
        section = page.get_by_role("region", name=PREFIX)
        section.get_by_role("gridcell", name=re.compile("missing")).first.click()
        expect(section.get_by_text("airflow dags trigger labelbox_fill_gaps")).to_be_visible()
        expect(section.get_by_text("none that you may see is known")).to_be_visible()
        take_picture(page, "windows-one", style=ALONE)


@pytest.mark.parametrize("uri", ["s3://my-data-lake/labelbox/_windows/20261130T080000Z.json", None])
def test_what_is_left_out_is_told(stage: Stage, browser: Browser, uri: str | None) -> None:
    """Of what is too large for an XCom the newest windows are shown, older gaps counted, and where the rest is."""
    many: dict[str, Any] = snapshot_of(4, 60, yesterday())
    for source, older in zip(many["sources"], (0, 3, 0, 0), strict=True):
        source["gaps_left_out"] = older
    name = "s3://my-data-lake/left-out"
    check_file(
        stage, "newest.json", {**many, "prefix": name, "windows_since": "2026-10-01T00:00:00Z", "snapshot_uri": uri}
    )
    with logged_in(browser, stage.airflow.url, VIEWER) as page:
        page.goto("plugin/labelbox-windows")
        section = page.get_by_role("region", name=name)
        expect(section.get_by_role("note")).to_contain_text("windows before 2026-10-01 are not shown")
        expect(section.get_by_role("note")).to_contain_text(uri or "The store did not let the check write all of it.")
        expect(section.get_by_text("4 missing, 3 before 2026-10-01", exact=True)).to_be_visible()
        expect(section.get_by_role("group").filter(has_text="clproject0000000000000001")).to_contain_text("3 older")
        expect(section.get_by_role("group").filter(has_text="project clproject")).to_have_count(4)
