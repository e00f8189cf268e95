"""Every terminal error can be acted on at 3 a.m."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import snapshots
from support.airflow.tasks import NIGHT
from support.airflow.versions import finds_out_that_connections_are_missing
from support.failing_tasks import CONNECTION, DagHarness
from support.stores.strict_s3 import Fault

import labelbox_export_provider
from labelbox_export_provider import ParamsWindow, errors
from labelbox_export_provider.airflow_compat import AirflowException, AirflowSkipException
from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.failure_report import WIDTH
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    CorruptFile,
    ErrorRows,
    FailedExport,
    GraphQLErrorAnswer,
    HtmlAnswer,
    LostAnswer,
    RateLimited,
    RefusedFile,
    SlowExport,
    TruncatedFile,
)

_SSL = create_ssl_context(ConnectionSettings(api_key="key"))
STARTS = "exportDataRowsInProject"
PAGE = (Path(__file__).parents[2] / "docs" / "when-it-fails.md").read_text()
NO_HANDLE = "what was passed is no handle, so it names no export"
BARE_ID = "somebody else started it: its id alone is known"
NO_WINDOW = "the run has none, which is the error"


@dataclass(frozen=True)
class Situation:
    """An error, how it comes about, and which lines its message cannot have, each with the reason."""

    error: type[LabelboxExportError]
    name: str
    happens: Callable[[DagHarness], object]
    lacks: dict[str, str] = field(default_factory=dict)


SITUATIONS: dict[str, Situation] = {}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def situation(error: type[LabelboxExportError], **lacks: str) -> Callable[[Callable[[DagHarness], object]], None]:
    """Note a function that brings an error about; its name says in which situation."""

    def note(happens: Callable[[DagHarness], object]) -> None:
        name = f"{snake(error.__name__)}_{happens.__name__}"
        assert name not in SITUATIONS
        SITUATIONS[name] = Situation(error, name, happens, lacks)

    return note


# --- settings


@situation(errors.ConfigurationError)
def start_with_an_option_that_a_template_emptied(night: DagHarness) -> None:
    night.start(filters={"workflow_status": "{{ params.status }}"}, params={"status": None})


@situation(errors.ConfigurationError)
def all_in_one_with_an_option_that_a_template_emptied(night: DagHarness) -> None:
    source = {"kind": "project", "project_id": night.fake.project_id, "filters": {"workflow_status": "{{ params.s }}"}}
    night.all_in_one(source=source, params={"s": None})


@situation(errors.ConfigurationError)
def landed_already_with_another_compression(night: DagHarness) -> None:
    handle = night.start()
    night.land(handle)
    night.land(handle, compression=None)


@situation(errors.WindowError, window=NO_WINDOW)
def start_in_a_run_without_width(night: DagHarness) -> None:
    night.start(interval=(NIGHT[1], NIGHT[1]))


@situation(errors.WindowError)
def all_in_one_in_a_run_far_ahead(night: DagHarness) -> None:
    night.now = NIGHT[1] - timedelta(days=2)
    night.all_in_one()


@situation(errors.ManualRunError, window=NO_WINDOW)
def all_in_one_with_half_a_form(night: DagHarness) -> None:
    night.all_in_one(window=ParamsWindow(), params={"start": "2026-11-22T02:00:00Z", "end": None})


@situation(errors.HandleError, source=NO_HANDLE, window=NO_HANDLE)
def wait_for_what_is_no_handle(night: DagHarness) -> None:
    night.wait({"export_id": "clx"})


@situation(errors.HandleError, source=NO_HANDLE, window=NO_HANDLE)
def land_an_edited_handle(night: DagHarness) -> None:
    night.land(night.start() | {"fingerprint": "sha256:abc"})


@situation(errors.HandleError)
def all_in_one_whose_own_note_was_deleted(night: DagHarness) -> None:
    night.fake.change(polls_per_export=1)
    push = night.instance("land").xcom_push
    night.instance("land").xcom_push = lambda key, value: push(f"{key}, deleted", value)  # type: ignore[method-assign]
    night.all_in_one()


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def start_without_a_connection(night: DagHarness) -> None:
    night.patch.delenv(CONNECTION)
    night.start()


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def wait_with_a_broken_connection_in_the_triggerer(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = lambda: night.connect(extra={"timeout": "soon"})
    night.wait(handle)


@situation(errors.ConnectionSettingsError, link="the connection would say where the web app is")
def land_with_a_broken_connection(night: DagHarness) -> None:
    handle = night.start()
    night.connect(extra={"verify": "/no/such/bundle.pem"})
    night.land(handle)


# --- access


@situation(errors.AuthenticationError)
def start_with_a_revoked_key(night: DagHarness) -> None:
    night.fake.revoke(night.fake.api_key)
    night.start()


@situation(errors.AuthenticationError)
def wait_whose_key_is_revoked_meanwhile(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = lambda: night.fake.revoke(night.fake.api_key)
    night.wait(handle)


@situation(errors.AuthenticationError)
def land_with_a_revoked_key(night: DagHarness) -> None:
    handle = night.start()
    night.fake.revoke(night.fake.api_key)
    night.land(handle)


@situation(errors.AuthorizationError)
def start_by_a_user_who_may_not_export(night: DagHarness) -> None:
    night.fake.faults.add(GraphQLErrorAnswer(operation=STARTS, code="AUTHORIZATION_ERROR", message="Not allowed"))
    night.start()


@situation(errors.AuthorizationError)
def wait_by_a_user_who_may_not_look(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(GraphQLErrorAnswer(code="AUTHORIZATION_ERROR", message="Not allowed", times=None))
    night.wait(handle)


@situation(errors.AnotherUsersExportError)
def start_over_with_another_users_key(night: DagHarness) -> None:
    night.fake.faults.add(SlowExport())
    night.until_deferred(lambda: night.start(wait_for_completion=True))
    night.another_users_key()
    night.retried("start")
    night.start(wait_for_completion=True)


@situation(errors.AnotherUsersExportError)
def wait_with_another_users_key(night: DagHarness) -> None:
    handle = night.start()
    night.another_users_key()
    night.wait(handle)


@situation(errors.AnotherUsersExportError)
def wait_whose_key_becomes_another_users(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = night.another_users_key
    night.wait(handle)


@situation(errors.AnotherUsersExportError)
def land_with_another_users_key(night: DagHarness) -> None:
    handle = night.start()
    night.another_users_key()
    night.land(handle)


@situation(errors.NotFoundError)
def start_of_an_unknown_project(night: DagHarness) -> None:
    night.start(project_id="clnosuchproject0000000000")


@situation(errors.NotFoundError, source=BARE_ID, window=BARE_ID)
def wait_for_an_unknown_export(night: DagHarness) -> None:
    night.wait("clnosuchexport00000000000")


# --- Labelbox


@situation(errors.RefusedError)
def start_that_conflicts(night: DagHarness) -> None:
    night.fake.faults.add(GraphQLErrorAnswer(operation=STARTS, code="RESOURCE_CONFLICT", message="Name is taken"))
    night.start()


@situation(errors.RefusedError)
def wait_whose_looks_are_refused(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = lambda: night.fake.faults.add(refused_query())
    night.wait(handle)


@situation(errors.RefusedError)
def poke_whose_looks_are_refused(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(refused_query())
    night.wait(handle, deferrable=False)


@situation(errors.RateLimitedError)
def start_past_limit_timeout(night: DagHarness) -> None:
    night.fake.faults.add(RateLimited(operation=STARTS, retry_after=400, times=None))
    night.start(limit_timeout=timedelta(minutes=10))


@situation(errors.RateLimitedError)
def land_while_others_use_up_the_rate(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(RateLimited(operation="exportMetadataHeader", retry_after=400, times=None))
    night.land(handle)


@situation(errors.RunningExportLimitError)
def all_in_one_past_limit_timeout(night: DagHarness) -> None:
    night.fake.change(running_exports_per_project=0)
    night.patch.setattr("random.uniform", lambda low, high: 1.0)
    night.all_in_one(limit_timeout=timedelta(minutes=10), poke_interval=300)


@situation(errors.UnreachableError)
def start_while_labelbox_is_down(night: DagHarness) -> None:
    night.fake.faults.add(HtmlAnswer(status=503, body="<h1>Service Unavailable</h1>", times=None))
    night.start()


@situation(errors.UnreachableError)
def land_while_the_file_host_refuses(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(RefusedFile(times=None))
    night.land(handle)


@situation(errors.StartUncertainError)
def start_whose_answers_are_lost(night: DagHarness) -> None:
    night.fake.faults.add(LostAnswer(operation=STARTS, carried_out=False, times=None))
    night.start()


@situation(errors.ProtocolError)
def start_answered_in_unknown_words(night: DagHarness) -> None:
    night.fake.faults.add(GraphQLErrorAnswer(operation="createdTasks", code="TEAPOT", message="Short and stout"))
    night.start()


@situation(errors.ProtocolError)
def wait_answered_in_unknown_words(night: DagHarness) -> None:
    handle = still_running(night)
    teapot = GraphQLErrorAnswer(code="TEAPOT", message="Short and stout", times=None)
    night.happens_in_between["wait"] = lambda: night.fake.faults.add(teapot)
    night.wait(handle)


@situation(errors.ProtocolError)
def poke_answered_in_unknown_words(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(GraphQLErrorAnswer(code="TEAPOT", message="Short and stout", times=None))
    night.wait(handle, deferrable=False)


@situation(errors.ProtocolError)
def land_answered_in_unknown_words(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(
        GraphQLErrorAnswer(operation="exportFileFromOffset", code="TEAPOT", message="Short and stout", times=None)
    )
    night.land(handle)


# --- the export


@situation(errors.ExportFailedError)
def wait_for_an_export_that_fails(night: DagHarness) -> None:
    night.fake.change(polls_per_export=1)
    night.fake.faults.add(FailedExport())
    night.wait(night.start())


@situation(errors.ExportFailedError)
def all_in_one_whose_export_fails(night: DagHarness) -> None:
    night.fake.faults.add(FailedExport())
    night.all_in_one()


@situation(errors.ExportFailedError)
def all_in_one_whose_export_fails_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.fake.faults.add(FailedExport())
    night.all_in_one()


@situation(errors.ExportFailedError)
def land_an_export_that_failed(night: DagHarness) -> None:
    night.fake.faults.add(FailedExport())
    night.land(night.start())


@situation(errors.ExportCanceledError)
def wait_for_an_export_that_is_canceled(night: DagHarness) -> None:
    night.fake.faults.add(CanceledExport())
    night.wait(night.start())


@situation(errors.ExportCanceledError)
def start_and_wait_for_an_export_that_is_canceled(night: DagHarness) -> None:
    night.fake.faults.add(CanceledExport())
    night.start(wait_for_completion=True)


@situation(errors.ExportNotReadyError)
def land_without_waiting(night: DagHarness) -> None:
    night.land(still_running(night))


@situation(errors.WaitTimeoutError)
def wait_in_the_triggerer(night: DagHarness) -> None:
    night.wait(still_running(night), timeout=0.01)


@situation(errors.WaitTimeoutError)
def poke_for_too_long(night: DagHarness) -> None:
    night.wait(still_running(night), deferrable=False, timeout=0.01)


@situation(errors.WaitTimeoutError)
def wait_with_soft_fail(night: DagHarness) -> None:
    night.wait(still_running(night), timeout=0.01, soft_fail=True)


@situation(errors.WaitTimeoutError)
def all_in_one_for_too_long(night: DagHarness) -> None:
    night.fake.faults.add(SlowExport())
    night.all_in_one(timeout=0.01)


@situation(errors.NoTriggererError)
def wait_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.wait(still_running(night))


@situation(errors.NoTriggererError)
def all_in_one_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.all_in_one()


@situation(errors.NoTriggererError)
def start_and_wait_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.start(wait_for_completion=True)


@situation(errors.NoTriggererError)
def start_that_rests_without_a_triggerer(night: DagHarness) -> None:
    night.has_triggerer = False
    night.now = NIGHT[1]  # the window has not settled
    night.start()


@situation(errors.IntegrityError)
def land_a_file_that_is_corrupt(night: DagHarness) -> None:
    handle = night.start()
    night.fake.faults.add(CorruptFile(times=None))
    night.land(handle)


@situation(errors.IntegrityError)
def all_in_one_of_an_adopted_export_whose_file_is_too_short(night: DagHarness) -> None:
    night.until_deferred(night.all_in_one)
    night.retried("land")
    night.fake.faults.add(TruncatedFile(keep=100, times=None))
    night.all_in_one()


@situation(errors.TooManyErrorRowsError)
def land_an_export_with_error_rows(night: DagHarness) -> None:
    night.fake.faults.add(ErrorRows())
    night.land(night.start())


@situation(errors.TooManyErrorRowsError)
def all_in_one_with_error_rows(night: DagHarness) -> None:
    night.fake.faults.add(ErrorRows())
    night.all_in_one()


# --- the store


@situation(errors.StorageError)
def land_in_a_bucket_that_does_not_exist(night: DagHarness) -> None:
    with night.s3():
        night.land(night.start(), s3_bucket="no-such-lake")


@situation(errors.StorageError)
def land_with_an_aws_connection_that_gives_no_client(night: DagHarness) -> None:
    night.patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"profile_name": "nobody"}}')
    night.land(night.start(), s3_bucket="lake")


@situation(errors.ObjectExistsError)
def land_where_something_else_is(night: DagHarness) -> None:
    path = str(night.root / "night.ndjson.gz")
    night.land(night.start(), path=path)
    night.land(night.start(filters={"data_row_ids": night.fake.row_ids()[:12]}), path=path)


@situation(errors.ObjectExistsError)
def land_a_window_that_is_landed_already(night: DagHarness) -> None:
    night.land(night.start())
    night.cleared("start")
    night.land(night.start(), rerun="refuse")


@situation(errors.ObjectExistsError)
def land_nothing_in_gcs_where_something_appears_meanwhile(night: DagHarness) -> None:
    handle = night.start(filters={"global_keys": ["no-such-key"]})
    with night.gcs(looks=404, writes=412, message="At least one of the pre-conditions you specified did not hold."):
        night.land(handle, bucket_name="lake", object_name="night.gz", object_prefix=None, on_empty="write_empty")


@situation(errors.StorageUnavailableError)
def land_on_a_share_that_is_not_mounted(night: DagHarness) -> None:
    night.land(night.start(), root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def land_on_such_a_share_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.land(night.start(), root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def all_in_one_on_a_share_that_is_not_mounted(night: DagHarness) -> None:
    night.all_in_one(root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def all_in_one_on_such_a_share_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.all_in_one(root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def land_in_a_store_that_fails_before_the_manifest(night: DagHarness) -> None:
    broken = Fault(error="InternalError", status=500)
    with night.s3(fault=lambda call: broken if "uris/" in call.key and call.operation == "PutObject" else None):
        night.land(night.start(), s3_bucket="lake")


@situation(errors.StorageError)
def all_in_one_in_a_bucket_that_does_not_exist(night: DagHarness) -> None:
    with night.s3():
        night.all_in_one(s3_bucket="no-such-lake")


@situation(errors.StorageError)
def all_in_one_without_a_google_connection(night: DagHarness) -> None:
    night.patch.delenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", raising=False)
    night.all_in_one(bucket_name="lake", gcp_conn_id="google_nowhere")


@situation(errors.StorageDeniedError)
def all_in_one_without_the_right_to_use_the_kms_key(night: DagHarness) -> None:
    words = (
        "User: arn:aws:iam::111122223333:user/worker is not authorized to perform: kms:GenerateDataKey on resource: "
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd because no identity-based policy allows the action"
    )
    with night.s3(fault=lambda call: Fault(error="AccessDenied", status=403, message=words)):
        night.all_in_one(s3_bucket="lake", sink_args={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "1234abcd"})


@situation(errors.StorageDeniedError)
def land_without_the_right_to_write_to_s3(night: DagHarness) -> None:
    with night.s3(denied=frozenset({"PutObject"})):
        night.land(night.start(), s3_bucket="lake")


@situation(errors.StorageUnsupportedError)
def land_in_a_store_that_cannot_list(night: DagHarness) -> None:
    no_such_call = Fault(error="NotImplemented", status=501)
    with night.s3(fault=lambda call: no_such_call if call.operation == "ListObjectsV2" else None):
        night.land(night.start(), s3_bucket="lake", rerun="replace")


@situation(errors.StorageDeniedError)
def land_without_the_right_to_write_to_gcs(night: DagHarness) -> None:
    with night.gcs(looks=403, writes=403, message="The account does not have storage.objects.create access."):
        night.land(night.start(), bucket_name="lake")


@situation(errors.ObjectChangedError)
def land_nothing_in_gcs_where_another_writer_comes_first(night: DagHarness) -> None:
    handle = night.start(filters={"global_keys": ["no-such-key"]})
    destination = {"bucket_name": "lake", "object_name": "night.gz", "object_prefix": None}
    with night.gcs(looks=404, writes=412, message="At least one of the pre-conditions you specified did not hold."):
        night.land(handle, **destination, replace=True, on_empty="write_empty")


# --- without an error of the tree


@situation(LabelboxExportError)
def start_whose_task_state_was_edited(night: DagHarness) -> None:
    night.store("start").set("labelbox_export", {"name": "mine"})
    night.start()


def still_running(night: DagHarness) -> Any:
    night.fake.faults.add(SlowExport())
    return night.start()


def refused_query() -> GraphQLErrorAnswer:
    return GraphQLErrorAnswer(code="GRAPHQL_VALIDATION_FAILED", message="No such field", status=400, times=None)


CANNOT_END_A_TASK: dict[type[LabelboxExportError], str] = {
    errors.AccessError: "a branch: its leaves are raised",
    errors.TemporaryError: "a branch: its leaves are raised",
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

    def snapshot(self) -> str:
        kept = frozenset(text for moment in NIGHT for text in (iso_utc(moment), moment.isoformat()))
        return f"{self.raised}\n{snapshots.of_every_run(self.text, self.night.words(), kept=kept)}"

    def lines(self) -> dict[str, str]:
        return dict(re.findall(r"^  ([a-z ]+): +(\S.*)$", self.text, re.MULTILINE))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """As elsewhere, but small."""
    with FakeLabelbox(generate_rows(20, start=date(2026, 11, 22), days=2)) as running:
        monkeypatch.setenv(CONNECTION, running.airflow_connection())
        yield running


@pytest.fixture
def night(fake: FakeLabelbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagHarness:
    """The night of the tests, in which no wait takes time, and certificates are loaded once."""
    defaults = LabelboxClient.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "sleep", lambda seconds: None)
    monkeypatch.setitem(defaults, "ssl_context", _SSL)
    monkeypatch.setattr("labelbox_export_provider.streaming.download.stream_reader.MAX_WAIT", 0.0)
    return DagHarness(fake, tmp_path, monkeypatch)


@pytest.fixture
def message(request: pytest.FixtureRequest, night: DagHarness) -> Message:
    if "google_connection" in request.param.name and not finds_out_that_connections_are_missing():
        pytest.skip("this Airflow can tell only in a task")
    with pytest.raises((AirflowException, AirflowSkipException)) as failure:
        request.param.happens(night)
    return Message(type(failure.value).__name__, str(failure.value), failure.value.__cause__, night)


in_every_situation = pytest.mark.parametrize("message", SITUATIONS.values(), ids=list(SITUATIONS), indirect=True)


@in_every_situation
def test_the_message_is_the_one_that_was_read_and_found_good(message: Message, request: pytest.FixtureRequest) -> None:
    expected = SITUATIONS[request.node.callspec.id]
    assert type(message.error) is expected.error
    assert_it_begins_with_what_helps(message)
    assert_it_can_be_acted_on(message, expected)
    assert_it_holds_no_secret(message)
    snapshots.compare(expected.name, message.snapshot())


def assert_it_begins_with_what_helps(message: Message) -> None:
    sentences = message.text.partition("\n  ")[0].splitlines()
    assert [line for line in sentences if len(line) > WIDTH and str(message.night.root) not in line] == []
    assert not re.search(r"://|answered HTTP|\b(userId|projectId|taskId)\b", sentences[0])


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


def test_every_class_has_a_snapshot_or_a_reason_why_it_cannot_end_a_task() -> None:
    shown = {each.error for each in SITUATIONS.values()}
    assert shown & CANNOT_END_A_TASK.keys() == set()
    assert set(every_class()) - shown == CANNOT_END_A_TASK.keys()


def test_no_snapshot_is_left_of_a_situation_that_is_gone() -> None:
    assert {file.stem for file in snapshots.FOLDER.iterdir()} == SITUATIONS.keys()


# --- docs/when-it-fails.md


def test_the_page_says_of_every_class_that_can_end_a_task_what_to_do() -> None:
    rows = dict(re.findall(r"^\| `(\w+Error)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))
    without_row = {each.error.__name__ for each in SITUATIONS.values()} - rows.keys()
    assert without_row == {"LabelboxExportError"}
    assert "`LabelboxExportError` itself" in PAGE
    assert rows.keys() <= {kind.__name__ for kind in every_class()}


def test_the_page_shows_a_message_as_it_is() -> None:
    [(name, block)] = re.findall(r"<!-- tests/snapshots/(\w+)\.txt -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert block == snapshots.read(name).partition("\n")[2]


def test_the_page_explains_every_line_of_the_messages() -> None:
    head = PAGE.partition("## ")[0]
    lines = {line for name in SITUATIONS for line in re.findall(r"^  ([a-z ]+):", snapshots.read(name), re.MULTILINE)}
    assert lines - set(re.findall(r"`([a-z ]+)`", head)) == set()
