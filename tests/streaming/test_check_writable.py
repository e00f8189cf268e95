"""What each store finds out when it is asked whether a key can be written, beside what all of them promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.stores.servers import files, gcs_client, s3_client
from support.streaming.http import Reply, http_server

from labelbox_export_provider.errors import (
    ConfigurationError,
    StorageDeniedError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import strict_gcs


def make_directory(root: Path) -> None:
    (root / "night.gz").mkdir()


def make_nothing(root: Path) -> None:
    assert root.is_dir()


@pytest.mark.parametrize(
    ("before", "key", "word"),
    [
        (make_directory, "night.gz", "A directory stands where the file should go"),
        (make_nothing, f"new/{'n' * 253}.gz", "Choose a shorter path"),
        (make_nothing, f"{'n' * 256}/night.gz", "Choose a shorter path"),
    ],
    ids=["a directory", "a long name", "a long directory"],
)
def test_a_file_that_cannot_have_its_name_is_found(
    tmp_path: Path, before: Callable[[Path], None], key: str, word: str
) -> None:
    """Also below directories that are made only when it is written."""
    before(tmp_path)
    with pytest.raises(StorageError, match=word):
        FileSink(tmp_path).check_writable(key)
    assert files(tmp_path) == {}


def test_asking_makes_no_directory(tmp_path: Path) -> None:
    """The hidden file is put into the last directory that is there."""
    FileSink(tmp_path).check_writable("data/source=project/id=clp1/night.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_store_without_multipart_uploads_is_accepted(caplog: pytest.LogCaptureFixture) -> None:
    """A store without multipart uploads can still take small objects.

    It is logged, and no reason to stop.
    """
    body = b"<Error><Code>NotImplemented</Code><Message>m</Message></Error>"
    with http_server(lambda request: Reply(501, body, {"Content-Type": "text/xml"})) as address:
        S3Sink(s3_client(address, attempts=0), "lake").check_writable("data/rows.gz")
    assert "Only objects of one part" in caplog.text


def test_a_busy_store_is_worth_a_retry() -> None:
    """A store without an answer is an error, too."""
    body = b"<Error><Code>SlowDown</Code><Message>m</Message></Error>"
    busy = http_server(lambda request: Reply(503, body, {"Content-Type": "text/xml"}))
    with busy as address, pytest.raises(StorageUnavailableError):
        S3Sink(s3_client(address, attempts=0), "lake").check_writable("data/rows.gz")
    with pytest.raises(StorageUnavailableError):
        S3Sink(s3_client("http://127.0.0.1:9", attempts=0), "lake").check_writable("data/rows.gz")


def test_a_taken_name_in_gcs_is_no_missing_permission() -> None:
    """A multipart upload makes nothing at the name, so it needs no right to overwrite what is there."""
    with strict_gcs() as server:
        sink = GCSSink(gcs_client(server.address), "lake", retry_timeout=5)
        sink.put(NewObject("rows", "text/plain"), b"1")
        server.denied = frozenset({"storage.objects.delete", "storage.objects.get"})
        sink.check_writable("rows")
        assert server.open_uploads() == []


@pytest.mark.parametrize("permission", ["storage.multipartUploads.create", "storage.objects.create"])
def test_gcs_names_the_permission_that_large_objects_need(permission: str) -> None:
    """It fails before the export is started, not with the first object of several parts."""
    with strict_gcs() as server:
        server.denied = frozenset({permission})
        with pytest.raises(StorageDeniedError, match=r"needs storage\.multipartUploads\.create and storage\.objects"):
            GCSSink(gcs_client(server.address), "lake", retry_timeout=5).check_writable("rows")


def test_an_upload_that_gcs_does_not_abort_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """It is no reason not to land; the next try or a lifecycle rule removes it."""
    with strict_gcs() as server:
        server.denied = frozenset({"storage.multipartUploads.abort"})
        GCSSink(gcs_client(server.address), "lake", retry_timeout=5).check_writable("rows")
        assert (server.visible(), server.open_uploads()) == ({}, ["rows"])
    assert "needs storage.multipartUploads.abort" in caplog.text


@pytest.mark.parametrize(("status", "body"), [(501, b""), (405, b"{}"), (404, b"404 page not found")])
def test_an_emulator_without_multipart_uploads_is_accepted(
    caplog: pytest.LogCaptureFixture, status: int, body: bytes
) -> None:
    """It takes small objects, which is enough to try a DAG; the service itself never answers so."""
    with http_server(lambda request: Reply(status, body, {"Content-Type": "text/plain"})) as address:
        sink = GCSSink(gcs_client(address), "lake", retry_timeout=5)
        sink.check_writable("rows")
        assert sink.abort_open_uploads("rows") == 0
    assert "Only objects of one part" in caplog.text


def test_a_sink_refuses_what_is_no_bucket() -> None:
    """Also where no operator has checked the name before."""
    with pytest.raises(ConfigurationError, match="s3_bucket='My Bucket!'"):
        S3Sink(s3_client("http://127.0.0.1:9"), "My Bucket!")
    with pytest.raises(ConfigurationError, match="bucket_name='My Bucket!'"):
        GCSSink(gcs_client("http://127.0.0.1:9"), "My Bucket!")
