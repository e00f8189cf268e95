"""Guarantee G1 after definite refusals: nothing was started."""

from __future__ import annotations

from typing import Any

import pytest
from support.client.starts import (
    GRACE,
    KILLED_DURING_THE_CALL,
    START,
    StartingTask,
    WorkerKilled,
    ids,
    kill,
    starts_sent,
)

from labelbox_export_provider.errors import (
    AuthenticationError,
    AuthorizationError,
    LabelboxExportError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    RunningExportLimitError,
    UnreachableError,
)
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import (
    ErrorStatus,
    Fault,
    GraphQLErrorAnswer,
    HiddenExport,
    LostAnswer,
    RateLimited,
)


@pytest.mark.parametrize(
    "fault",
    [
        RateLimited(operation=START, retry_after=7, times=3),
        RateLimited(operation=START, retry_after=None, as_html=True, times=3),
    ],
)
def test_start_refused_for_rate_is_resent(fake: FakeLabelbox, task: StartingTask, fault: RateLimited) -> None:
    """A start refused for too many requests is sent again and none is started twice."""
    fake.faults.add(fault)
    started = task.run()
    assert not started.adopted
    assert ids(fake) == [started.export_id]
    assert starts_sent(fake) == 4
    assert len(task.slept) == 3
    if fault.retry_after is not None:
        assert min(task.slept) >= fault.retry_after


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_start_refused_at_the_limit_waits(fake: FakeLabelbox, task: StartingTask, form: str) -> None:
    """A start refused for too many running exports waits for one of them to end."""
    fake.change(running_exports_per_project=1, running_limit_form=form, seconds_per_export=60)
    task.run()
    other = StartingTask(fake, task.clock, fake.user, run_id="other")
    started = other.run()
    assert ids(fake)[1:] == [started.export_id]
    assert [export.status for export in fake.exports] == ["COMPLETE", "IN_PROGRESS"]


@pytest.mark.parametrize(
    ("change", "fault", "error"),
    [
        ({}, RateLimited(operation=START, retry_after=20, times=None), RateLimitedError),
        ({"running_exports_per_project": 0}, None, RunningExportLimitError),
        ({"running_exports_per_organization": 0, "running_limit_form": "http"}, None, RunningExportLimitError),
        ({"running_exports_per_organization": 0, "running_limit_form": "not_allowed"}, None, RunningExportLimitError),
    ],
)
def test_refusal_past_the_limit_is_raised(
    fake: FakeLabelbox,
    task: StartingTask,
    change: dict[str, Any],
    fault: Fault | None,
    error: type[LabelboxExportError],
) -> None:
    """Past a bound the refusal is raised and says that nothing was started."""
    fake.change(**change)
    fake.faults.add(*([fault] if fault else []))
    with pytest.raises(error, match="No export was started") as raised:
        task.run()
    assert raised.value.retryable
    assert sum(task.slept) <= 300
    assert fake.exports == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"), RefusedError),
        (RateLimited(operation=START, retry_after=20, times=None), RateLimitedError),
    ],
)
def test_refused_start_is_not_waited_for(
    fake: FakeLabelbox, task: StartingTask, fault: Fault, error: type[LabelboxExportError]
) -> None:
    """After a refusal the next try does not wait for an export that was never started."""
    fake.faults.add(fault)
    with pytest.raises(error):
        task.run()
    assert task.record is not None
    assert (task.record.state, task.record.export_id) == ("refused", None)
    fake.faults.clear()
    task.slept.clear()
    started = task.run()
    assert ids(fake) == [started.export_id]
    assert task.slept == []


def test_worker_killed_after_a_refusal_left_nothing(
    fake: FakeLabelbox, task: StartingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker killed while it waits after a refusal left nothing to wait for either."""
    fake.faults.add(RateLimited(operation=START, retry_after=7, times=1))
    with monkeypatch.context() as patched:
        patched.setattr(task, "_sleep", lambda _: kill())
        with pytest.raises(WorkerKilled):
            task.run()
    assert task.record is not None
    assert task.record.state == "refused"
    task.run()
    assert len(ids(fake)) == 1
    assert task.slept == []


def test_refusal_after_a_lost_answer_still_finds_it(fake: FakeLabelbox, task: StartingTask) -> None:
    """A refusal after a lost answer still lets the next try find what shows late."""
    fake.faults.add(
        HiddenExport(seconds=GRACE + 30),
        LostAnswer(operation=START),
        GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"),
    )
    with pytest.raises(RefusedError):
        task.run()
    task.clock.advance(60)
    assert task.run().adopted
    assert len(ids(fake)) == 1


@pytest.mark.parametrize("form", ["graphql", "http", "not_allowed"])
def test_caller_that_waits_elsewhere_gets_the_limit(fake: FakeLabelbox, task: StartingTask, form: str) -> None:
    """A caller that can wait elsewhere learns at once that too many exports run."""
    fake.change(running_exports_per_project=0, running_limit_form=form)
    task.wait_at_limit = False
    with pytest.raises(RunningExportLimitError, match="No export was started"):
        task.run()
    assert task.slept == []
    assert starts_sent(fake) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (GraphQLErrorAnswer(operation=START, code="AUTHENTICATION_ERROR", status=401), AuthenticationError),
        (GraphQLErrorAnswer(operation=START, code="AUTHORIZATION_ERROR"), AuthorizationError),
        (GraphQLErrorAnswer(operation=START, code="GRAPHQL_VALIDATION_FAILED", status=400), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_CONFLICT"), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="OPERATION_NOT_ALLOWED", message="upgrade your plan"), RefusedError),
        (GraphQLErrorAnswer(operation=START, code="RESOURCE_NOT_FOUND"), NotFoundError),
    ],
)
def test_a_refusal_for_good_is_raised_at_once(
    fake: FakeLabelbox, task: StartingTask, fault: Fault, error: type[LabelboxExportError]
) -> None:
    fake.faults.add(fault)
    with pytest.raises(error):
        task.run()
    assert fake.exports == []
    assert starts_sent(fake) == 1
    assert task.slept == []


def test_an_unknown_project_and_a_revoked_key_start_nothing(fake: FakeLabelbox, task: StartingTask) -> None:
    task.project_id = "clnowhere"
    with pytest.raises(NotFoundError, match="clnowhere"):
        task.run()
    fake.revoke(fake.user.api_key)
    with pytest.raises(AuthenticationError):
        task.run()
    assert fake.exports == []


@pytest.mark.parametrize("way", [KILLED_DURING_THE_CALL, None])
def test_while_the_look_up_gets_no_answer_nothing_is_started(fake: FakeLabelbox, task: StartingTask, way: Any) -> None:
    if way is not None:
        task.crash(way)
    started = ids(fake)
    fake.faults.add(ErrorStatus(operation="createdTasks", times=None))
    with pytest.raises(UnreachableError):
        task.run()
    assert ids(fake) == started
    fake.faults.clear()
    assert task.run().adopted is (way is not None)
    assert len(fake.exports) == 1
