"""docs/estimate.md: its command prints what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from labelbox_export_provider.__main__ import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "estimate.md").read_text()


def test_the_command_prints_the_text_of_the_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the request, which the page leaves out."""
    command, text = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)[0] for kind in ("bash", "text"))
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command.replace("\\\n", " "))[3:]) == 0
    assert capsys.readouterr().out.startswith(text.removesuffix("    ...\n"))


def test_the_options_of_the_page_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["estimate", "--help"])
    there = capsys.readouterr().out
    assert [flag for flag in set(re.findall(r"`(--[a-z-]+)", PAGE)) if flag not in there] == []
