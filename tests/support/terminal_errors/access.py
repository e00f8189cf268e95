"""Keys and users without access."""

from __future__ import annotations

from support.failing_tasks import DagHarness
from support.terminal_errors.registry import situation, still_running

from labelbox_export_provider import errors
from labelbox_export_provider.testing.faults import (
    GraphQLErrorAnswer,
    SlowExport,
)

STARTS = "exportDataRowsInProject"
BARE_ID = "somebody else started it: its id alone is known"


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
def wait_by_a_user_without_access(night: DagHarness) -> None:
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
