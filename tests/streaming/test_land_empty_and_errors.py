"""What a landing makes of empty streams and of error rows."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files
from support.streaming.exports import ERROR_LINES, LandingClient, landing_client, rows_in
from support.streaming.landing import Store, expected_rows

from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import (
    IntegrityError,
    TooManyErrorRowsError,
)
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.faults import (
    ErrorRows,
    ErrorStatus,
    NullHeader,
)


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


def test_error_rows_within_the_threshold_land_beside_the_results(at: LandingClient, store: Store) -> None:
    """G7: errors are data."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    landed = at.land(handle, store.sink, max_error_rows=4)
    seen = store.visible()
    assert rows_in(seen, "errors/") == [line.encode() for line in ERROR_LINES]
    assert rows_in(seen) == expected_rows(at, handle)
    assert (landed.manifest.errors.rows, landed.manifest.state) == (4, "errors")
    assert landed.summary.errors == 4


def test_a_late_header_of_errors_is_not_an_empty_stream(at: LandingClient, store: Store) -> None:
    """A header of errors that is merely late is not treated as an empty error stream.

    Errors are data, also where their header comes late.
    """
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    at.fake.faults.add(NullHeader(stream="ERRORS"))
    with pytest.raises(TooManyErrorRowsError, match="4 error rows"):
        at.land(handle, store.sink)
    assert rows_in(store.visible()) == []


def test_error_rows_without_header_are_found(at: LandingClient, store: Store) -> None:
    """Error rows without any header are not treated as an empty error stream."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    at.fake.faults.add(NullHeader(stream="ERRORS", times=None))
    with pytest.raises(IntegrityError, match="ERRORS stream"):
        at.land(handle, store.sink)
    assert store.visible() == {}


@pytest.mark.parametrize("operation", ["exportMetadataHeader", "exportFileFromOffset"])
def test_a_temporary_failure_at_first_loses_no_error_row(at: LandingClient, store: Store, operation: Any) -> None:
    """A temporary failure of the first requests loses no error row."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    at.fake.faults.add(ErrorStatus(operation=operation, status=503, times=4))
    landed = at.land(handle, store.sink, max_error_rows=4)
    assert landed.manifest.errors.rows == 4
    assert rows_in(store.visible()) == expected_rows(at, handle)


def test_too_many_error_rows_land_only_the_errors(at: LandingClient, store: Store) -> None:
    """Errors are data.

    More error rows than allowed land the errors, but no result and no manifest.
    """
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    handle = at.export()
    with pytest.raises(TooManyErrorRowsError, match=r"4 error rows, more than max_error_rows=3") as caught:
        at.land(handle, store.sink, max_error_rows=3)
    seen = store.visible()
    (name,) = seen
    assert rows_in(seen, "errors/") == [line.encode() for line in ERROR_LINES]
    assert name in str(caught.value)
    assert not caught.value.retryable
    assert "too large" not in str(caught.value)
    assert [request for request in at.fake.requests.files if "RESULT" in request.path] == []
