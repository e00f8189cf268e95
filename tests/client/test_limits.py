"""The messages that are recognised as a limit that waiting lifts."""

from __future__ import annotations

import pytest

from labelbox_export_provider.client.limits import is_limit_of_project, is_rate_limit_text, is_running_export_limit


@pytest.mark.parametrize(
    "text",
    [
        "You have reached the limit of 10 concurrent exports for this project",
        "Maximum number of running exports (20) reached for the organization",
        "Too many exports in progress",
        "Too many exports",
        "You have exceeded the maximum number of simultaneous exports",
        "Export limit reached, please try again later",
        "Only 10 exports are allowed at once",
        "Maximum of 10 exports",
        "An export is already running; at most 1 is allowed",
    ],
)
def test_running_export_limit_is_worth_waiting_for(text: str) -> None:
    """A sentence that names running exports and a bound is worth waiting for."""
    assert is_running_export_limit(text)


@pytest.mark.parametrize(
    "text",
    [
        "query complexity limit exceeded",
        "Your plan has reached its export limit, upgrade to continue",
        "global_keys exceeds the limit of 2000 entries",
        "exportDataRowsInProject: too many ids",
        "Export not found",
        "Exports of this project are not allowed for your role",
        "You have exceeded 1500 requests per minute",
    ],
)
def test_other_sentences_are_not_waited_out_as_running_exports(text: str) -> None:
    assert not is_running_export_limit(text)


def test_the_rate_limits_own_sentence_is_known() -> None:
    assert is_rate_limit_text("You have exceeded your requests")
    assert not is_rate_limit_text("The query has exceeded its complexity")


@pytest.mark.parametrize(
    ("text", "of_project"),
    [
        ("You have reached the limit of 10 concurrent exports for this project", True),
        ("You have reached the limit of 10 running exports per project", True),
        ("Maximum number of running exports (20) reached for the organization", False),
        ("Too many exports run at once in the project or organization", False),
        ("Too many exports in progress", False),
    ],
)
def test_a_limit_of_a_project_is_told_from_a_larger_one(text: str, *, of_project: bool) -> None:
    """A text that names more than the project, or nothing, may be about what others run in the organization."""
    assert is_limit_of_project(text) is of_project
