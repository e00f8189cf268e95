"""The manifest and its short form, as they are documented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from support.handles import WINDOW, handle_json

from labelbox_export_provider.domain.records.manifest import LandedSummary, Manifest
from labelbox_export_provider.streaming.landing.options import LandedExport

HANDLE = json.dumps(handle_json())
RESULT = {
    "rows": 4112,
    "bytes": 1700000000,
    "rows_trimmed": 3,
    "rows_after_end": 2,
    "rows_before_start": 0,
    "rows_unknown": 0,
    "max_row_bytes": 81231,
    "crc32c": "c9946596",
}
OBJECT = {
    "uri": "s3://lake/labels/data/x.00000.ndjson.gz",
    "rows": 4109,
    "bytes": 312000000,
    "source_bytes": 1699990000,
    "crc32c": "00000000",
    "etag": "abc-19",
    "version_id": None,
}
DOCUMENTED = f"""
{{"v": 1, "state": "ok", "generation": "g7f3a9c12", "export": {HANDLE},
 "query": {{"filters": {{"projectId": "clp1"}}, "params": {{"includeDataRowDetails": true}}}},
 "result": {json.dumps(RESULT)},
 "errors": {{"rows": 0, "bytes": 0, "uri": null}},
 "objects": [{json.dumps(OBJECT)}],
 "uris": "s3://lake/labels/uris/x.txt", "compression": "gzip", "max_object_bytes": null, "rerun": "add",
 "replaces": ["g11d54ba9"],
 "started_at": "2026-11-23T02:05:00Z",
 "exported_at": "2026-11-23T02:07:00.120000Z", "landed_at": "2026-11-23T02:09:00Z",
 "versions": {{"provider": "0.1.0", "airflow": "3.3.0"}}}}
"""


def test_documented_manifest_round_trips() -> None:
    """The documented manifest is read and written back unchanged."""
    documented = json.loads(DOCUMENTED)
    assert Manifest.model_validate(documented).model_dump(mode="json") == documented


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "empty", "objects": [], "uris": None, "result": {**RESULT, "rows_trimmed": 4112}},
        {"state": "errors", "errors": {"rows": 2, "bytes": 90, "uri": "s3://lake/errors/x"}},
        {"compression": None},
        {"compression": "zstd"},
        {"exported_at": None},
        {"versions": {"provider": "0.1.0", "airflow": None}},
    ],
)
def test_other_states_are_written_back_unchanged(changes: dict[str, Any]) -> None:
    changed = {**json.loads(DOCUMENTED), **changes}
    assert Manifest.model_validate_json(json.dumps(changed)).model_dump(mode="json") == changed


def test_members_of_a_newer_version_are_ignored() -> None:
    """A record of the same version with more members is read as far as it is known."""
    documented = json.loads(DOCUMENTED)
    newer = {**documented, "note": "new", "result": {**documented["result"], "note": "new"}}
    assert Manifest.model_validate(newer) == Manifest.model_validate(documented)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"state": "partial"},
        {"compression": "lz4"},
        {"landed_at": None},
        {"result": None},
    ],
)
def test_what_is_no_manifest_of_this_version_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate({**json.loads(DOCUMENTED), **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objects": [{**OBJECT, "rows": 4108}]}, "objects hold 4108 rows and 3 were trimmed, but the stream had 4112"),
        ({"objects": [OBJECT, OBJECT]}, "objects hold 8218 rows"),
        ({"objects": []}, "objects hold 0 rows"),
        ({"objects": [{**OBJECT, "source_bytes": 1800000000}]}, "objects hold 1800000000 bytes of the source"),
        ({"result": {**RESULT, "rows": 4109, "rows_trimmed": 0}}, "objects hold 1699990000 bytes of the source"),
        ({"state": "empty"}, "state is 'empty', but the counts make it 'ok'"),
        ({"errors": {"rows": 2, "bytes": 90, "uri": "s3://lake/errors/x"}}, "but the counts make it 'errors'"),
    ],
)
def test_counts_that_do_not_add_up_are_no_manifest(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Manifest.model_validate({**json.loads(DOCUMENTED), **changes})


def test_summary_has_the_same_size_for_many_objects() -> None:
    """The summary of ten thousand objects is as small as that of one."""
    rows, size = 10_000, 10_000 * 1000
    objects = [{**OBJECT, "uri": f"s3://lake/data/x.{n:05d}", "rows": 1, "source_bytes": 1000} for n in range(rows)]
    result = {**RESULT, "rows": rows, "bytes": size, "rows_trimmed": 0}
    manifest = Manifest.model_validate({**json.loads(DOCUMENTED), "objects": objects, "result": result})
    summary = LandedExport(manifest, "s3://lake/labels/manifests/x.ok.json").summary
    assert summary.rows == rows
    assert len(json.dumps(summary.model_dump(mode="json"))) < 1024


SUMMARY = {
    "v": 1,
    "manifest_uri": "s3://lake/labels/manifests/x.ok.json",
    "uris_uri": "s3://lake/labels/uris/x.txt",
    "rows": 4109,
    "errors": 0,
    "state": "ok",
    "window": WINDOW,
    "source": {"kind": "project", "id": "clp1"},
    "export_id": "clx1",
}


def test_the_summary_has_the_documented_members() -> None:
    assert LandedSummary.model_validate(SUMMARY).model_dump(mode="json") == SUMMARY


def test_summary_stays_below_4_kib() -> None:
    """The summary stays below 4 KiB with the longest key that S3 takes."""
    longest = "s3://" + "b" * 63 + "/" + "k" * 1024
    summary = LandedSummary.model_validate(
        {
            **SUMMARY,
            "manifest_uri": longest,
            "uris_uri": longest,
            "rows": 2**63,
            "source": {"kind": "data_rows", "id": "i" * 400},
            "export_id": "x" * 100,
        }
    )
    assert len(json.dumps(summary.model_dump(mode="json"))) < 4096
