"""docs/when-it-fails.md: where the block is, and what a missing directory needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import snapshots

from labelbox_export_provider.errors import StorageUnavailableError
from labelbox_export_provider.transfers.to_file import LabelboxExportToFileOperator

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "when-it-fails.md").read_text(encoding="utf-8")
SKIPPED = "AirflowSkipException"


def test_the_page_names_every_exception_that_the_block_comes_after() -> None:
    """A skipped task has not failed."""
    kinds = {snapshots.read(file.stem).partition("\n")[0] for file in snapshots.FOLDER.iterdir()} - {SKIPPED}
    above = PAGE.partition("<!--")[0]
    assert "at the very end of the traceback" in above
    assert set(re.findall(r"`(\w+):`", above)) == kinds


def test_the_table_names_every_line_of_the_block() -> None:
    shown = set(re.findall(r"`([a-z ]+)`", " ".join(re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE))))
    blocks = "".join(file.read_text(encoding="utf-8") for file in snapshots.FOLDER.iterdir())
    assert set(re.findall(r"^  ([a-z][a-z ]*): +", blocks, re.MULTILINE)) <= shown


def test_the_page_says_that_a_missing_directory_must_be_created(tmp_path: Path) -> None:
    """Retries alone do not create it."""
    task = LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root=str(tmp_path / "missing"))
    with pytest.raises(StorageUnavailableError) as caught:
        task._open_sink()
    row = re.search(rf"^\| `{type(caught.value).__name__}` \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert row
    assert "a directory does not exist" in row[1]
    assert row[2].startswith("create or mount a missing directory now")
