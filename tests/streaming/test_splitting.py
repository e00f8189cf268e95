"""A large result is split at line ends; all its objects become visible in one burst, or none that a manifest names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from support.stores.servers import files, open_uploads
from support.streaming.exports import (
    ERROR_LINES,
    LandingClient,
    client_of_rows,
    landing_client,
    manifest_in,
    rows_in,
    unpacked,
)
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import ConfigurationError, IntegrityError
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import BrokenFile, CorruptFile, ErrorRows

OBJECT_BYTES = 64 * 1024
in_every_compression = pytest.mark.parametrize("compression", [None, "gzip", "zstd"])


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(220, file_bytes=20_000) as client:
        yield client


def data_in(seen: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in seen.items() if "data/" in name}


@in_every_compression
def test_the_manifest_lists_all_objects_and_their_counts_add_up(
    at: LandingClient, store: Store, compression: Any
) -> None:
    handle = at.export()
    manifest = at.land(handle, store.sink, compression=compression, max_object_bytes=OBJECT_BYTES).manifest
    seen = store.visible()
    assert rows_in(seen) == expected_rows(at, handle)
    assert manifest == manifest_in(seen)
    assert [f"{store.uri_head}/{name}" for name in sorted(data_in(seen))] == [each.uri for each in manifest.objects]
    assert [each.uri.rsplit(".ndjson")[0][-6:] for each in manifest.objects] == [f".0000{n}" for n in range(4)]
    for (name, content), entry in zip(sorted(data_in(seen).items()), manifest.objects, strict=True):
        rows = unpacked(name, content)
        assert (entry.rows, entry.source_bytes, entry.bytes) == (rows.count(b"\n"), len(rows), len(content))
        assert entry.crc32c == f"{google_crc32c.value(content):08x}"
        assert abs(entry.source_bytes - OBJECT_BYTES) < 5_000 or entry is manifest.objects[-1]
    assert sum(each.rows for each in manifest.objects) == manifest.result.rows == 220
    assert sum(each.source_bytes for each in manifest.objects) == manifest.result.bytes
    assert manifest.max_object_bytes == OBJECT_BYTES
    (uris,) = (content for name, content in seen.items() if "uris/" in name)
    assert uris.decode().splitlines() == [each.uri for each in manifest.objects]


@in_every_compression
def test_bytes_depend_on_export_and_max_object_bytes_alone(at: LandingClient, tmp_path: Path, compression: Any) -> None:
    """The bytes of each object depend on the export and `max_object_bytes` alone.

    G8: same export, same bytes, whatever workers, part size, broken downloads or file layout.
    """
    handle = at.export()
    at.land(handle, FileSink(tmp_path / "a"), compression=compression, max_object_bytes=OBJECT_BYTES)
    expected = data_in(files(tmp_path / "a"))
    assert len(expected) == 4
    for name, workers, part_bytes, file_bytes in (("b", 1, 5 * 2**20, 3_001), ("c", 6, 7 * 2**20, 10**6)):
        at.fake.change(streams=StreamLayout(file_bytes=file_bytes, cut="anywhere"))
        at.fake.faults.add(BrokenFile(stream="RESULT", file_index=0, after_bytes=2_000))
        options: dict[str, Any] = {"max_object_bytes": OBJECT_BYTES, "workers": workers, "part_bytes": part_bytes}
        at.land(handle, FileSink(tmp_path / name), compression=compression, **options)
        assert data_in(files(tmp_path / name)) == expected


def test_an_export_of_one_object_ignores_the_limit(at: LandingClient, tmp_path: Path) -> None:
    """An export that fits into one object is the same whatever the limit."""
    handle = at.export()
    landed = at.land(handle, FileSink(tmp_path))
    before = files(tmp_path)
    for limit in (None, 2**20, 2**30):
        assert at.land(handle, FileSink(tmp_path), max_object_bytes=limit).manifest == landed.manifest
        assert files(tmp_path) == before
    assert landed.manifest.max_object_bytes is None


def test_an_explicit_key_is_never_split(at: LandingClient, store: Store) -> None:
    handle = at.export()
    manifest = at.land(handle, store.sink, key="all.ndjson.gz", max_object_bytes=OBJECT_BYTES).manifest
    assert unpacked(".gz", store.visible()["all.ndjson.gz"]).splitlines() == expected_rows(at, handle)
    assert (len(manifest.objects), manifest.max_object_bytes) == (1, None)


@in_every_compression
def test_error_rows_are_one_object_however_the_results_are_split(
    at: LandingClient, tmp_path: Path, compression: Any
) -> None:
    """G7: errors are data."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    options = {"compression": compression, "max_object_bytes": OBJECT_BYTES}
    landed = at.land(at.export(), FileSink(tmp_path), max_error_rows=4, **options)
    assert rows_in(files(tmp_path), "errors/") == [line.encode() for line in ERROR_LINES]
    assert (landed.manifest.state, landed.manifest.errors.rows, len(landed.manifest.objects)) == ("errors", 4, 4)


@in_every_compression
@pytest.mark.parametrize("on_empty", ["manifest_only", "write_empty", "skip_task"])
def test_an_export_without_rows_is_the_same_whatever_the_limit(
    at: LandingClient, tmp_path: Path, on_empty: Any, compression: Any
) -> None:
    options = {"on_empty": on_empty, "compression": compression, "max_object_bytes": OBJECT_BYTES}
    landed = at.land(at.export(project_id="clpempty"), FileSink(tmp_path), **options)
    seen = files(tmp_path)
    assert (landed.manifest.state, landed.skip) == ("empty", on_empty == "skip_task")
    assert [unpacked(name, content) for name, content in data_in(seen).items()] == [b""] * (on_empty == "write_empty")
    assert len([name for name in seen if "uris/" in name]) == (on_empty == "write_empty")


