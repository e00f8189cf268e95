"""Every terminal error can be acted on at 3 a.m."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from support import snapshots
from support.airflow.tasks import NIGHT
from support.airflow.versions import finds_out_that_connections_are_missing
from support.failing_tasks import CONNECTION, DagHarness
from support.terminal_errors import (  # noqa: F401  they register situations
    access,
    exports,
    refusals,
    settings,
    stores,
    window_checks,
)
from support.terminal_errors.registry import SITUATIONS, Situation

import labelbox_export_provider
from labelbox_export_provider import errors
from labelbox_export_provider.airflow_compat import AirflowException, AirflowSkipException
from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.failure_report import WIDTH
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.streaming.download.stream_reader import StreamReader
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

_SSL = create_ssl_context(ConnectionSettings(api_key="key"))
PAGE = (Path(__file__).parents[3] / "docs" / "when-it-fails.md").read_text()

LINES = ("source", "link", "export", "window", "try", "moved", "in store", "kept", "details", "retry", "to do")
"""The lines of a message, in their order."""
SHOWN_ON_THE_PAGE = "too_many_error_rows_error_land_an_export_with_error_rows"
CANNOT_END_A_TASK: dict[type[LabelboxExportError], str] = {
    errors.AccessError: "a branch: its leaves are raised",
    errors.TemporaryError: "a branch: its leaves are raised",
    errors.ListChangedError: "raised by look-ups of the hook, which no operator makes",
    errors.ExportEndedError: "a branch: its leaves are raised",
}


# --- the tests


@dataclass(frozen=True)
class Message:
    """What a failed task shows: the exception by which Airflow decides about a retry, and its text."""

    raised: str
    text: str
    error: BaseException | None
    night: DagHarness

    def in_full(self) -> str:
        """The text, with a word for what differs from run to run."""
        kept = frozenset(text for moment in NIGHT for text in (iso_utc(moment), moment.isoformat()))
        return snapshots.of_every_run(self.text, self.night.words(), kept=kept)

    def snapshot(self) -> str:
        """The exception and what differs between situations: the lines that are as `usual` are left out."""
        usual = {f"  {name + ':':<10} {value}" for name, value in usual_lines(self.night).items()}
        return "\n".join([self.raised, *(line for line in self.in_full().splitlines() if line not in usual)])

    def lines(self) -> dict[str, str]:
        return dict(re.findall(r"^  ([a-z ]+): +(\S.*)$", self.text, re.MULTILINE))


def usual_lines(night: DagHarness) -> dict[str, str]:
    """The lines that are the same in nearly all situations."""
    project_id = night.fake.project_id
    return {
        "source": f"project {project_id}",
        "link": f"https://app.labelbox.com/projects/{project_id}",
        "window": f"[{iso_utc(NIGHT[0])}, {iso_utc(NIGHT[1])}) UTC of last_activity_at",
        "try": "1 of 4",
    }


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """As elsewhere, but small."""
    with FakeLabelbox(generate_rows(20, start=date(2026, 11, 22), days=2)) as running:
        monkeypatch.setenv(CONNECTION, running.airflow_connection())
        yield running


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is as long on every machine, since messages are wrapped."""
    with tempfile.TemporaryDirectory(prefix="n", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def night(fake: FakeLabelbox, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagHarness:
    """The night of the tests, in which no wait takes time, and certificates are loaded once."""
    defaults = LabelboxClient.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "sleep", lambda seconds: None)
    monkeypatch.setitem(defaults, "ssl_context", _SSL)
    monkeypatch.setitem(StreamReader.__init__.__kwdefaults__ or {}, "policy", RetryPolicy(first_wait=0.0, max_wait=0.0))
    return DagHarness(fake, short_path, monkeypatch)


@pytest.fixture
def message(request: pytest.FixtureRequest, night: DagHarness) -> Message:
    if "google_connection" in request.param.name and not finds_out_that_connections_are_missing():
        pytest.skip("Airflow 3.1 cannot look up a missing connection outside of a task")
    with pytest.raises((AirflowException, AirflowSkipException)) as failure:
        request.param.happens(night)
    return Message(type(failure.value).__name__, str(failure.value), failure.value.__cause__, night)


in_every_situation = pytest.mark.parametrize("message", SITUATIONS.values(), ids=list(SITUATIONS), indirect=True)


@in_every_situation
def test_the_message_is_the_one_that_was_read(message: Message, request: pytest.FixtureRequest) -> None:
    expected = SITUATIONS[request.node.callspec.id]
    assert type(message.error) is expected.error
    assert_it_begins_with_what_helps(message)
    assert_it_has_the_shape_of_all(message, expected)
    assert_it_can_be_acted_on(message, expected)
    assert_it_holds_no_secret(message)
    snapshots.compare(expected.name, message.snapshot())


def assert_it_begins_with_what_helps(message: Message) -> None:
    sentences = message.text.partition("\n  ")[0].splitlines()
    assert [line for line in sentences if len(line) > WIDTH and str(message.night.root) not in line] == []
    assert not re.search(r"://|answered HTTP|\b(userId|projectId|taskId)\b", sentences[0])


def assert_it_has_the_shape_of_all(message: Message, expected: Situation) -> None:
    block, _, table = message.text.partition("\n\n")
    names = re.findall(r"^  ([a-z ]+): +\S.*$", block, re.MULTILINE)
    assert names == [name for name in LINES if name in names]
    assert block.partition("\n  ")[2].count("\n") == len(names) - 1
    assert bool(table) == (expected.error is errors.WindowsNotLandedError)


def assert_it_can_be_acted_on(message: Message, expected: Situation) -> None:
    lines = message.lines()
    needed = {"source", "link", "window", "try", "in store", "retry", "to do"}
    if "link" not in expected.lacks and "source" in expected.lacks:
        needed -= {"link"}
    missing = needed - lines.keys()
    assert missing == needed & expected.lacks.keys()


def assert_it_holds_no_secret(message: Message) -> None:
    for user in message.night.fake.accounts.users:
        assert user.api_key not in message.text
    addresses = re.findall(r"https?://[^\s'\"]+", message.text)
    assert [found for found in addresses if not found.startswith("https://app.labelbox.com/projects/")] == []
    assert "signature" not in message.text.lower()


def every_class() -> Iterator[type[LabelboxExportError]]:
    """The tree, with the branches and leaves that other modules add to it."""
    for module in pkgutil.walk_packages(labelbox_export_provider.__path__, "labelbox_export_provider."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = [LabelboxExportError]
    for kind in found:
        found += kind.__subclasses__()
    yield from (kind for kind in found if kind.__module__.startswith("labelbox_export_provider."))


def test_every_class_has_a_snapshot_or_a_reason() -> None:
    """Every class of error has a snapshot, or a reason why it cannot end a task."""
    shown = {each.error for each in SITUATIONS.values()}
    assert shown & CANNOT_END_A_TASK.keys() == set()
    assert set(every_class()) - shown == CANNOT_END_A_TASK.keys()


def test_no_snapshot_is_left_over() -> None:
    """There is no snapshot of a situation that no longer exists."""
    assert {file.stem for file in snapshots.FOLDER.iterdir()} == SITUATIONS.keys()


# --- docs/when-it-fails.md


def test_the_page_has_advice_for_every_class() -> None:
    """The page says what to do about every class of error that can end a task."""
    rows = dict(re.findall(r"^\| `(\w+Error)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))
    without_row = {each.error.__name__ for each in SITUATIONS.values()} - rows.keys()
    assert without_row == {"LabelboxExportError"}
    assert "`LabelboxExportError` itself" in PAGE
    assert rows.keys() <= {kind.__name__ for kind in every_class()}


@pytest.mark.parametrize("message", [SITUATIONS[SHOWN_ON_THE_PAGE]], indirect=True)
def test_the_page_shows_a_message_in_full(message: Message) -> None:
    """The block on the page is the whole text of that situation, line by line and in its layout."""
    [block] = re.findall(rf"<!-- {SHOWN_ON_THE_PAGE} -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert block == f"{message.in_full()}\n"


def test_the_page_explains_every_line_of_the_messages() -> None:
    head = PAGE.partition("## ")[0]
    assert set(LINES) - set(re.findall(r"`([a-z ]+)`", head)) == set()
