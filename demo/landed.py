"""The landed objects, read back and compared with the rows of Labelbox.

Nothing of the package is used here: names and rows are parsed by other code than the tested code.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.days import Night
    from demo.object_store import ObjectStore


@dataclass
class Landed:
    """One night in the bucket: its manifest, the content of its objects, and all faults in them."""

    night: Night
    export_id: str = ""
    state: str = "missing"
    rows: list[bytes] = field(default_factory=list)
    rows_trimmed: int = 0
    """Rows of the one-second margins around the window, which were read and dropped again."""
    stored_bytes: int = 0
    objects: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_night(store: ObjectStore, prefix: str, night: Night) -> Landed:
    """Read every object of one night."""
    landed = Landed(night)
    landed.objects = [key for key in store.objects(f"{prefix}data/") if _of(key, night)]
    for key in landed.objects:
        content = store.read(key)
        landed.stored_bytes += len(content)
        text = gzip.decompress(content) if key.endswith(".gz") else content
        lines = text.split(b"\n")
        if lines.pop():
            landed.faults.append(f"{key} does not end with a newline")
        landed.rows += lines
    manifests = [key for key in store.objects(f"{prefix}manifests/") if _of(key, night)]
    if len(manifests) != 1:
        landed.faults.append(f"{len(manifests)} manifests instead of one: {manifests}")
        return landed
    manifest = json.loads(store.read(manifests[0]))
    landed.export_id, landed.state = manifest["export"]["export_id"], manifest["state"]
    landed.rows_trimmed = manifest["result"]["rows_trimmed"]
    named = [entry["uri"].removeprefix(f"s3://{store.bucket}/") for entry in manifest["objects"]]
    if sorted(named) != sorted(landed.objects):
        landed.faults.append(f"the manifest names {named}, the bucket holds {landed.objects}")
    counted = sum(entry["rows"] for entry in manifest["objects"])
    if counted != len(landed.rows):
        landed.faults.append(f"the manifest counts {counted} rows, the objects hold {len(landed.rows)}")
    return landed


def compare(landed: Landed, expected_rows: Iterable[bytes]) -> None:
    """Add a fault for every row of the night that is missing, doubled or other than in Labelbox, byte for byte."""
    held, wanted = Counter(landed.rows), Counter(expected_rows)
    for what, rows in (("missing from", wanted - held), ("too many in", held - wanted)):
        for row, times in list(rows.items())[:3]:
            landed.faults.append(f"{times} x {what} the bucket: {row[:120].decode(errors='replace')}")
        if len(rows) > 3:
            landed.faults.append(f"and {len(rows) - 3} more rows {what} the bucket")


def strangers(store: ObjectStore, prefix: str, nights: list[Landed]) -> list[str]:
    """Return what is in the bucket and should not be: other objects under data/, objects elsewhere, open uploads."""
    known = {key for night in nights for key in night.objects}
    folders = tuple(f"{prefix}{folder}/" for folder in ("data", "errors", "uris", "manifests"))
    found = []
    for key in store.objects():
        if key.startswith(folders[0]):
            if key not in known:
                found.append(f"{key}: under data/ but of no window")
        elif not key.startswith(folders):
            found.append(f"{key}: in none of {', '.join(folders)}")
    return found + [f"{key}: an upload that was neither completed nor aborted" for key in store.open_uploads()]


def _of(key: str, night: Night) -> bool:
    return key.rsplit("/", 1)[-1].startswith(f"{night.stem}.")
