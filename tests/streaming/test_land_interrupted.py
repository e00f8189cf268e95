"""Landings that are killed, overlap, fail midway or cannot begin."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files, open_uploads, s3_client
from support.streaming.exports import ERROR_LINES, LandingClient, manifest_in, rows_in
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.errors import (
    ConfigurationError,
    IntegrityError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.testing.faults import (
    CorruptFile,
    ErrorRows,
)

STEPS = ["errors/", "data/", "uris/", "manifests/"]


@pytest.mark.parametrize("step", STEPS)
def test_only_whole_objects_are_visible_at_every_step(at: LandingClient, store: Store, step: str) -> None:
    """Nothing partial is ever visible.

    Between any two steps only whole objects are visible, and no manifest names less.
    """
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
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
    assert progress.in_store.describe() == "nothing of this export"


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
