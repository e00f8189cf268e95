"""The plan of a check, which is printed before anything is sent."""

from __future__ import annotations

import textwrap

from labelbox_export_provider.check_account.questions import NEEDS_ROW, QUESTIONS

MAX_OF_ROW = 6
"""Maximum exports of the data row: one with its details, two for date offsets, three for the ends of ranges."""
OF_NOTHING = 1
WITH_UNKNOWN_IDS = 4
"""Starts with ids that do not exist: project, dataset, and a model run with and without a disputed param."""


def describe_plan(data_row_id: str | None, *, whose: str) -> str:
    """Return the text of the plan: what will be asked and started with this key."""
    asked = len(QUESTIONS) - (0 if data_row_id else len(NEEDS_ROW))
    row = (
        f"at most {MAX_OF_ROW} of one data row, {data_row_id}: with its details, then the same row in ranges of dates"
        if data_row_id
        else "none of a data row: give --data-row-id ID for the questions that need one"
    )
    lines = (
        f"It settles {asked} of {len(QUESTIONS)} open questions about Labelbox's API, with the key of {whose}.",
        "It reads the key's owner, the types of cancelable tasks, and the newest 20 of the owner's tasks.",
        "It starts exports, one after the other, none with labels:",
        f"  - {row};",
        f"  - {OF_NOTHING} of a data row that does not exist, which is empty;",
        f"  - {WITH_UNKNOWN_IDS} at most of a project, dataset and model run that do not exist, to see them refused.",
        *(["It fetches the file of that one row twice, without the key, and does not keep it."] if data_row_id else []),
        "It changes and deletes nothing. Its tasks, 'labelbox_export_provider check-account ...', remain listed.",
    )
    return "\n".join(textwrap.fill(line, 100, subsequent_indent="    ") for line in lines) + "\n"
