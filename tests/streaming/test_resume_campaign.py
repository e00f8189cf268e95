"""Landings that are killed at random moments are resumed, with the bytes of an undisturbed landing (G2, G8, G12).

`LABELBOX_KILLED_LANDINGS=100` runs more of them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import BUCKET, file_store, strict_gcs_store, strict_store
from support.streaming.exports import LandingClient, bytes_read, client_of_rows, rows_in, without_versions
from support.streaming.programs import landing_command
from support.streaming.small_parts import use_small_parts
from support.streaming.staged import receipts_in, unnamed_uploads

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.testing.faults import SlowFile
from labelbox_export_provider.testing.object_store import strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store

LANDINGS = int(os.environ.get("LABELBOX_KILLED_LANDINGS", "12"))
OBJECT_BYTES = 256 * 1024
PART_BYTES = 64 * 1024
KEY = "lake/rows.ndjson"
WEEK = FixedWindow("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z")

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(120, method="thread")]


@dataclass(frozen=True)
class KilledLanding:
    """One landing: where, in which form, and after which shares of the bytes a process is killed."""

    store: str
    compression: Any
    trimmed: bool
    explicit: bool
    kills: tuple[float, ...]

    @classmethod
    def of(cls, seed: int, *, explicit: bool) -> KilledLanding:
        chance = random.Random(seed)
        forms = [("gzip", False), ("zstd", False), (None, False), ("gzip", True)]
        compression, trimmed = forms[seed // 3 % 4]
        kills = tuple(sorted(chance.uniform(0, 1.05) for _ in range(chance.choice([1, 1, 2]))))
        return cls(["s3", "gcs", "file"][seed % 3], compression, trimmed, explicit, kills)

    @property
    def options(self) -> dict[str, Any]:
        options = {"compression": self.compression, "workers": 1}
        if not self.explicit:
            return {**options, "max_object_bytes": OBJECT_BYTES}
        # Google Cloud Storage resumes only what may overwrite.
        return {**options, "key": KEY, "receipt_bytes": OBJECT_BYTES, "replace": True}

    def fewest_kept(self, on_their_way: list[int], sizes: set[int]) -> int:
        """How many objects, or ranges, must have a receipt when so many bytes of each object are stored.

        At most one that is stored has none.
        """
        if not self.explicit:
            return sum(size in sizes for size in on_their_way) - 1
        is_source = self.compression is None and not self.trimmed
        return sum(on_their_way) // OBJECT_BYTES - 1 if is_source else 0


@pytest.fixture(scope="module")
def at() -> Iterator[LandingClient]:
    with client_of_rows(2150, file_bytes=100_000) as client:
        yield client


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_parts(monkeypatch, PART_BYTES)


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[str], tuple[Store, str, Callable[[], list[int]]]]]:
    """What returns a store, the text that makes its sink in another process, and the sizes of what is not complete."""
    with strict_s3(minimum_part_bytes=PART_BYTES) as s3, strict_gcs(minimum_part_bytes=PART_BYTES) as gcs:

        def open_it(name: str) -> tuple[Store, str, Callable[[], list[int]]]:
            if name == "file":
                hidden = lambda: [path.stat().st_size for path in tmp_path.rglob(".labelbox-*ndjson*")]  # noqa: E731  short
                return file_store(tmp_path), f"FileSink({str(tmp_path)!r})", hidden
            server: Any = s3 if name == "s3" else gcs
            sizes = lambda: [sum(len(part) for part, _ in each.parts.values()) for each in server.uploads.values()]  # noqa: E731  short
            if name == "s3":
                return strict_store(s3), f"S3Sink(s3_client({s3.address!r}), {BUCKET!r})", sizes
            return strict_gcs_store(gcs), f"GCSSink(gcs_client({gcs.address!r}), {BUCKET!r})", sizes

        yield open_it


def undisturbed(at: LandingClient, handle: ExportHandle, store: Store, options: dict[str, Any]) -> int:
    """Land an export below another prefix, and return how many bytes were read."""
    at.fake.requests.clear()
    given = {**options, "key": KEY.replace("lake/", "other/")} if "key" in options else {**options, "prefix": "other"}
    at.land(handle, store.again(), **given)
    return bytes_read(at)


def run_until(at: LandingClient, handle: ExportHandle, sink: str, options: dict[str, Any], limit: float) -> bool:
    """Land in another process and kill it when so many bytes were read; return whether it was killed."""
    command = landing_command(at, handle, sink, PART_BYTES, options)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while process.poll() is None and bytes_read(at) < limit:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    _, said = process.communicate(timeout=20)
    assert process.returncode in {0, -signal.SIGKILL}, said
    return process.returncode != 0


def check_landed(store: Store) -> None:
    """What is there is what an undisturbed landing leaves below another prefix, and nothing else."""
    seen = without_versions(store.visible())
    alone = {name: data for name, data in seen.items() if name.startswith("other/")}
    landed = {name: data for name, data in seen.items() if name.startswith("lake/")}
    assert sorted(landed) == sorted(f"lake{name[5:]}" for name in alone)
    assert landed == {f"lake{name[5:]}": data.replace(b"other/", b"lake/") for name, data in alone.items()}
    assert store.litter() == []


@pytest.mark.parametrize(
    ("seed", "explicit"),
    [*((seed, False) for seed in range(LANDINGS)), *((seed, True) for seed in range(1, LANDINGS, 5))],
)
def test_a_killed_landing_is_resumed(seed: int, explicit: bool, at: LandingClient, open_store: Any) -> None:
    """Whenever it is killed, at most one object, or range of one object, that was stored is moved again.

    The bytes are those of one try.
    """
    case = KilledLanding.of(seed, explicit=explicit)
    store, sink, sizes_on_their_way = open_store(case.store)
    at.fake.faults.clear()
    handle = at.export(window=WEEK if case.trimmed else None)
    total = undisturbed(at, handle, store, case.options)
    sizes = {len(content) for name, content in store.visible().items() if "other/data/" in name}
    at.fake.faults.add(SlowFile(seconds=0.02, times=None))
    read, kept = 0, 0
    for share in case.kills:
        at.fake.requests.clear()
        killed = run_until(at, handle, sink, case.options, share * total - read)
        read += bytes_read(at)
        assert len(receipts_in(store.visible())) >= kept or not killed
        kept = len(receipts_in(store.visible()))
        assert kept >= case.fewest_kept(sizes_on_their_way(), sizes)
    at.fake.requests.clear()
    at.land(handle, store.again(), **case.options)
    # How much is read twice at the ends of ranges differs a little from landing to landing.
    assert bytes_read(at) <= 1.05 * total - max(0, kept - 1) * OBJECT_BYTES
    check_landed(store)


@pytest.mark.parametrize("store_name", ["s3", "gcs", "file"])
def test_a_landing_that_is_killed_at_90_percent_reads_a_quarter_again(
    at: LandingClient, open_store: Any, store_name: str
) -> None:
    """Of eight objects, the retry reads at most two from the file host."""
    store, sink, _ = open_store(store_name)
    at.fake.faults.clear()
    handle = at.export()
    options: dict[str, Any] = {"compression": None, "workers": 1, "max_object_bytes": OBJECT_BYTES}
    total = undisturbed(at, handle, store, options)
    at.fake.faults.add(SlowFile(seconds=0.02, times=None))
    at.fake.requests.clear()
    assert run_until(at, handle, sink, options, 0.9 * total)
    assert unnamed_uploads(store), "it was killed while an object was on its way"
    at.fake.requests.clear()
    at.land(handle, store.again(), **options)
    print(f"{bytes_read(at) / total:.0%} of the bytes were read again")
    assert bytes_read(at) <= 0.25 * total
    assert rows_in(store.visible(), "lake/data/") == at.fake.rows_for(like=handle.export_id)
    check_landed(store)