def test_an_object_without_kept_rows_is_left_out(tmp_path: Path) -> None:
    """An object whose rows were all trimmed is left out, and the other objects are exact."""
    second = datetime(2026, 11, 22, tzinfo=timezone.utc)
    margin, inside = second + timedelta(milliseconds=500), second + timedelta(milliseconds=1500)
    rows = [replace(row, last_activity_at=inside if n < 80 else margin) for n, row in enumerate(generate_rows(380))]
    window = FixedWindow(second + timedelta(seconds=1), second + timedelta(seconds=2))
    with FakeLabelbox(rows) as fake, landing_client(fake) as other:
        manifest = other.land(other.export(window=window), FileSink(tmp_path), max_object_bytes=OBJECT_BYTES).manifest
    assert manifest.result.rows_trimmed == 300
    assert sum(each.rows for each in manifest.objects) == len(rows_in(files(tmp_path))) == 80
    assert all(each.rows for each in manifest.objects)
    numbers = [each.uri.rsplit(".", 3)[1] for each in manifest.objects]
    assert len(numbers) < manifest.result.bytes / OBJECT_BYTES - 1, "no object is left out, so the case is not met"


def test_a_fault_in_the_last_object_publishes_none(at: LandingClient, store: Store) -> None:
    """G3: verified before visible."""
    handle = at.export()
    at.fake.faults.add(CorruptFile(file_index=11, position=30, times=None))
    with pytest.raises(IntegrityError):
        at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES)
    assert store.visible() == {}


# --- killed


STEPS = {"between two objects": 2, "after some objects": 4, "before the list": 5, "before the manifest": 6}
"""One step for the errors, four for the objects, one for the list."""


@pytest.mark.parametrize("when", STEPS)
def test_killed_while_publishing_a_retry_makes_it_whole(
    at: LandingClient, store: Store, when: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Killed while it publishes, a landing leaves no manifest that names less, and a retry makes it whole.

    G2, G8: whatever is killed and when; a retry writes the same names with the same bytes.
    """
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES, times=None))
    handle = at.export()
    options: dict[str, Any] = {"max_error_rows": 9, "max_object_bytes": OBJECT_BYTES}
    alone = tmp_path_factory.mktemp("alone")
    at.land(handle, FileSink(alone), **options)
    whole = data_in(files(alone))
    killed = KilledAt(store.sink, step=STEPS[when])
    with pytest.raises(Killed):
        at.land(handle, killed, workers=1, **options)
    seen = store.public()
    assert data_in(seen).items() <= whole.items()
    assert len(data_in(seen)) == min(STEPS[when] - 1, 4)
    assert [name for name in seen if "manifests/" in name] == []
    at.land(handle, store.sink, workers=4, part_bytes=7 * 2**20, **options)
    assert data_in(store.visible()) == whole
    assert len(manifest_in(store.visible()).objects) == 4


def test_the_next_try_aborts_uploads_of_a_killed_one(at: LandingClient, moto: str, new_bucket: Any) -> None:
    """The next try aborts all uploads that a killed one left open."""
    client, bucket = new_bucket(moto)
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(S3Sink(client, bucket), step=2), max_object_bytes=OBJECT_BYTES)
    assert len(open_uploads(client, bucket)) == 2
    at.land(handle, S3Sink(client, bucket), max_object_bytes=OBJECT_BYTES)
    assert open_uploads(client, bucket) == []


OTHER_OPTIONS: dict[str, dict[str, Any]] = {
    "fewer objects": {"max_object_bytes": 2 * OBJECT_BYTES},
    "more objects": {"max_object_bytes": OBJECT_BYTES},
    "one object": {"max_object_bytes": None},
    "another compression": {"max_object_bytes": OBJECT_BYTES, "compression": "zstd"},
}


@pytest.mark.parametrize("name", OTHER_OPTIONS)
def test_leftovers_with_other_options_are_removed(at: LandingClient, store: Store, name: str) -> None:
    """What a killed try with other options left is removed, so that no row is there twice."""
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "manifests/"), max_object_bytes=OBJECT_BYTES + 1000)
    manifest = at.land(handle, store.sink, **OTHER_OPTIONS[name]).manifest
    assert rows_in(store.visible()) == expected_rows(at, handle)
    assert sorted(data_in(store.visible())) == [
        each.uri.removeprefix(f"{store.uri_head}/") for each in manifest.objects
    ]


@pytest.mark.parametrize("name", [name for name in OTHER_OPTIONS if name != "more objects"])
def test_a_landed_export_is_not_landed_in_another_form(at: LandingClient, store: Store, name: str) -> None:
    """What a manifest names is not landed a second time in another form."""
    handle = at.export()
    at.land(handle, store.sink, max_object_bytes=OBJECT_BYTES)
    before = store.visible()
    at.fake.requests.clear()
    with pytest.raises(
        ConfigurationError, match=r"landed already with compression='gzip' and max_object_bytes=65536\."
    ) as caught:
        at.land(handle, store.sink, **OTHER_OPTIONS[name])
    assert "twice" in str(caught.value)
    assert store.visible() == before
    assert at.fake.requests.files == []


def test_an_object_that_is_no_longer_named_is_removed(at: LandingClient, tmp_path: Path) -> None:
    """An object that the new manifest no longer names is removed."""
    handle = at.export(project_id="clpempty")
    at.land(handle, FileSink(tmp_path), on_empty="write_empty")
    assert len(files(tmp_path)) == 3
    at.land(handle, FileSink(tmp_path), on_empty="manifest_only")
    assert [name.split("/")[1] for name in files(tmp_path)] == ["manifests"]
