"""The command prints its plan, does nothing without --yes, and ends with a sentence when it cannot be carried out."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.check_account import COMMAND, check, run_command

from labelbox_export_provider.check_account.plan import MAX_OF_ROW, OF_NOTHING, WITH_UNKNOWN_IDS
from labelbox_export_provider.check_account.questions import NEEDS_ROW, QUESTIONS
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, HtmlAnswer, LostAnswer, RefusedFile

pytestmark = pytest.mark.thorough  # each starts the command as a process


@pytest.fixture
def fake() -> Iterator[FakeLabelbox]:
    with FakeLabelbox(generate_rows(2)) as running:
        yield running


def test_nothing_is_sent_without_yes(fake: FakeLabelbox) -> None:
    """Without --yes the plan is printed, with the exports that it would start, and nothing is sent."""
    done = run_command("--endpoint", fake.endpoint, "--data-row-id", fake.row_ids()[0], LABELBOX_API_KEY=fake.api_key)
    assert done.code == 0
    assert f"at most 6 of one data row, {fake.row_ids()[0]}" in done.out
    assert "Nothing was sent. Add --yes to do it." in done.out
    assert fake.requests.api == []


def test_the_key_of_a_connection(fake: FakeLabelbox) -> None:
    """--connection takes key and address of an Airflow connection."""
    done = run_command("--connection", "labelbox_prod", "--yes", **fake.airflow_environment("labelbox_prod"))
    assert (done.code, "18 ok, 0 differ, 12 open" in done.out) == (0, True), done.err
    assert fake.api_key not in done.out + done.err


def test_airflow_is_imported_for_a_connection_only(fake: FakeLabelbox) -> None:
    """With a key from the environment the check needs no Airflow."""
    program = (
        "import sys; from labelbox_export_provider.__main__ import main; "
        f"code = main(['check-account', '--endpoint', {fake.endpoint!r}, '--yes']); "
        "sys.exit(9 if 'airflow' in sys.modules else code)"
    )
    environment = {"LABELBOX_API_KEY": fake.api_key, "PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], check=False, env=environment, timeout=60).returncode == 0


def test_no_key() -> None:
    """A missing key names the variable and the option."""
    done = run_command("--yes", LABELBOX_API_KEY="")
    assert done.code == 2
    assert "set the environment variable LABELBOX_API_KEY" in done.err
    assert "--connection ID" in done.err


@pytest.mark.parametrize(
    ("key", "endpoint", "sentence"),
    [
        ("'quoted'", "https://api.labelbox.com/graphql", "LABELBOX_API_KEY: the API key is in quotation marks"),
        ("good", "http://api.example/graphql", "--endpoint: http://api.example is not encrypted"),
        ("good", "http://127.0.0.1:1/graphql", "gave no answer: no connection"),
    ],
)
def test_a_key_or_address_that_cannot_work(key: str, endpoint: str, sentence: str) -> None:
    """What is wrong with the key or the address is said in a sentence, within one try."""
    done = run_command("--yes", "--endpoint", endpoint, LABELBOX_API_KEY=key)
    assert done.code == 2
    assert sentence in done.err
    assert "quoted" not in done.err


def test_a_wrong_key(fake: FakeLabelbox) -> None:
    """A refused key is named by where it came from."""
    done = run_command("--yes", "--endpoint", fake.endpoint, LABELBOX_API_KEY="not-a-key-of-anybody")
    assert done.code == 2
    assert "The API key is not accepted" in done.err
    assert "The key is that of LABELBOX_API_KEY." in done.err
    assert "not-a-key-of-anybody" not in done.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--connection", "nobody", "--yes"], "There is no Airflow connection 'nobody'"),
        (["--connection", "a", "--endpoint", "b"], "--connection brings its own endpoint"),
        (
            ["--json", "no/such/directory/report.json", "--yes"],
            "--json no/such/directory/report.json cannot be written",
        ),
        (["--data-row-id", "https://app.labelbox.com/x"], "is not the id of a data row"),
        (["--timeout", "soon"], "is not a whole number of seconds above 0"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_option(arguments: list[str], sentence: str) -> None:
    """A wrong option ends with exit code 2 and the way to write it."""
    if arguments:
        done = run_command(*arguments, LABELBOX_API_KEY="some-key")
        assert (done.code, sentence in done.err) == (2, True), done.err
    else:
        bare = [sys.executable, "-m", "labelbox_export_provider"]
        assert sentence in subprocess.run(bare, check=False, capture_output=True, text=True, timeout=60).stderr


def test_no_such_data_row(fake: FakeLabelbox, tmp_path: Path) -> None:
    """An id of no data row ends the check after the one empty export that shows it."""
    done = check(fake, tmp_path, "--data-row-id", "clnothere")
    assert done.code == 2
    assert "Labelbox exports no data row for the --data-row-id given" in done.err
    assert [export.rows for export in fake.exports] == [0]


def test_an_account_without_streamable_exports(fake: FakeLabelbox, tmp_path: Path) -> None:
    """An export that cannot be streamed is a finding and ends the check, since nothing could be read."""
    fake.change(is_streamable=False)
    done = check(fake, tmp_path)
    assert (done.code, done.found("streamable")) == (2, ("no", "differs"))
    assert "not as a streamable one" in done.err


def test_a_page_instead_of_an_answer(fake: FakeLabelbox) -> None:
    """A gateway's page is not an answer, and nothing is started."""
    fake.faults.add(HtmlAnswer(times=None))
    done = run_command("--yes", "--endpoint", fake.endpoint, LABELBOX_API_KEY=fake.api_key)
    assert (done.code, "not JSON" in done.err) == (2, True), done.err
    assert fake.exports == []


