"""Recognizes files that are not an export file (NDJSON, a data row per line), and how to convert them."""

from __future__ import annotations

import json
import re
from pathlib import Path

_HEAD_BYTES = 64 * 1024
_GZIP, _ZIP, _ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_OLD_KEYS = re.compile(rb'"(?:DataRow ID|Labeled Data|Data Row ID)"\s*:')
_DATA_ROW = re.compile(rb'"data_row"\s*:')
_PYTHON_DICT = re.compile(rb"\s*\{\s*'")
_WHITESPACE = " \t\r\n"

_GOAL = "The file must be NDJSON: one JSON object with data_row.id per line."


def refuse_other_formats(path: str | Path) -> None:
    """Raise `ValueError` when the file is compressed, UTF-16, a JSON array, pretty-printed or an old export.

    The message names the format and how to convert the file. `OSError` when it cannot be read.
    """
    with Path(path).open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if complaint := describe_other_format(head, str(path)):
        raise ValueError(f"{path} {complaint} {_GOAL}")


def describe_other_format(head: bytes, name: str) -> str | None:
    """Return the wrong format that the beginning of a file shows and how to convert it; None when it looks right."""
    return _of_its_bytes(head, name) or _of_its_text(head, name)


def _of_its_bytes(head: bytes, name: str) -> str | None:
    if head.startswith(_GZIP):
        return f"is compressed with gzip. Decompress it: gunzip -c {name} > export.ndjson."
    if head.startswith(_ZSTD):
        return f"is compressed with zstd. Decompress it: zstd -dc {name} > export.ndjson."
    if head.startswith(_ZIP):
        return f"is a ZIP archive. Extract the export from it: unzip {name}."
    if head.startswith(_UTF16_MARKS) or b"\0" in head[:4]:
        return (
            "is UTF-16 text, as PowerShell's > writes it. Convert it to UTF-8: "
            f"iconv -f UTF-16 -t UTF-8 {name} > export.ndjson."
        )
    if head.startswith(_UTF8_MARK):
        return f"begins with a byte order mark. Remove it: tail -c +4 {name} > export.ndjson."
    return None


def _of_its_text(head: bytes, name: str) -> str | None:
    if _OLD_KEYS.search(head) and not _DATA_ROW.search(head):
        return (
            "is in Labelbox's old export format (v1: 'DataRow ID', 'Labeled Data'), which cannot be converted. Export "
            "the project again with today's export: in the web app, or project.export() of the Python SDK."
        )
    if _PYTHON_DICT.match(head):
        return "holds Python dicts as text. Write each row with json.dumps(row.json) instead of str(row.json)."
    text = head.decode("utf-8", "replace").lstrip(_WHITESPACE)
    if text.startswith("["):
        return f"is a JSON array. Write its elements one per line: jq -c '.[]' {name} > export.ndjson."
    if text.startswith("{") and _spans_lines(text):
        return f"is pretty-printed JSON. Write each object on one line: jq -c . {name} > export.ndjson."
    return None


def _spans_lines(text: str) -> bool:
    """Return whether the first JSON value continues on a second line that does not begin a value of its own."""
    first, newline, rest = text.partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        following = rest.lstrip(_WHITESPACE)
        return bool(newline) and following.startswith(('"', "}"))
    return False
