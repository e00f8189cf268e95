"""An export is landed whole and verified, in an order in which nothing can be half there."""

from __future__ import annotations

import errno
import gzip
import json
import os
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from support.stores.servers import files, open_uploads, s3_client
from support.streaming.exports import LandingClient, landing_client, manifest_in, rows_in, without_versions
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import (
    ConfigurationError,
    IntegrityError,
    ObjectExistsError,
    StorageError,
    StorageUnavailableError,
    TooManyErrorRowsError,
    UnreachableError,
)
from labelbox_export_provider.sinks.base import NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.testing import FakeLabelbox, StreamLayout, generate_rows
from labelbox_export_provider.testing.faults import (
    BrokenFile,
    CorruptFile,
    ErrorRows,
    ErrorStatus,
    ExpiredFile,
    Fault,
    LongerFile,
    NullHeader,
    RefusedFile,
    TruncatedFile,
    WrongRanges,
    WrongTotals,
)

FILE_BYTES = 20_000


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with FakeLabelbox(generate_rows(150), projects={"clpempty": "Empty"}) as fake, landing_client(fake) as it:
        yield it


@pytest.fixture
def at(shared_client: LandingClient) -> LandingClient:
    shared_client.fake.faults.clear()
    shared_client.fake.requests.clear()
    shared_client.fake.change(streams=StreamLayout(file_bytes=FILE_BYTES))
    shared_client.waits.clear()
    return shared_client


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

    G4: a row at rest lands in exactly one window.
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


# --- faults on the way


TEMPORARY: dict[str, list[Fault]] = {
    "a file broken off": [BrokenFile(stream="RESULT", file_index=1, after_bytes=9_000)],
    "a URL that has expired": [ExpiredFile(stream="RESULT", file_index=0), RefusedFile(status=404)],
    "a server that is down for a moment": [RefusedFile(status=503, times=2)],
}


@pytest.mark.parametrize("name", TEMPORARY)
def test_what_passes_is_healed_and_gives_the_same_bytes(at: LandingClient, tmp_path: Path, name: str) -> None:
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


# --- empty


def test_an_empty_export_leaves_a_manifest_alone(at: LandingClient, store: Store) -> None:
    landed = at.land(at.export(project_id="clpempty"), store.sink)
    (name,) = store.visible()
    assert name.endswith(".empty.json")
    assert (landed.manifest.objects, landed.manifest.uris, landed.skip) == ((), None, False)
    assert landed.summary.state == "empty"


def test_write_empty_makes_an_object_that_readers_accept(at: LandingClient, tmp_path: Path) -> None:
    """With `write_empty` an empty export lands an object without rows that readers accept."""
    landed = at.land(at.export(project_id="clpempty"), FileSink(tmp_path), on_empty="write_empty")
    (entry,) = landed.manifest.objects
    (content,) = [data for name, data in files(tmp_path).items() if "data/" in name]
    assert gzip.decompress(content) == b""
    assert (entry.rows, entry.source_bytes, entry.bytes) == (0, 0, len(content))


def test_skip_task_leaves_a_manifest(at: LandingClient, tmp_path: Path) -> None:
    """With `skip_task` an empty export leaves a manifest and skips the task."""
    landed = at.land(at.export(project_id="clpempty"), FileSink(tmp_path), on_empty="skip_task")
    assert landed.skip
    assert [name.endswith(".empty.json") for name in files(tmp_path)] == [True]


def test_a_late_header_is_not_an_empty_export(at: LandingClient, tmp_path: Path) -> None:
    """A header that is merely late is not treated as an empty export."""
    handle = at.export()
    at.fake.faults.add(NullHeader(stream="RESULT"))
    at.land(handle, FileSink(tmp_path))
    assert rows_in(files(tmp_path)) == expected_rows(at, handle)
    assert at.waits


def test_an_export_whose_rows_were_all_trimmed_is_empty(at: LandingClient, tmp_path: Path) -> None:
    """The only rows that the query finds lie in the margins."""
    rows = [row for row in generate_rows(60) if row.last_activity_at is not None]
    edge = next(row.last_activity_at for row in rows if row.last_activity_at and row.last_activity_at.microsecond)
    assert edge is not None
    with FakeLabelbox([row for row in rows if row.last_activity_at == edge]) as fake, landing_client(fake) as other:
        second = edge.replace(microsecond=0)
        from datetime import timedelta

        window = FixedWindow(second + timedelta(seconds=1), second + timedelta(seconds=2))
        landed = other.land(other.export(window=window), FileSink(tmp_path))
    assert landed.manifest.result.rows_trimmed == landed.manifest.result.rows > 0
    assert landed.manifest.state == "empty"
    assert landed.manifest.objects == ()


