"""A directory as a store: how many files it holds open, and what a crash of the machine can take away."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from labelbox_export_provider.sinks.base import NewObject
from labelbox_export_provider.sinks.file import FileSink


def test_a_landing_of_many_objects_needs_few_descriptors(tmp_path: Path) -> None:
    """A landing of 512 GiB has 1,024 objects on their way until its burst, which is what a process may have open."""
    program = f"""
        import resource
        import google_crc32c
        from labelbox_export_provider.sinks.base import ExpectedObject, NewObject, Part, PartBody
        from labelbox_export_provider.sinks.file import FileSink
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        sink = FileSink({str(tmp_path)!r})
        writers = [sink.begin(NewObject(f"data/rows.{{number}}", "text/plain")) for number in range(200)]
        for writer in writers:
            for number in (1, 2):
                writer.put_part(Part(number, number - 1, PartBody([b"x"]), last=number == 2))
        for writer in writers:
            writer.complete(ExpectedObject(2, google_crc32c.value(b"xx")))
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.read_bytes() for path in (tmp_path / "data").iterdir()) == [b"xx"] * 200


def test_new_directories_are_synced_into_their_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash of the machine must not lose a directory with the synced files in it."""
    synced: list[str] = []
    sync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), tmp_path))
        sync(descriptor)

    monkeypatch.setattr("os.fsync", record)
    FileSink(tmp_path / "lake").put(NewObject("data/dt=1/rows", "text/plain"), b"1")
    assert [name for name in synced if ".labelbox-" not in name] == [".", "lake", "lake/data", "lake/data/dt=1"]
    synced.clear()
    FileSink(tmp_path / "lake").put(NewObject("data/dt=1/rows", "text/plain"), b"1")
    assert [name for name in synced if ".labelbox-" not in name] == ["lake/data/dt=1"]


def test_a_directory_is_read_once_for_all_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What killed tries left of many objects is removed in one pass, not in one for each object."""
    sink = FileSink(tmp_path)
    for number in range(300):
        sink.begin(NewObject(f"data/g1.{number:05d}.ndjson", "text/plain"))
    sink.begin(NewObject("data/g2.00000.ndjson", "text/plain"))
    passes: list[object] = []
    scandir = os.scandir

    def counted(path: str) -> object:
        passes.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert sink.abort_open_uploads("data/g1.") == 300
    assert len(passes) == 1
    assert len(list((tmp_path / "data").iterdir())) == 1
