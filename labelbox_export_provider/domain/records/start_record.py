"""The record of a start: with it no retry, crash or lost answer starts the same export twice."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from labelbox_export_provider.domain.records.handle import Digest, ExportId, Text, TolerantRecord, UtcText, Version

MAX_HEAD = 80
MARK_LENGTH = 18
"""Length of the mark at the beginning of a name: sixteen hex digits in brackets."""


def _known_state(state: object) -> object:
    """Read a state that only a newer version writes as an open start, which is looked for before another one begins."""
    return "open" if isinstance(state, str) and state not in {"refused", "consumed"} else state


class StartRecord(TolerantRecord):
    """One intent to start, written before the call and never deleted.

    `open`: a start was under way. `refused`: Labelbox certainly refused it, so there is nothing to look for.
    `consumed`: the handle was given to downstream tasks. `clear_count` distinguishes the tries of one run of the task
    from a new run that its user asked for by clearing it. `try_id` names the try that wrote the record, and `asked` is
    what it asked for, so that a later try can report what moved.
    """

    v: Version = 1
    name: Text
    fingerprint: Digest
    export_id: ExportId | None = None
    user_id: Text
    organization_id: Text | None = None
    intent_at: UtcText
    clear_count: Text
    state: Annotated[Literal["open", "refused", "consumed"], BeforeValidator(_known_state)] = "open"
    try_id: Text | None = None
    asked: dict[str, Any] = Field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the plain form for Airflow's task state store."""
        return self.model_dump(mode="json")


def start_name(
    head: str,
    *,
    run: tuple[str, str, str, int],
    kind: str,
    fingerprint: str,
    clear_count: str,
    deployment: str = "",
    date: str = "",
) -> str:
    """Return an export's name, made from the task that starts it: a digest that is unique, then a readable head.

    `run` is dag id, run id, task id and map index; `deployment` distinguishes two Airflows with the same ids. All tries
    of one start have the same name; clearing the task gives another. The digest comes first, so that a server that
    shortens names leaves it.
    """
    parts = [*(str(part) for part in run), kind, fingerprint, clear_count, deployment]
    return marked_name(hashlib.sha256("\x1f".join(parts).encode()).hexdigest(), head, date)


def marked_name(digest: str, head: str, date: str = "") -> str:
    """Return `[16 hex digits] <head> <date>`, in one line and without a space at an end, which Labelbox may strip."""
    readable = "".join(letter if letter.isprintable() else " " for letter in head).strip()[:MAX_HEAD].strip()
    return " ".join(part for part in (f"[{digest[: MARK_LENGTH - 2]}]", readable, date) if part)


def is_name(found: str | None, name: str) -> bool:
    """Return whether a name that Labelbox shows is this one, perhaps shortened by the server."""
    return found == name or (found is not None and len(found) >= MARK_LENGTH and name.startswith(found))
