"""docs/find-gaps.md: its command prints what the page shows; options, exit codes and states are those of the code."""

from __future__ import annotations

import argparse
import re
import shlex
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from support.window_names import DAY, FIRST, PREFIX, name_of, nights, source

from labelbox_export_provider.commands import options, windows
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.tiling import WindowState

PAGE = (Path(__file__).parents[2] / "docs" / "find-gaps.md").read_text()
COMMAND_LINE = PAGE.partition("## From the command line")[2]
NOW = datetime(2026, 11, 30, 9, 30, tzinfo=timezone.utc)


def test_the_command_prints_the_text_of_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Over names as the page has them, on the morning of its date."""
    first, second, third = source("clp1"), source("clp2"), source("clp3")
    there = [each for each in range(29) if each not in (10, 11)]
    begin = NOW.replace(hour=2, minute=0) - timedelta(days=3)
    listed = [
        *nights(first, [each for each in there if each not in (4, 5)]),
        *nights(first, [4, 5], "empty"),
        name_of(first, FIRST + 7 * DAY, FIRST + 8 * DAY, export_id="clx2"),
        *nights(second, [each for each in there if each != 19]),
        *nights(second, [19], "rejected"),
        *(name_of(third, begin + day * DAY, begin + (day + 1) * DAY) for day in (-1, 0, 1)),
    ]
    for each in listed:
        path = tmp_path / "labelbox" / each.key.removeprefix(f"{PREFIX}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    command, text = (re.findall(rf"```{kind}\n(.*?)```", COMMAND_LINE, re.DOTALL)[0] for kind in ("bash", "text"))

    def in_a_directory(address: StoreAddress) -> Sink:
        assert str(address) == "s3://my-data-lake/labelbox"
        return FileSink(tmp_path)

    given = _parser().parse_args(shlex.split(command)[4:])
    assert windows.run(given, in_a_directory, clock=lambda: NOW) == windows.GAP
    assert capsys.readouterr().out == text


def test_the_options_of_the_page_are_there() -> None:
    """All of them are explained, but for --help."""
    flags = {name for names, _ in options.WINDOWS for name in names if name.startswith("--")}
    mentioned = set(re.findall(r"(--[a-z][a-z-]+)", re.sub(r"```.*?```", "", COMMAND_LINE, flags=re.DOTALL)))
    assert mentioned - {"--conf", "--reprocess-behavior"} == flags | {"--conn-id"}


def test_exit_codes_and_states_are_those_of_the_code() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert codes == [windows.ALL_LANDED, windows.FAILED, windows.GAP]
    states = PAGE.partition("## What the states mean")[2].partition("\n\nNot a gap")[0]
    assert {*re.findall(r"^\| (\w+) \|", states, re.MULTILINE)} - {"state"} == set(get_args(WindowState)) - {"running"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    for flags, settings in options.WINDOWS:
        parser.add_argument(*flags, **settings)
    return parser
