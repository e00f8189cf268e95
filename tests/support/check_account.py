"""Runs the command `check-account` as a user does, and reads its output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelbox_export_provider.testing import FakeLabelbox

COMMAND = [sys.executable, "-m", "labelbox_export_provider", "check-account"]
SECRETS = re.compile(r"X-Goog-(Signature|Credential|Date)|@example|labelbox-exports/")


@dataclass(frozen=True)
class Checked:
    """One run: exit code, what it printed, and the report where it wrote one."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    def found(self, question: str) -> tuple[str, str]:
        """Return the finding and its result."""
        finding = self._finding(question)
        return finding["found"], finding["result"]

    def facts(self, question: str) -> dict[str, Any]:
        """Return the facts beside a finding."""
        facts: dict[str, Any] = self._finding(question)["facts"]
        return facts

    def _finding(self, question: str) -> dict[str, Any]:
        return next(each for each in self.report["findings"] if each["id"] == question)

    @property
    def differing(self) -> list[str]:
        """Return the questions whose answer differs from the assumption."""
        return [each["id"] for each in self.report["findings"] if each["result"] == "differs"]


def run_command(*arguments: str, **environment: str) -> Checked:
    """Run the command with these variables and none of a user's."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Checked(done.returncode, done.stdout, done.stderr, {})


def check(fake: FakeLabelbox, tmp_path: Path, *arguments: str) -> Checked:
    """Check the fake's account by the key in the environment; nothing that names the account may be shown."""
    file = tmp_path / "report.json"
    options = ("--endpoint", fake.endpoint, "--json", str(file), "--yes", *arguments)
    done = run_command(*options, LABELBOX_API_KEY=fake.api_key)
    report = file.read_text()
    names = (fake.api_key, fake.user.email, fake.organization_id, fake.user.user_id, *fake.projects.values())
    ids = [export.export_id for export in fake.exports] + [each for each in arguments if each.startswith("cl")]
    for text, hidden in ((done.out + done.err, names), (report, (*names, *ids))):
        assert not SECRETS.search(text)
        assert [value for value in hidden if value in text] == []
    return Checked(done.code, done.out, done.err, json.loads(report or "{}"))
