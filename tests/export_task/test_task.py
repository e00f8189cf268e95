"""The export task in Python: its state, its wait, its totals, and how it is started."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest
from support.export_tasks import Prompt, client_of, prompt

from labelbox_export_provider import ExportTask
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.errors import (
    AnotherUsersExportError,
    HandleError,
    LabelboxExportError,
    NotFoundError,
    WaitTimeoutError,
)
from labelbox_export_provider.testing.faults import (
    CanceledExport,
    ErrorStatus,
    FailedExport,
    HiddenExport,
    HtmlAnswer,
    LostAnswer,
    UnknownStatus,
)

ERROR_LINES = ('{"error": "gone: d\u2028\u00e9j\u00e0"}', '{"error": "too large"}')


@pytest.fixture
def someone() -> Iterator[Prompt]:
    with prompt(seconds_per_export=100) as at_prompt:
        yield at_prompt


def test_a_task_has_the_properties_that_labelbox_documents(someone: Prompt) -> None:
    """A task that is found by its id has the properties that Labelbox documents."""
    uid = someone.start().uid
    task = someone.get_task(uid)
    assert (task.uid, task.status, task.type) == (uid, "IN_PROGRESS", "export-data-rows")
    assert task.name is not None
    assert task.name.endswith(f"] project {someone.fake.project_id}")
    assert task.completion_percentage == 0
    assert task.created_at == someone.clock() == task.updated_at
    assert task.created_by == someone.fake.user.user_id
    assert (task.organization.uid, task.organization.name) == (someone.fake.organization_id, "Fake Labelbox")


def test_properties_are_those_of_the_last_poll(someone: Prompt) -> None:
    """Properties are those of the last poll until the next one."""
    task = someone.get_task(someone.start().uid)
    someone.clock.advance(50)
    assert task.completion_percentage == 0
    task.refresh()
    assert (task.completion_percentage, task.status) == (50, "IN_PROGRESS")


def test_text_and_repr_are_there_before_anything_was_asked(someone: Prompt) -> None:
    task = someone.start()
    asked = len(someone.fake.requests.api)
    assert repr(task) == f"<ExportTask ID: {task.uid}>"
    assert "not polled yet" in str(task)
    assert len(someone.fake.requests.api) == asked
    task.refresh()
    assert json.loads(str(task).removeprefix("<ExportTask ").removesuffix(">"))["status"] == "IN_PROGRESS"


def test_tasks_of_the_same_id_are_equal(someone: Prompt) -> None:
    task = someone.start()
    assert task == someone.get_task(task.uid)
    assert len({task, someone.get_task(task.uid), someone.start()}) == 2


def test_a_task_that_labelbox_does_not_show_any_more_is_deleted(someone: Prompt) -> None:
    """The API has no field for it."""
    assert someone.get_task(someone.start().uid).deleted is False
    assert ExportTask(someone.client, "clgonelongago", **someone.options).deleted is True


def test_the_creator_of_another_users_task_is_not_made_up(someone: Prompt) -> None:
    task = someone.start()
    someone.fake.change(tasks_of_other_users=True)
    colleague = someone.fake.add_user()
    with client_of(someone.fake, someone.clock, colleague.api_key) as other:
        seen = other.get_task(task.uid)
        assert seen.status == "IN_PROGRESS"
        assert seen.created_by in {None, someone.fake.user.user_id}
        assert seen.created_by != colleague.user_id


def handle_of(task: ExportTask, user_id: str) -> ExportHandle:
    digest = "sha256:" + "0" * 64
    return ExportHandle(
        export_id=task.uid,
        source={"kind": "project", "id": "clp1"},
        filters_digest=digest,
        labelbox_conn_id="labelbox_default",
        window=None,
        user_id=user_id,
        organization_id="clo1",
        fingerprint=digest,
        started_at=datetime(2026, 11, 23, tzinfo=timezone.utc),
    )


def test_a_task_is_found_by_a_handle(someone: Prompt) -> None:
    """A task is found by a handle, and by its plain form with totals."""
    task = someone.start()
    handle = handle_of(task, someone.fake.user.user_id)
    assert someone.get_task(handle) == task
    assert someone.get_task({**handle.to_json(), "totals": {"result": {"rows": 1, "bytes": 2}}}) == task


def test_an_unknown_id_is_an_error_of_get_task(someone: Prompt) -> None:
    with pytest.raises(NotFoundError, match="clnosuchtask"):
        someone.get_task("clnosuchtask")


def test_a_value_that_is_no_handle_is_refused_unsent(someone: Prompt) -> None:
    """A value that is neither a handle nor an id is refused before anything is sent."""
    for given in (None, 17, "", "None", {"export_id": "x"}):
        with pytest.raises(HandleError):
            someone.get_task(given)
    assert someone.fake.requests.api == []


def test_the_handle_of_another_user_names_both_users(someone: Prompt) -> None:
    task = someone.start()
    colleague = someone.fake.add_user()
    with client_of(someone.fake, someone.clock, colleague.api_key) as other, pytest.raises(AnotherUsersExportError):
        other.get_task(handle_of(task, someone.fake.user.user_id))


def test_a_wait_polls_less_and_less_often(someone: Prompt) -> None:
    """A wait ends when the task is COMPLETE, and polls less and less often."""
    task = someone.start()
    task.wait_till_done()
    assert task.status == "COMPLETE"
    assert someone.waits[:4] == [2.0, 3.0, 4.5, 6.75]
    assert sum(someone.waits) < 140
    task.wait_till_done(timeout_seconds=0)


def test_polls_are_at_most_half_a_minute_apart(someone: Prompt) -> None:
    someone.fake.change(seconds_per_export=1000)
    someone.start().wait_till_done()
    assert max(someone.waits) == 30.0


def test_a_wait_that_is_over_raises_and_says_how_to_go_on(someone: Prompt) -> None:
    """The official client returns silently here, with the task still in progress."""
    task = someone.start()
    with pytest.raises(WaitTimeoutError, match=rf"IN_PROGRESS.*timeout_seconds=20.*get_task\(client, '{task.uid}'\)"):
        task.wait_till_done(timeout_seconds=20)
    assert sum(someone.waits) == 20
    task.wait_till_done(timeout_seconds=100)
    assert task.status == "COMPLETE"


def test_a_wait_without_a_sound_limit_is_refused(someone: Prompt) -> None:
    task = someone.start()
    for given in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="wait_till_done"):
            task.wait_till_done(given)


@pytest.mark.parametrize(("fault", "status"), [(FailedExport(), "FAILED"), (CanceledExport(), "CANCELED")])
def test_a_dead_task_ends_the_wait_without_an_error_and_says_so(
    someone: Prompt, fault: FailedExport | CanceledExport, status: str
) -> None:
    someone.fake.faults.add(fault)
    task = someone.start()
    task.wait_till_done()
    assert task.status == status


def test_an_unknown_state_is_waited_out_with_a_warning(someone: Prompt, caplog: pytest.LogCaptureFixture) -> None:
    someone.fake.faults.add(UnknownStatus())
    task = someone.start()
    task.wait_till_done()
    assert task.status == "COMPLETE"
    assert "PAUSED" in caplog.text


def test_a_newborn_task_that_is_not_visible_yet_is_waited_for(someone: Prompt) -> None:
    someone.fake.faults.add(HiddenExport(seconds=20, by_id=True))
    task = someone.start()
    task.wait_till_done()
    assert task.status == "COMPLETE"


def test_failures_of_labelbox_do_not_end_the_wait(someone: Prompt) -> None:
    """Failures of Labelbox do not end the wait, but its time limit does."""
    task = someone.start()
    someone.fake.faults.add(ErrorStatus(operation="createdTasks", times=None))
    with pytest.raises(WaitTimeoutError, match="did not answer"):
        task.wait_till_done(timeout_seconds=60)
    assert 55 <= sum(someone.waits) <= 61


def test_a_lost_answer_to_a_start_does_not_start_a_second_export(someone: Prompt) -> None:
    someone.fake.faults.add(LostAnswer(operation="exportDataRowsInProject", carried_out=True))
    task = someone.start()
    assert [export.export_id for export in someone.fake.exports] == [task.uid]


def test_each_call_starts_an_export_of_its_own(someone: Prompt) -> None:
    assert someone.start().uid != someone.start().uid
    assert len(someone.fake.exports) == 2


def test_requests_name_this_package_by_default(someone: Prompt) -> None:
    """Requests and downloads name this package by default."""
    task = someone.start()
    task.wait_till_done()
    task.get_buffered_stream().start()
    requests = someone.fake.requests
    agents = {each.headers["user-agent"] for each in requests.api} | {
        each.headers["user-agent"] for each in requests.files
    }
    assert len(agents) == 1
    assert agents.pop().startswith("airflow-provider-labelbox-export/")


def _fails(action: Callable[[], object]) -> str:
    with pytest.raises(LabelboxExportError) as caught:
        action()
    return str(caught.value)


def test_errors_in_a_script_do_not_mention_airflow(someone: Prompt) -> None:
    """There is no task to clear and no retry of one where nothing but Python runs."""
    task = someone.start()
    messages = [_fails(lambda: someone.get_task("cltask000000000000000000"))]
    with client_of(someone.fake, someone.clock, someone.fake.add_user().api_key) as other:
        messages.append(_fails(lambda: other.get_task(handle_of(task, someone.fake.user.user_id))))
    messages.append(_fails(task.get_total_lines))
    someone.fake.faults.add(HtmlAnswer(status=503, times=None))
    messages.append(_fails(task.refresh))
    assert "trying again later may help" in messages[-1]
    for message in messages:
        for word in ("retry of the task", "clear ", "downstream", "Sensor", "wait_for_completion"):
            assert word not in message
