"""Redacts the text of a check for a public issue."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from labelbox_export_provider.redaction import scrub

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.[a-zA-Z]{2,}")
_PATH = re.compile(r"(?i)\b((?:https?|s3|gs)://[^\s/\"'<>]+)/[^\s\"'<>]*")
_ID = re.compile(r"\b(?:c[a-z0-9]{24}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27})\b")


def short_hash(identifier: str) -> str:
    """Return a pseudonym for an id: different ids differ, and the id cannot be derived from it."""
    return "#" + hashlib.sha256(identifier.encode()).hexdigest()[:8]


class Redactor:
    """Removes the key, signed URLs, e-mail addresses and known names from text, and hashes ids."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def hide(self, values: Iterable[str | None]) -> None:
        """Also remove these texts from now on."""
        self._secrets += sorted((value for value in values if value), key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return one line without anything that names the account."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _PATH.sub(r"\1/***", _EMAIL.sub("***", scrub(text, limit=1000)))
        return _ID.sub(lambda match: short_hash(match[0]), text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with every text in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(each) for name, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(each) for each in value]
        return value
