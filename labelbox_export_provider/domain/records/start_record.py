"""The record of a start: with it no retry, crash or lost answer starts the same export twice."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from labelbox_export_provider.domain.records.handle import Digest, ExportId, Record, Text, UtcText

MAX_HEAD = 80


class StartRecord(Record):
    """One intent to start, written before the call and never deleted.

    `open`: a start was under way. `refused`: Labelbox certainly refused it, so there is nothing to look for.
    `consumed`: the handle was given to downstream tasks. `clear_count` distinguishes the tries of one run of the task
    from a new run that its user asked for by clearing it.
    """

    name: Text
    fingerprint: Digest
    export_id: ExportId | None = None
    user_id: Text
    intent_at: UtcText
    clear_count: Text
    state: Literal["open", "refused", "consumed"] = "open"

    def to_json(self) -> dict[str, Any]:
        """Return the plain form for Airflow's task state store."""
        return self.model_dump(mode="json")


def start_name(head: str, *, run: tuple[str, str, str, int], kind: str, fingerprint: str, clear_count: str) -> str:
    """Return an export's name, made from the task that starts it: a readable head, then a digest that is unique.

    `run` is dag id, run id, task id and map index. All tries of one start have the same name; clearing the task gives
    another.
    """
    parts = [*(str(part) for part in run), kind, fingerprint, clear_count]
    tail = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:20]
    readable = "".join(letter if letter.isprintable() else " " for letter in head).strip()[:MAX_HEAD].strip()
    return f"{readable} [{tail}]".strip()  # Labelbox may strip a space at the end
