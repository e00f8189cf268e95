"""The state of one check: the account, the exports that were started, the findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelbox_export_provider.check_account.ask import Asked, ask
from labelbox_export_provider.check_account.questions import BY_ID, NOT_REACHED, QUESTIONS, Finding, FindingResult
from labelbox_export_provider.check_account.redaction import Redactor, short_hash
from labelbox_export_provider.client.graphql import Document
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.types import Flow, KeyOwner, T


@dataclass
class Account:
    """The account that is checked. `say` shows progress, `sleep` takes and `clock` gives seconds."""

    client: LabelboxClient
    owner: KeyOwner
    say: Callable[[str], object]
    timeout: float
    redactor: Redactor
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    started: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    _findings: dict[str, Finding] = field(default_factory=dict)

    def run(self, flow: Flow[T]) -> T:
        """Run one flow."""
        return self.client.run(flow)

    def ask(self, document: Document, variables: Mapping[str, Any]) -> Asked:
        """Send one operation that is safe to send again."""
        return self.run(ask(document, variables))

    def settle(self, question: str, found: str, result: FindingResult, **facts: Any) -> None:
        """Record what was found; a later finding replaces an earlier one."""
        self._findings[question] = Finding(
            BY_ID[question], self.redactor.text(found), result, self.redactor.value(facts)
        )

    def note_export(self, export_id: str) -> None:
        """Count an export that was started."""
        self.started.append(short_hash(export_id))

    def findings(self) -> list[Finding]:
        """Return a finding per question, in the order of the questions; unsettled ones are open."""
        return [
            self._findings.get(question.id) or Finding(question, self.reasons.get(question.id, NOT_REACHED), "open")
            for question in QUESTIONS
        ]