def test_a_lost_start_is_not_repeated(fake: FakeLabelbox, tmp_path: Path) -> None:
    """When the answer to a start is lost the check ends: it never starts the export again."""
    fake.faults.add(LostAnswer(operation="exportDataRowsInCatalog"))
    done = check(fake, tmp_path, "--data-row-id", fake.row_ids()[0])
    assert (done.code, "The answer to a start was lost" in done.err) == (2, True), done.err
    assert len(fake.exports) == 1


def test_an_export_that_takes_too_long(fake: FakeLabelbox, tmp_path: Path) -> None:
    """An export that is not over in time ends the check with the option that waits longer."""
    fake.change(seconds_per_export=60)
    done = check(fake, tmp_path, "--data-row-id", fake.row_ids()[0], "--timeout", "1")
    assert (done.code, "with a longer --timeout" in done.err) == (2, True), done.err


def test_a_blocked_file_host(fake: FakeLabelbox, tmp_path: Path) -> None:
    """A file host that refuses is a finding, not the end."""
    fake.faults.add(RefusedFile(times=None))
    done = check(fake, tmp_path, "--data-row-id", fake.row_ids()[0])
    assert done.found("file_range") == ("HTTP 403, 111 bytes for 2", "differs")


@pytest.mark.parametrize("operation", ["cancelableTaskTypes", "exportFileFromOffset", "exportDataRowsInModelRun"])
def test_secrets_in_answers_are_not_shown(fake: FakeLabelbox, tmp_path: Path, operation: str) -> None:
    """Key, signed URL, e-mail address and ids that Labelbox itself puts into an error message are left out."""
    message = (
        f"key {fake.api_key} of {fake.user.email} ({fake.user.user_id}, {fake.organization_id}) may not read "
        "https://storage.example/labelbox-exports/a?X-Goog-Signature=0123456789abcdef"
    )
    fake.faults.add(GraphQLErrorAnswer(operation=operation, code="OPERATION_NOT_ALLOWED", message=message, times=None))
    checked = check(fake, tmp_path, "--data-row-id", fake.row_ids()[0])
    assert "OPERATION_NOT_ALLOWED" in checked.out + checked.err
    assert "127.0.0.1" not in str(checked.report)


def test_ctrl_c_ends_it(fake: FakeLabelbox) -> None:
    """Ctrl-C while an export runs ends the command with a sentence."""
    fake.change(seconds_per_export=60)
    command = [*COMMAND, "--yes", "--endpoint", fake.endpoint]
    environment = {**os.environ, "LABELBOX_API_KEY": fake.api_key}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "starting an export of a data row that does not exist\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == "Interrupted. Exports that were started end by themselves.\n"


def test_the_page_names_what_there_is() -> None:
    """The page in docs/ lists the options of the command and the numbers of the plan."""
    page = (Path(__file__).parents[2] / "docs" / "check-your-account.md").read_text()
    options = run_command("--help").out
    assert set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE)) == {
        *re.findall(r"^  (--[a-z-]+)", options, re.MULTILINE)
    }
    assert f"{len(NEEDS_ROW)} of the {len(QUESTIONS)} questions stay open" in page
    assert (MAX_OF_ROW, OF_NOTHING, WITH_UNKNOWN_IDS) == (6, 1, 4)


def test_the_exit_code_shows_that_something_differs(fake: FakeLabelbox, tmp_path: Path) -> None:
    """Exit code 1 says that an answer differs, and the table names it."""
    fake.change(unknown_project="empty")
    done = check(fake, tmp_path)
    assert (done.code, done.differing) == (1, ["unknown_project"])
    assert "an export was started" in done.out
