"""Look-ups of projects and datasets by name, against the fake over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.client.conversations import KEY, Runner, answer, by_hand

from labelbox_export_provider.client import lookups
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Flow, ListedSource, Send
from labelbox_export_provider.errors import AuthenticationError, ConfigurationError, ListChangedError, ProtocolError
from labelbox_export_provider.testing import FakeLabelbox, FakeUser, Place, Workspace
from labelbox_export_provider.testing.faults import ErrorStatus, RateLimited


@pytest.fixture
def fake() -> Iterator[FakeLabelbox]:
    with FakeLabelbox(workspace=Workspace(), user=FakeUser(api_key=KEY)) as running:
        yield running


def add(fake: FakeLabelbox, *numbers: int) -> None:
    for number in numbers:
        fake.add_project(id_of(number), f"project {number:04}")


def id_of(number: int) -> str:
    return f"clp{number:022}"


def settings_of(fake: FakeLabelbox) -> ConnectionSettings:
    return ConnectionSettings(api_key=KEY, endpoint=fake.endpoint, timeout=5, allow_http=True)


def look_up(runner: Runner, fake: FakeLabelbox, flow: Flow[list[ListedSource]] | None = None) -> list[str]:
    """The ids that are found, in their order."""
    return [each.id for each in runner.run(settings_of(fake), lookups.projects() if flow is None else flow)]


def changing(flow: Flow[Any], changes: dict[int, Callable[[], None]]) -> Flow[Any]:
    """A flow before whose requests of these numbers something changes."""
    number, reply = 0, None
    while True:
        try:
            effect = flow.send(reply)
        except StopIteration as stop:
            return stop.value
        if isinstance(effect, Send):
            changes.get(number, lambda: None)()
            number += 1
        reply = yield effect


@pytest.mark.parametrize(("number", "calls"), [(0, 1), (1, 2), (100, 2), (101, 3), (250, 4)])
def test_all_projects_are_listed_page_by_page(fake: FakeLabelbox, runner: Runner, number: int, calls: int) -> None:
    """None, one, a full page, one more, several pages; each once, sorted by name."""
    add(fake, *reversed(range(number)))
    assert look_up(runner, fake) == [id_of(each) for each in range(number)]
    assert len(fake.requests.api) == calls


@pytest.mark.parametrize("per_page", [2, 7, 99])
def test_a_server_that_gives_shorter_pages_hides_nothing(fake: FakeLabelbox, runner: Runner, per_page: int) -> None:
    add(fake, *range(30))
    fake.change(places_per_page=per_page)
    assert look_up(runner, fake) == [id_of(each) for each in range(30)]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("deleted", [0, 99, 100, 101, 249])
def test_a_project_deleted_meanwhile_hides_no_other(
    fake: FakeLabelbox, runner: Runner, deleted: int, newest_first: bool
) -> None:
    """What it moves is found all the same, wherever in the list it was."""
    fake.change(places_newest_first=newest_first)
    add(fake, *range(250))
    flow = changing(lookups.projects(), {1: lambda: fake.delete_project(id_of(deleted))})
    found = look_up(runner, fake, flow)
    assert len(found) == len(set(found))
    assert {id_of(each) for each in range(250)} - {id_of(deleted)} <= set(found)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_project_created_meanwhile_comes_once_and_hides_no_other(
    fake: FakeLabelbox, runner: Runner, newest_first: bool
) -> None:
    fake.change(places_newest_first=newest_first)
    add(fake, *range(250))
    found = look_up(runner, fake, changing(lookups.projects(), {1: lambda: add(fake, 250)}))
    assert found == [id_of(each) for each in range(251)]


def test_a_list_that_never_stands_still_is_an_error(fake: FakeLabelbox, runner: Runner) -> None:
    """No part of it is returned, and a retry may help."""
    add(fake, *range(250))
    oldest = iter(range(250))
    deletions = dict.fromkeys(range(1, 20, 2), lambda: fake.delete_project(id_of(next(oldest))))
    with pytest.raises(ListChangedError, match=r"moved during each of 5 reads.*none is returned"):
        look_up(runner, fake, changing(lookups.projects(), deletions))
    assert runner.slept == [lookups.PAUSE] * 4


def test_names_are_matched_by_a_glob(fake: FakeLabelbox, runner: Runner) -> None:
    """As S3Hook and GCSHook match keys; upper and lower case differ; names may be the same."""
    names = ["team-a cars", "team-a Cars", "team-b cars", "team-a cars", "other"]
    for number, name in enumerate(names):
        fake.add_project(id_of(number), name)
    assert look_up(runner, fake, lookups.projects("team-? cars")) == [id_of(0), id_of(3), id_of(2)]
    assert look_up(runner, fake, lookups.projects("*[Cc]ars")) == [id_of(1), id_of(0), id_of(3), id_of(2)]
    assert look_up(runner, fake, lookups.projects("nothing")) == []
    with pytest.raises(ConfigurationError, match=r"match_glob=''.*or None for all projects"):
        look_up(runner, fake, lookups.projects(""))


def test_datasets_are_listed_too(runner: Runner) -> None:
    places = [Place(id=id_of(each), name=f"dataset {each:04}") for each in range(120)]
    with FakeLabelbox(workspace=Workspace(datasets=places), user=FakeUser(api_key=KEY)) as fake:
        assert look_up(runner, fake, lookups.datasets("dataset 011*")) == [id_of(each) for each in range(110, 120)]


def test_a_page_is_asked_for_again_where_labelbox_fails(fake: FakeLabelbox, runner: Runner) -> None:
    add(fake, *range(150))
    fake.faults.add(RateLimited(operation="projects", retry_after=1, after=1), ErrorStatus(operation="projects"))
    assert look_up(runner, fake) == [id_of(each) for each in range(150)]
    fake.revoke(KEY)
    with pytest.raises(AuthenticationError):
        look_up(runner, fake)


@pytest.mark.parametrize(
    "page", [None, {"nodes": []}, [None], [{"name": "no id"}], [{"id": "clp1"}, {"id": "", "name": "no id"}]]
)
def test_an_answer_that_is_no_list_of_projects_is_an_error(page: object) -> None:
    assert isinstance(by_hand(lookups.projects(), answer({"projects": page})).error, ProtocolError)


def test_a_project_without_a_name_has_its_id_for_one() -> None:
    page = answer({"projects": [{"id": "clp1"}, {"id": 2, "name": None}]})
    last = answer({"projects": [{"id": 2, "name": None}]})
    assert by_hand(lookups.projects(), page, last).value == [ListedSource("2", "2"), ListedSource("clp1", "clp1")]
