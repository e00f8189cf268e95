"""Texts that are compared with files of `tests/snapshots/`; `LABELBOX_SNAPSHOTS=write` writes them again."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "snapshots"
WRITES = os.environ.get("LABELBOX_SNAPSHOTS") == "write"


def compare(name: str, text: str) -> None:
    """Compare a text with the file of this name."""
    file = FOLDER / f"{name}.txt"
    if WRITES:
        file.write_text(f"{text}\n")
    assert file.exists(), f"there is no tests/snapshots/{file.name}: LABELBOX_SNAPSHOTS=write makes it; then read it"
    differences = list(
        difflib.unified_diff(read(name).splitlines(), text.splitlines(), "expected", "found", lineterm="")
    )
    assert not differences, "\n".join(differences)


def read(name: str) -> str:
    """The text of a file."""
    return (FOLDER / f"{name}.txt").read_text()


def of_every_run(text: str, known: dict[str, str], *, kept: frozenset[str] = frozenset()) -> str:
    """Write what differs from run to run as a word in angle brackets; `known` are texts with the word for each.

    Moments of time stay as they are where they are among the `kept` ones.
    """
    for value, word in sorted(known.items(), key=lambda item: -len(item[0])):
        text = text.replace(value, word)
    text = re.sub(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)",
        lambda moment: moment[0] if moment[0] in kept else "<time>",
        text,
    )
    text = re.sub(
        r"(?:\d+ %|completionPercentage \S+), \d+:\d\d:\d\d since its start",
        "<progress>, <elapsed> since its start",
        text,
    )
    text = re.sub(r"Gave up after \d+ tries in \d+ s", "Gave up after <n> tries in <n> s", text)
    text = re.sub(r"(Gave up after 1 try) in \d+ s", r"\1 in <n> s", text)
    # Several listings run at once, and any of them may be the first to fail.
    text = re.sub(r"((?:ListMultipartUploads|ListObjectsV2) of s3://[\w-]+)/\S+", r"\1/<prefix>", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    text = re.sub(r"\[[0-9a-f]{16}\]", "[<digest>]", text)
    text = re.sub(r"gave no answer: .* \(after \d+\.\d s\)", "gave no answer: <how>", text)
    return re.sub(r"\bg[0-9a-f]{8}\b", "<generation>", text)
