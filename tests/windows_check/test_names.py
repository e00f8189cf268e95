"""Names of objects are read back as the exports that they were made for, and no other name is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handles import handle_json
from support.window_names import FIRST, PREFIX, handle, name_of, source

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names, source_id
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import ListedObject
from labelbox_export_provider.windows_check.names import SOURCE_KINDS, SourceKey, read_names

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
END = FIRST + timedelta(days=1)


@given(
    kind=st.sampled_from(SOURCE_KINDS),
    name=st.text(min_size=1, max_size=20, alphabet=st.characters(codec="utf-8", exclude_categories=["C"])),
    start=st.integers(0, 250 * 366 * 86400 * 1000).map(lambda millis: EPOCH + timedelta(milliseconds=millis)),
    length=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
    state=st.sampled_from(["ok", "empty", "errors", "rejected"]),
)
def test_every_name_is_read_back(kind: str, name: str, start: datetime, length: timedelta | None, state: str) -> None:
    """Any source, window and state: what the product writes is what the check reads."""
    export = handle(SourceKey(kind, name), start, None if length is None else start + length)
    listed = name_of(SourceKey(kind, name), start, None if length is None else start + length, state)
    [found] = read_names([listed], PREFIX).exports
    assert found.source == SourceKey(kind, source_id(export))
    expected_start = export.started_at if export.window is None else export.window.start
    assert (found.start, found.end) == (expected_start, None if export.window is None else export.window.end)
    assert found.state == state
    assert SourceKey.parse(str(found.source)) == found.source


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_error_rows_of_every_compression(compression: str | None) -> None:
    names = layout_names(ExportHandle.model_validate(handle_json()), PREFIX, compression)  # type: ignore[arg-type]
    [found] = read_names([ListedObject(names.errors, 1)], PREFIX).exports
    assert found.state == "rejected"


def test_error_rows_beside_a_manifest_are_no_rejection() -> None:
    """Some error rows are allowed: the manifest of the same export decides."""
    listed = [name_of(source(), FIRST, END, "rejected"), name_of(source(), FIRST, END, "errors")]
    assert [each.state for each in read_names(listed, PREFIX).exports] == ["errors"]


def test_error_rows_of_another_generation_stay() -> None:
    listed = [name_of(source(), FIRST, END, "rejected", export_id="clx2"), name_of(source(), FIRST, END)]
    assert [each.state for each in read_names(listed, PREFIX).exports] == ["ok", "rejected"]


STRANGE = [
    "labels/manifests/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json.tmp",
    "labels/manifests/source=planet/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/source=project/id=clp1/20261322T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/source=project/id=clp1/20261122T020000Z_20261122T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.fine.json",
    "labels/manifests/source=project/id=clp1/x/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/source=project/id=/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/_SUCCESS",
    "labels/errors/source=project/id=clp1/dt=2026-11-23/20261122T020000Z_20261123T020000Z.g7f3a9c12.ndjson.gz",
    "labels/errors/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.ndjson.gz",
    "labels2/manifests/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "labels/manifests/source=project/id=clp1/\u0662\u0660261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json",
    "",
]


def test_names_that_are_not_ours_are_counted() -> None:
    names = read_names([ListedObject(key, 1) for key in STRANGE], PREFIX)
    assert names.exports == ()
    assert names.ignored == len(STRANGE)


@given(st.lists(st.text(max_size=80)))
def test_no_name_fails(keys: list[str]) -> None:
    assert read_names([ListedObject(f"labels/manifests/{key}", 1) for key in keys], PREFIX).ignored == len(keys)


@pytest.mark.parametrize("text", ["clp1", "planet:clp1", "project:", "", "project:a/b"])
def test_a_source_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"project:clp1; the kinds are project, dataset"):
        SourceKey.parse(text)
