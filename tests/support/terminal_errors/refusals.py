"""Refusals and faults of Labelbox."""

from __future__ import annotations

from datetime import timedelta

from support.failing_tasks import DagHarness
from support.terminal_errors.registry import refused_query, situation, still_running

from labelbox_export_provider import errors
from labelbox_export_provider.testing.faults import (
    GraphQLErrorAnswer,
    HtmlAnswer,
    LostAnswer,
    RateLimited,
    RefusedFile,
)

STARTS = "exportDataRowsInProject"


@situation(errors.RefusedError)
def start_that_conflicts(night: DagHarness) -> None:
    night.fake.faults.add(GraphQLErrorAnswer(operation=STARTS, code="RESOURCE_CONFLICT", message="Name is taken"))
    night.start()


@situation(errors.RefusedError)
def wait_whose_polls_are_refused(night: DagHarness) -> None:
    handle = still_running(night)
    night.happens_in_between["wait"] = lambda: night.fake.faults.add(refused_query())
    night.wait(handle)


@situation(errors.RefusedError)
def poke_that_is_refused(night: DagHarness) -> None:
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
    night.all_in_one(limit_timeout=timedelta(minutes=2), poke_interval=300)


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
