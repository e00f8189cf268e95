"""A file that is not an NDJSON export is named for what it is, with the way to convert it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo.days import read_export
from labelbox_export_provider.testing.__main__ import main

ROWS = [
    {"data_row": {"id": f"row{n}", "details": {"last_activity_at": "2024-02-19T19:45:24.000+00:00"}}, "projects": {}}
    for n in range(3)
]
NDJSON = "".join(json.dumps(row) + "\n" for row in ROWS)
OLD = {"ID": "cl1", "DataRow ID": "cl2", "Labeled Data": "https://bucket.example/a.jpg", "Label": {"objects": []}}

OTHERS = {
    "array": (json.dumps(ROWS).encode(), "is a JSON array", "jq -c '.[]'"),
    "pretty array": (json.dumps(ROWS, indent=2).encode(), "is a JSON array", "jq -c '.[]'"),
    "pretty": ("\n".join(json.dumps(row, indent=2) for row in ROWS).encode(), "is pretty-printed JSON", "jq -c ."),
    "pretty, closed late": (b'{"data_row": {\n}, "projects": {}}', "is pretty-printed JSON", "jq -c ."),
    "gzip": (gzip.compress(NDJSON.encode()), "is compressed with gzip", "gunzip -c"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "is compressed with zstd", "zstd -dc"),
    "zip": (b"PK\x03\x04" + bytes(20), "is a ZIP archive", "unzip"),
    "UTF-16": (NDJSON.encode("utf-16"), "is UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
    "UTF-16 without mark": (NDJSON.encode("utf-16-le"), "is UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
    "UTF-8 with mark": (NDJSON.encode("utf-8-sig"), "begins with a byte order mark", "tail -c +4"),
    "old": (json.dumps(OLD).encode(), "old export format", "Export the project again"),
    "old array": (json.dumps([OLD]).encode(), "old export format", "Export the project again"),
    "Python dicts": ("\n".join(map(str, ROWS)).encode(), "holds Python dicts", "json.dumps(row.json)"),
}


@pytest.mark.parametrize(("content", "what", "advice"), OTHERS.values(), ids=OTHERS)
def test_another_format_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, what: str, advice: str
) -> None:
    """The fake's command and the demo say which format the file is in and how to convert it."""
    file = tmp_path / "export.ndjson"
    file.write_bytes(content)
    with pytest.raises(SystemExit) as error:
        main(["--rows", str(file)])
    assert error.value.code == 2
    described = capsys.readouterr().err
    assert (what in described, advice in described) == (True, True), described
    with pytest.raises(SystemExit, match=what):
        read_export(file)


def test_the_commands_for_conversion_work(tmp_path: Path) -> None:
    """What gunzip and iconv make of the file as the message says is accepted."""
    for content, command in (
        (gzip.compress(NDJSON.encode()), ["gunzip", "-c"]),
        (NDJSON.encode("utf-16"), ["iconv", "-f", "UTF-16", "-t", "UTF-8"]),
        (NDJSON.encode("utf-8-sig"), ["tail", "-c", "+4"]),
    ):
        file = tmp_path / "export"
        file.write_bytes(content)
        assert subprocess.run([*command, str(file)], check=True, capture_output=True).stdout == NDJSON.encode()


ODD = {
    "id is a list": b'{"data_row": {"id": []}}',
    "projects is a list": b'{"data_row": {"id": "a"}, "projects": [1]}',
    "a project is text": b'{"data_row": {"id": "a"}, "projects": {"p": "x"}}',
    "labels are text": b'{"data_row": {"id": "a"}, "projects": {"p": {"labels": "x"}}}',
    "details are text": b'{"data_row": {"id": "a", "details": "x"}}',
    "a date is a number": b'{"data_row": {"id": "a", "details": {"last_activity_at": 1}}}',
    "runs are a list": b'{"data_row": {"id": "a"}, "experiments": {"m": {"runs": [1]}}}',
    "too deep": b"[" * 200 + b'{"data_row": ' + b"[" * 100_000,
    "CSV": b"id,row_data\n1,2\n",
    "cut off": b'{"data_row": {"id": "a"',
}


@pytest.mark.parametrize("line", ODD.values(), ids=ODD)
def test_an_odd_row_is_no_traceback(tmp_path: Path, line: bytes) -> None:
    """A row of another shape ends the command with a sentence that names its line."""
    file = tmp_path / "export.ndjson"
    file.write_bytes(NDJSON.encode() + line + b"\n")
    command = [sys.executable, "-m", "labelbox_export_provider.testing", "--rows", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "export.ndjson, line 4: not a data row" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["missing", "directory", "unreadable"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A directory or a missing file ends the demo's reading with a sentence."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "unreadable").symlink_to(tmp_path / "unreadable")
    with pytest.raises(SystemExit, match=name):
        read_export(tmp_path / name)


def test_rows_alone_pass(tmp_path: Path) -> None:
    """A row of one line that is longer than the look at the file, and blank lines, are no other format."""
    file = tmp_path / "export.ndjson"
    long = {"data_row": {"id": "a", "row_data": "x" * 200_000}, "projects": {"p": {}}}
    dated = {**ROWS[0], "projects": {"p": {}}}
    file.write_text(f"\n{json.dumps(long)}\n\n{json.dumps(dated)}\n")
    assert len(read_export(file).rows) == 2
