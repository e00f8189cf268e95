"""A store's own rule about uploads that nobody completes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class UploadRule:
    """Removes an upload `days` after it was begun; `name` is how people find the rule among those of the store."""

    days: int
    name: str
