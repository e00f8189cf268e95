"""Formats findings: a table for a terminal, JSON for an issue."""

from __future__ import annotations

import itertools
import json
import platform
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.questions import Finding
from labelbox_export_provider.check_account.redaction import short_hash
from labelbox_export_provider.client.settings import DEFAULT_ENDPOINT
from labelbox_export_provider.client.user_agent import provider_version

_WIDTHS = (38, 36, 36, 7)
_HEADS = ("question", "found", "the provider assumes", "")


def table(findings: Sequence[Finding]) -> str:
    """Return one row per question: the question, what was found, what is assumed, the result."""
    rows = [
        _HEADS,
        tuple("-" * width for width in _WIDTHS),
        *((each.question.text, each.found, each.question.assumed, each.result) for each in findings),
    ]
    lines = [line for row in rows for line in _wrapped(row)]
    counts = Counter(each.result for each in findings)
    lines += ["", f"{counts['ok']} ok, {counts['differs']} differ, {counts['open']} open"]
    return "\n".join(lines) + "\n"


def _wrapped(row: Sequence[str]) -> list[str]:
    cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, _WIDTHS, strict=True)]
    return [
        "  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()
        for parts in itertools.zip_longest(*cells, fillvalue="")
    ]


def as_json(account: Account, *, error: str | None) -> str:
    """Return the report to attach to an issue; `error` is why a check ended early."""
    endpoint = account.client.settings.endpoint
    if error is not None and endpoint != DEFAULT_ENDPOINT:
        error = error.replace(urlsplit(endpoint).netloc, "the endpoint")
    content: dict[str, Any] = {
        "v": 1,
        "provider_version": provider_version(),
        "python": platform.python_version(),
        "checked_at": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "endpoint": urlsplit(endpoint).hostname if endpoint == DEFAULT_ENDPOINT else "another host",
        "organization": short_hash(account.owner.organization_id),
        "exports_started": account.started,
        "error": error,
        "findings": [
            {
                "id": each.question.id,
                "question": each.question.text,
                "found": each.found,
                "assumed": each.question.assumed,
                "result": each.result,
                **({"facts": each.facts} if each.facts else {}),
            }
            for each in account.findings()
        ],
    }
    return json.dumps(content, indent=2) + "\n"
