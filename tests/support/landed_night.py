"""One night that was landed in a directory, read back and compared with the rows that the fake was given."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime, timedelta
from pathlib import Path

from labelbox_export_provider.testing import generate_rows

ROWS, FIRST_DAY, DAYS = 400, date(2024, 5, 6), 5


def check_night(root: Path) -> None:
    """Assert that exactly the rows of one day lie there, whole, and that the manifest counts them."""
    [path] = root.rglob("manifests/**/*.json")
    manifest = json.loads(path.read_text())
    window = manifest["export"]["window"]
    start, end = (datetime.fromisoformat(window[name].replace("Z", "+00:00")) for name in ("start", "end"))
    assert end - start == timedelta(days=1)
    files = sorted(root.rglob("data/**/*.ndjson.gz"))
    landed = [
        json.loads(line)["data_row"]["id"] for file in files for line in gzip.decompress(file.read_bytes()).splitlines()
    ]
    expected = [
        row.row_id
        for row in generate_rows(ROWS, start=FIRST_DAY, days=DAYS)
        if row.last_activity_at is not None and start <= row.last_activity_at < end
    ]
    assert expected
    assert sorted(landed) == sorted(expected)
    assert sum(entry["rows"] for entry in manifest["objects"]) == len(expected)