# --- errors are data


LINES = tuple(json.dumps({"error": "too large", "data_row": number}) for number in range(4))


def test_error_rows_within_the_threshold_land_beside_the_results(at: LandingClient, store: Store) -> None:
    """G7: errors are data."""
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    landed = at.land(handle, store.sink, max_error_rows=4)
    seen = store.visible()
    assert rows_in(seen, "errors/") == [line.encode() for line in LINES]
    assert rows_in(seen) == expected_rows(at, handle)
    assert (landed.manifest.errors.rows, landed.manifest.state) == (4, "errors")
    assert landed.summary.errors == 4


def test_a_late_header_of_errors_is_not_an_empty_stream(at: LandingClient, store: Store) -> None:
    """A header of errors that is merely late is not treated as an empty error stream.

    Errors are data, also where their header comes late.
    """
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    at.fake.faults.add(NullHeader(stream="ERRORS"))
    with pytest.raises(TooManyErrorRowsError, match="4 error rows"):
        at.land(handle, store.sink)
    assert rows_in(store.visible()) == []


def test_error_rows_without_header_are_found(at: LandingClient, store: Store) -> None:
    """Error rows without any header are not treated as an empty error stream."""
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    at.fake.faults.add(NullHeader(stream="ERRORS", times=None))
    with pytest.raises(IntegrityError, match="ERRORS stream"):
        at.land(handle, store.sink)
    assert store.visible() == {}


@pytest.mark.parametrize("operation", ["exportMetadataHeader", "exportFileFromOffset"])
def test_a_temporary_failure_at_first_loses_no_error_row(at: LandingClient, store: Store, operation: Any) -> None:
    """A temporary failure of the first requests loses no error row."""
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    at.fake.faults.add(ErrorStatus(operation=operation, status=503, times=4))
    landed = at.land(handle, store.sink, max_error_rows=4)
    assert landed.manifest.errors.rows == 4
    assert rows_in(store.visible()) == expected_rows(at, handle)


def test_too_many_error_rows_land_only_the_errors(at: LandingClient, store: Store) -> None:
    """More error rows than allowed land the errors, but no result and no manifest.

    Errors are data.
    """
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    with pytest.raises(TooManyErrorRowsError, match=r"4 error rows, more than max_error_rows=3") as caught:
        at.land(handle, store.sink, max_error_rows=3)
    seen = store.visible()
    (name,) = seen
    assert rows_in(seen, "errors/") == [line.encode() for line in LINES]
    assert name in str(caught.value)
    assert not caught.value.retryable
    assert "too large" not in str(caught.value)
    assert [request for request in at.fake.requests.files if "RESULT" in request.path] == []


# --- generations and explicit keys


def test_a_retry_rewrites_and_another_export_adds(at: LandingClient, store: Store) -> None:
    """A retry rewrites the same names with the same bytes, and another export adds a generation.

    Re-running never removes a row from the lake.
    """
    first = at.export()
    at.land(first, store.sink)
    before = store.visible()
    at.land(first, store.sink, workers=1, part_bytes=6 * 1024**2)
    assert without_versions(store.visible()) == without_versions(before)
    before = store.visible()
    at.land(at.export(), store.sink)
    assert len(store.visible()) == 2 * len(before)
    assert before.items() <= store.visible().items()


def test_an_explicit_key_has_manifest_and_errors_beside_it(at: LandingClient, store: Store) -> None:
    """An explicit key holds one object, with manifest and errors beside it."""
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    landed = at.land(handle, store.sink, key="here/{source_id}.ndjson.gz", max_error_rows=9)
    seen = store.visible()
    key = f"here/{handle.source.id}.ndjson.gz"
    assert gzip.decompress(seen[key]).splitlines() == expected_rows(at, handle)
    assert sorted(name.split("/")[1] for name in seen) == ["_errors", "_manifests", key.split("/")[1]]
    assert landed.manifest.uris is None


