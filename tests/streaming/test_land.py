"""An export is landed whole and verified, in an order in which nothing can be half there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import google_crc32c
import pytest
from support.stores.servers import files
from support.streaming.exports import LandingClient, manifest_in, rows_in
from support.streaming.landing import Store, expected_rows
from support.streaming.stops import until_none

from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import (
    ExportNotReadyError,
    IntegrityError,
    UnreachableError,
)
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.pipeline.compression import METHODS
from labelbox_export_provider.testing import StreamLayout
from labelbox_export_provider.testing.faults import (
    BrokenFile,
    CorruptFile,
    ExpiredFile,
    Fault,
    LongerFile,
    RefusedFile,
    TruncatedFile,
    WrongRanges,
    WrongTotals,
)


def test_every_row_is_landed_once_and_the_manifest_says_so(at: LandingClient, store: Store) -> None:
    handle = at.export()
    landed = at.land(handle, store.sink)
    seen = store.visible()
    assert rows_in(seen) == expected_rows(at, handle)
    manifest = manifest_in(seen)
    assert manifest == landed.manifest
    assert (manifest.state, manifest.result.rows, manifest.errors.rows) == ("ok", 150, 0)
    (name,) = [name for name in seen if "data/" in name]
    (entry,) = manifest.objects
    assert entry.uri == f"{store.uri_head}/{name}"
    assert (entry.rows, entry.bytes, entry.crc32c) == (150, len(seen[name]), f"{google_crc32c.value(seen[name]):08x}")
    content = b"".join(row + b"\n" for row in expected_rows(at, handle))
    assert entry.source_bytes == manifest.result.bytes == len(content)
    assert manifest.result.crc32c == f"{google_crc32c.value(content):08x}"
    assert manifest.result.max_row_bytes == max(map(len, expected_rows(at, handle))) + 1
    (uris,) = [seen[name] for name in seen if "uris/" in name]
    assert uris.decode() == f"{entry.uri}\n"
    assert len(seen) == 3


def test_the_return_value_names_manifest_and_uris_and_is_small(at: LandingClient, tmp_path: Path) -> None:
    landed = at.land(at.export(), FileSink(tmp_path))
    summary = landed.summary
    assert summary.manifest_uri.endswith(".ok.json")
    assert (summary.rows, summary.errors, summary.state) == (150, 0, "ok")
    assert len(summary.model_dump_json()) < 4096


def test_no_byte_moves_before_the_export_is_known_to_have_ended(at: LandingClient, tmp_path: Path) -> None:
    """The totals are asked for meanwhile, so that one round trip serves all first questions."""

    def ended(client: LabelboxClient) -> NoReturn:
        del client
        assert until_none(lambda: not at.fake.requests.asking("exportMetadataHeader"), 10) is False
        raise ExportNotReadyError("It still runs.")

    handle = at.export()
    with pytest.raises(ExportNotReadyError, match="It still runs"):
        at.land(handle, FileSink(tmp_path), ended=ended)
    assert at.fake.requests.files == []
    assert files(tmp_path) == {}


def test_the_manifest_records_when_the_export_ended(at: LandingClient, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 23, 2, 7, tzinfo=timezone.utc)
    assert at.land(at.export(), FileSink(tmp_path), ended=lambda _: moment).manifest.exported_at == moment


@pytest.mark.parametrize("cut", ["line", "anywhere", "character"])
@pytest.mark.parametrize("last_newline", [True, False])
def test_rows_are_exact_however_the_files_are_cut(
    at: LandingClient, tmp_path: Path, cut: Any, last_newline: bool
) -> None:
    at.fake.change(streams=StreamLayout(file_bytes=3001, cut=cut, last_newline=last_newline))
    handle = at.export()
    at.land(handle, FileSink(tmp_path), compression=None)
    (content,) = [data for name, data in files(tmp_path).items() if "data/" in name]
    assert content == b"\n".join(expected_rows(at, handle)) + (b"\n" if last_newline else b"")


def test_rows_stay_apart_where_files_end_without_newline(at: LandingClient, tmp_path: Path) -> None:
    at.fake.change(streams=StreamLayout(file_bytes=9000, newline_between_files=False))
    handle = at.export()
    at.land(handle, FileSink(tmp_path))
    assert rows_in(files(tmp_path)) == expected_rows(at, handle)


def test_a_window_lands_its_rows_and_counts_what_it_dropped(at: LandingClient, tmp_path: Path) -> None:
    """A window lands exactly the rows that were last modified in it, and counts those that it dropped.

    G4: a row that is not modified again lands in exactly one window.
    """
    days = [
        "2024-05-05",
        "2024-05-06",
        "2024-05-07",
        "2024-05-08",
        "2024-05-09",
        "2024-05-10",
        "2024-05-11",
        "2024-05-12",
    ]
    trimmed = 0
    for start, end in pairwise(days):
        window = FixedWindow(f"{start}T00:00:00Z", f"{end}T00:00:00Z")
        trimmed += at.land(at.export(window=window), FileSink(tmp_path)).manifest.result.rows_trimmed
    expected = at.fake.rows_for(params={"includeDataRowDetails": True})
    assert sorted(rows_in(files(tmp_path))) == sorted(expected)
    assert trimmed > 10


@pytest.mark.parametrize(
    "switches",
    [
        {"file_ranges": False},
        {"file_content_length": False},
        {"file_hash": False},
        {"file_ranges": False, "file_content_length": False, "uint64_as_text": False},
        {"empty_header": "zero"},
        {"empty_header": "null_members"},
    ],
    ids=str,
)
def test_unverified_forms_of_the_service_do_not_matter(
    at: LandingClient, tmp_path: Path, switches: dict[str, Any]
) -> None:
    """Forms of Labelbox's answers that are not verified do not matter."""
    before = at.fake.behaviour
    at.fake.change(**switches)
    try:
        handle, empty = at.export(), at.export(project_id="clpempty")
        at.fake.faults.add(BrokenFile(stream="RESULT", file_index=1, after_bytes=9_000))
        at.land(handle, FileSink(tmp_path))
        assert at.land(empty, FileSink(tmp_path)).manifest.state == "empty"
    finally:
        at.fake.change(**{name: getattr(before, name) for name in switches})
    assert rows_in(files(tmp_path)) == expected_rows(at, handle)


