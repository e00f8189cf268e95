"""The manifest and its short form, as they are documented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from support.spec_handles import WINDOW, handle_json

from labelbox_export_provider.spec.manifest import LandedSummary, Manifest

HANDLE = json.dumps(handle_json())
DOCUMENTED = f"""
{{"v": 1, "state": "ok", "generation": "g7f3a9c12", "export": {HANDLE},
 "query": {{"filters": {{"projectId": "clp1"}}, "params": {{"includeDataRowDetails": true}}}},
 "result": {{"rows": 4112, "bytes": 1700000000, "rows_trimmed": 3, "rows_after_end": 2, "rows_before_start": 0,
             "rows_unknown": 0, "max_row_bytes": 81231, "crc32c": "yZRlqg=="}},
 "errors": {{"rows": 0, "bytes": 0, "uri": null}},
 "objects": [{{"uri": "s3://lake/labels/data/x.00000.ndjson.gz", "rows": 4109, "bytes": 312000000,
               "source_bytes": 1699990000, "crc32c": "AAAAAA==", "etag": "\\"abc-19\\"", "version_id": null}}],
 "uris": "s3://lake/labels/uris/x.txt", "compression": "gzip", "started_at": "2026-11-23T02:05:00Z",
 "exported_at": "2026-11-23T02:07:00.120000Z", "landed_at": "2026-11-23T02:09:00Z",
 "versions": {{"provider": "0.1.0", "airflow": "3.3.0"}}}}
"""


def test_the_documented_manifest_is_read_and_written_back_unchanged() -> None:
    documented = json.loads(DOCUMENTED)
    assert Manifest.model_validate(documented).model_dump(mode="json") == documented


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "empty", "objects": [], "uris": None},
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


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"state": "partial"},
        {"compression": "lz4"},
        {"landed_at": None},
        {"note": "by hand"},
        {"result": None},
    ],
)
def test_what_is_no_manifest_of_this_version_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate({**json.loads(DOCUMENTED), **changes})


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


def test_the_summary_stays_below_4_kib_with_the_longest_key_that_s3_takes() -> None:
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
