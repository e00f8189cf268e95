"""The store of docs/write-a-sink.md keeps every promise, and the suite on that page notices one that does not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from labelbox_export_provider.testing.sink_conformance import SinkConformance

PAGE = (Path(__file__).parents[2] / "docs" / "write-a-sink.md").read_text()
MODULES = dict(re.findall(r"^`(\w+\.py)`\n\n```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))


def run(folder: Path, *choice: str, old: str = "", new: str = "") -> str:
    for name, code in MODULES.items():
        (folder / name).write_text(code.replace(old, new) if old else code)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-rfE",
        "--tb=no",
        *choice,
    ]
    done = subprocess.run(command, cwd=folder, check=False, timeout=100, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.thorough
def test_the_store_on_the_page_keeps_every_promise(tmp_path: Path) -> None:
    output = run(tmp_path)
    assert "failed" not in output, output
    tests = [name for name in dir(SinkConformance) if name.startswith("test_")]
    passed = re.search(r"(\d+) passed", output)
    assert passed, output
    assert int(passed[1]) > len(tests)


BROKEN = {
    "nothing checks what was put": ("        self._account.check(expected, uri)\n", "", "as_expected"),
    "aborting leaves the upload": (
        '        self._sink.ask("DELETE FROM uploads WHERE id = ?", self._upload)\n',
        "",
        "aborted_object",
    ),
    "a zombie may publish": (
        '            if not database.execute("DELETE FROM uploads',
        '            if database.execute("DELETE FROM uploads',
        "appears_whole",
    ),
    "creation overwrites": ("if self._new.create_only and there", "if False and there", "creation_is_refused"),
    "a listing is of all": ("if key.startswith(prefix)", "", "listing"),
    "an upload is never found": (
        'self.ask("SELECT id, key FROM uploads")',
        "[]",
        "next_try_removes",
    ),
    "a store that refuses is not heard": (
        """            raise StorageError(f"{self._path}: {error}. Check""",
        """            return [(0,)]
            raise StorageError(f"{self._path}: {error}. Check""",
        "cannot_be_written",
    ),
    "an ended writer goes on": ("        self._account.close()\n", "", "has_ended"),
    "a part counts before it is stored": (
        """        content = b"".join(part.body.buffers())
""",
        """        self._account.note(part)
        content = b"".join(part.body.buffers())
""",
        "not_stored",
    ),
    "metadata is dropped": ("{**self._new.metadata, CRC32C", "{CRC32C", "origin_of_an_object"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("broken", BROKEN)
def test_the_suite_notices_a_store_that_breaks_a_promise(broken: str, tmp_path: Path) -> None:
    old, new, noticed = BROKEN[broken]
    assert old in MODULES["sqlite_sink.py"]
    output = run(tmp_path, "-k", noticed, old=old, new=new)
    assert re.search(rf"^FAILED .*{noticed}", output, re.MULTILINE), output