TEMPORARY: dict[str, list[Fault]] = {
    "a file broken off": [BrokenFile(stream="RESULT", file_index=1, after_bytes=9_000)],
    "a URL that has expired": [ExpiredFile(stream="RESULT", file_index=0), RefusedFile(status=404)],
    "a server that is down for a moment": [RefusedFile(status=503, times=2)],
}


@pytest.mark.parametrize("name", TEMPORARY)
def test_temporary_failures_do_not_change_the_bytes(at: LandingClient, tmp_path: Path, name: str) -> None:
    """G8: same export, same bytes."""
    handle = at.export()
    at.land(handle, FileSink(tmp_path / "sound"))
    at.fake.faults.add(*TEMPORARY[name])
    at.land(handle, FileSink(tmp_path / "spoilt"))
    assert at.fake.faults.pending == []
    assert files(tmp_path / "sound") == {
        name: data.replace(b"/spoilt/", b"/sound/") for name, data in files(tmp_path / "spoilt").items()
    }


WRONG: dict[str, tuple[list[Any], str]] = {
    "shorter": ([TruncatedFile(file_index=1, keep=100, times=None)], r"100 bytes|ended after 100 bytes"),
    "longer": ([LongerFile(file_index=0, times=None)], r"bytes at its host, \d+ were announced"),
    "of other bytes": ([CorruptFile(file_index=1, position=30, times=None)], r"CRC32C \w+, its host announced \w+"),
    "refused for good": ([RefusedFile(status=403, times=None)], r"HTTP 403"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_publishes_nothing_and_the_next_try_does(at: LandingClient, store: Store, name: str) -> None:
    """Verified before visible."""
    wrong, message = WRONG[name]
    handle = at.export()
    at.fake.faults.add(*wrong)
    with pytest.raises((IntegrityError, UnreachableError), match=message) as caught:
        at.land(handle, store.sink)
    assert caught.value.retryable
    assert store.visible() == {}
    at.fake.faults.clear()
    at.land(handle, store.sink)
    assert rows_in(store.visible()) == expected_rows(at, handle)


def test_rows_that_a_compressor_changed_are_not_published(
    at: LandingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G3: with `verify_compression` a fault of the compressor publishes nothing, and the next try lands."""
    handle = at.export()
    compressor = METHODS["gzip"].new_compressor()
    other = compressor.compress(b"other rows\n") + compressor.flush()
    monkeypatch.setitem(METHODS, "gzip", replace(METHODS["gzip"], new_compressor=lambda: Fixed(other)))
    with pytest.raises(IntegrityError, match="do not unpack to the rows"):
        at.land(handle, FileSink(tmp_path), verify_compression=True)
    assert files(tmp_path) == {}
    monkeypatch.undo()
    at.land(handle, FileSink(tmp_path), verify_compression=True)
    assert rows_in(files(tmp_path)) == expected_rows(at, handle)


class Fixed:
    """A compressor that returns a sound member of other rows."""

    def __init__(self, member: bytes) -> None:
        self._member = member

    def compress(self, data: memoryview) -> bytes:
        del data
        return b""

    def flush(self) -> bytes:
        return self._member


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (WrongTotals(lines_by=1), "150 rows; 151 were announced"),
        (WrongTotals(lines_by=-1), "150 rows; 149 were announced"),
        (WrongTotals(bytes_by=1), "no file there"),
        (WrongTotals(bytes_by=-1), "beyond the announced total"),
        (WrongRanges(file_index=1, offsets_by=-1), r"\d+"),
        (WrongRanges(file_index=1, lines_by=1), "rows of its own"),
    ],
)
def test_totals_and_ranges_that_disagree_publish_nothing(
    at: LandingClient, tmp_path: Path, wrong: Any, message: str
) -> None:
    """G3: bytes and rows match the server's own totals, file by file and in all."""
    at.fake.faults.add(wrong)
    handle = at.export()
    with pytest.raises(IntegrityError, match=message):
        at.land(handle, FileSink(tmp_path))
    assert files(tmp_path) == {}