def test_an_explicit_key_of_this_export_counts_as_done(at: LandingClient, store: Store) -> None:
    """An explicit key at which this export was landed counts as done."""
    handle = at.export()
    first = at.land(handle, store.sink, key="rows.gz")
    at.fake.requests.clear()
    again = at.land(handle, store.sink, key="rows.gz")
    assert (first.moved, again.moved) == (True, False)
    assert again.summary == first.summary
    assert at.fake.requests.files == []


@pytest.mark.parametrize("owner", ["another export", "somebody else"])
def test_an_explicit_key_that_is_taken_is_refused(
    at: LandingClient, store: Store, owner: str, request: pytest.FixtureRequest
) -> None:
    """An explicit key at which something else is, is refused before bytes move."""
    if owner == "another export":
        at.land(at.export(), store.sink, key="rows.gz")
    else:
        store.sink.put(NewObject("rows.gz", "text/plain"), b"theirs")
    before = store.visible()
    at.fake.requests.clear()
    handle = at.export()
    with pytest.raises(ObjectExistsError, match=r"An object .* is at this key.*replace=True.*rows\.gz") as caught:
        at.land(handle, store.sink, key="rows.gz")
    assert not caught.value.retryable
    assert store.visible() == before
    assert at.fake.requests.files == []
    at.land(handle, store.sink, key="rows.gz", replace=True)
    assert gzip.decompress(store.visible()["rows.gz"]).splitlines() == expected_rows(at, handle)


def test_an_explicit_key_without_manifest_is_landed_again(at: LandingClient, store: Store) -> None:
    """An explicit key whose manifest was lost is landed again with the same bytes.

    A try that is killed between the data and the manifest must not lock its own retry out.
    """
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(store.sink, "_manifests/"), key="rows.gz")
    before = store.public()
    assert list(before) == ["rows.gz"]
    at.land(handle, store.sink, key="rows.gz")
    assert store.visible()["rows.gz"] == before["rows.gz"]
    assert len(store.visible()) == 2


def test_an_explicit_key_with_other_options_is_refused(at: LandingClient, store: Store) -> None:
    """An explicit key of this export with other options is refused."""
    handle = at.export()
    at.land(handle, store.sink, key="rows", compression="gzip")
    with pytest.raises(ObjectExistsError, match="with other options"):
        at.land(handle, store.sink, key="rows", compression=None)


def test_without_file_attributes_the_bytes_decide(
    at: LandingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without extended attributes the bytes themselves decide."""

    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)
    sink = FileSink(tmp_path)
    handle = at.export()
    with pytest.raises(Killed):
        at.land(handle, KilledAt(sink, "_manifests/"), key="rows.gz")
    at.land(handle, sink, key="rows.gz")
    assert not at.land(handle, sink, key="rows.gz").moved
    before = files(tmp_path)
    with pytest.raises(ObjectExistsError, match="replace=True"):
        at.land(at.export(window=FixedWindow("2024-05-07T00:00:00Z", "2024-05-08T00:00:00Z")), sink, key="rows.gz")
    assert files(tmp_path) == before


# --- whatever is killed and when


STEPS = ["errors/", "data/", "uris/", "manifests/"]


@pytest.mark.parametrize("step", STEPS)
def test_only_whole_objects_are_visible_at_every_step(at: LandingClient, store: Store, step: str) -> None:
    """Between any two steps only whole objects are visible, and no manifest names less.

    Nothing partial is ever visible.
    """
    at.fake.faults.add(ErrorRows(lines=LINES))
    handle = at.export()
    killed = KilledAt(store.sink, step)
    with pytest.raises(Killed):
        at.land(handle, killed, max_error_rows=9)
    done = STEPS[: STEPS.index(step)]
    seen = store.public()
    assert sorted(name.split("/")[1] + "/" for name in seen) == sorted(done)
    if "data/" in done:
        assert rows_in(seen) == expected_rows(at, handle)
    at.land(handle, store.sink, max_error_rows=9)
    assert rows_in(store.visible()) == expected_rows(at, handle)
    assert manifest_in(store.visible()).objects[0].rows == 150


def test_two_tries_at_once_leave_one_whole_generation(at: LandingClient, tmp_path: Path) -> None:
    """A zombie of an earlier try may still run: it is fenced or it writes the very same bytes."""
    handle = at.export()
    at.land(handle, FileSink(tmp_path / "alone"))
    ended: list[BaseException | None] = []

    def land() -> None:
        try:
            at.land(handle, FileSink(tmp_path / "both"))
            ended.append(None)
        except StorageError as error:
            ended.append(error)

    threads = [threading.Thread(target=land) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None in ended
    assert {name: data.replace(b"/both/", b"/alone/") for name, data in files(tmp_path / "both").items()} == files(
        tmp_path / "alone"
    )


def test_a_failure_report_has_what_was_moved(at: LandingClient, tmp_path: Path) -> None:
    """The report of a failure has what was moved and what is in the store.

    G11: every terminal error can be acted on at 3 a.m.
    """
    from support.streaming.exports import VERSIONS

    from labelbox_export_provider.domain.records.object_names import layout_names
    from labelbox_export_provider.streaming.landing.land import LandingProgress, land_export

    handle = at.export()
    at.fake.faults.add(CorruptFile(file_index=1, position=30, times=None))
    progress = LandingProgress()
    with pytest.raises(IntegrityError, match=handle.export_id):
        land_export(
            client=at.client,
            handle=handle,
            names=layout_names(handle, "", "gzip"),
            sink=FileSink(tmp_path),
            versions=VERSIONS,
            progress=progress,
        )
    moved = progress.describe()
    assert moved is not None
    assert "of 150 rows read" in moved
    assert progress.in_store == "nothing of this export"


def test_a_missing_bucket_fails_before_any_request(at: LandingClient, moto: str) -> None:
    """A missing bucket fails the landing before any request to Labelbox."""
    handle = at.export()
    at.fake.requests.clear()
    with pytest.raises(StorageError, match="no bucket 'nowhere'"):
        at.land(handle, S3Sink(s3_client(moto), "nowhere"))
    assert at.fake.requests.files == []


def test_no_upload_stays_open_after_a_failure_or_a_success(at: LandingClient, moto: str, new_bucket: Any) -> None:
    client, bucket = new_bucket(moto)
    handle = at.export()
    at.fake.faults.add(CorruptFile(file_index=1, position=30, times=1))
    with pytest.raises(IntegrityError):
        at.land(handle, S3Sink(client, bucket))
    at.land(handle, S3Sink(client, bucket))
    assert open_uploads(client, bucket) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "bz2"}, r"compression='bz2': must be one of None, 'gzip', 'zstd'"),
        ({"rerun": "overwrite"}, r"rerun='overwrite': must be one of 'add', 'replace', 'refuse'"),
        ({"max_object_bytes": 0}, r"max_object_bytes=0: must be None \(never split\) or a whole number"),
        ({"max_object_bytes": "1 GiB"}, r"max_object_bytes='1 GiB': must be"),
        ({"on_empty": "fail"}, r"on_empty='fail': must be one of 'manifest_only', 'write_empty', 'skip_task'"),
        ({"max_error_rows": -1}, "max_error_rows=-1"),
        ({"max_memory": 1000}, "max_memory=1000"),
        ({"replace": "yes"}, "replace='yes'"),
    ],
)
def test_an_impossible_option_is_refused_with_its_values(options: Any, message: str) -> None:
    """An option that can never work is refused with the values that it must have.

    G10: a bad setting fails at parse time.
    """
    with pytest.raises(ConfigurationError, match=message):
        LandingOptions(**options)


def test_a_store_that_fails_midway_is_retryable(at: LandingClient, tmp_path: Path) -> None:
    """A store that fails in the middle is worth a retry, and nothing is visible."""

    class Full(KilledAt):
        def _pass(self, key: str) -> None:
            raise StorageUnavailableError("the store is busy")

    with pytest.raises(StorageUnavailableError):
        at.land(at.export(), Full(FileSink(tmp_path), ""))
    assert files(tmp_path) == {}


def test_keys_and_signatures_are_in_no_object(at: LandingClient, store: Store) -> None:
    """G6: the API key goes to the GraphQL endpoint and nowhere else."""
    at.land(at.export(), store.sink)
    for content in store.visible().values():
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        assert at.fake.api_key.encode() not in plain
        assert at.fake.file_base_url.encode() not in plain
    assert not any(request.had_authorization or request.had_cookie for request in at.fake.requests.files)
