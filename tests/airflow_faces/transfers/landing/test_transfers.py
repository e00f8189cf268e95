"""The transfers: what they land, what they return, what they refuse, and that nothing partial is ever visible."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from support.airflow.tasks import TaskInstance, context_of
from support.airflow.transfer_stores import Store, expected_rows, in_every_store, start

from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, AirflowSkipException
from labelbox_export_provider.testing import FakeLabelbox
from labelbox_export_provider.testing.faults import (
    BrokenFile,
    CanceledExport,
    CorruptFile,
    ErrorRows,
    ExpiredFile,
    FailedExport,
    LongerFile,
    SlowExport,
    TruncatedFile,
    WrongRanges,
    WrongTotals,
)


@in_every_store
def test_a_night_lands_row_for_row_and_the_manifest_names_it(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    summary = store.land(handle)
    assert sorted(store.rows()) == expected_rows(fake)
    [manifest] = store.manifests()
    assert summary == {
        "v": 1,
        "manifest_uri": summary["manifest_uri"],
        "uris_uri": manifest.uris,
        "rows": len(expected_rows(fake)),
        "errors": 0,
        "state": "ok",
        "window": handle["window"],
        "source": handle["source"],
        "export_id": handle["export_id"],
    }
    assert manifest.result.rows == manifest.result.rows_trimmed + summary["rows"]
    assert manifest.result.rows_trimmed > 0
    assert manifest.export.to_json() == handle
    assert manifest.exported_at is not None


@in_every_store
def test_objects_have_the_names_of_the_layout(fake: FakeLabelbox, store: Store) -> None:
    """Only data rows are under data/, and the names are those of the layout."""
    fake.faults.add(ErrorRows())
    store.land(start(fake), max_error_rows=5)
    stem = f"source=project/id={fake.project_id}"
    name = "20261122T020000Z_20261123T020000Z"
    found = sorted(store.read_all())
    generation = found[0].rsplit(f"{name}.", 1)[1].split(".")[0]
    assert found == [
        f"data/{stem}/dt=2026-11-22/{name}.{generation}.00000.ndjson.gz",
        f"errors/{stem}/dt=2026-11-22/{name}.{generation}.ndjson.gz",
        f"manifests/{stem}/{name}.{generation}.errors.json",
        f"uris/{stem}/{name}.{generation}.txt",
    ]


@in_every_store
def test_a_retry_rewrites_the_same_names_with_the_same_bytes(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    store.land(handle)
    before = {name: content for name, content in store.read_all().items() if not name.startswith("manifests/")}
    store.land(handle, context_of("land", ti=TaskInstance(task_id="land", try_number=2)))
    after = {name: content for name, content in store.read_all().items() if not name.startswith("manifests/")}
    assert after == before
    assert len(store.manifests()) == 1


def test_an_export_is_landed_in_one_compression_only(fake: FakeLabelbox, store: Store) -> None:
    """The same export is not landed a second time with another compression."""
    handle = start(fake)
    store.land(handle)
    before = store.read_all()
    with pytest.raises(AirflowFailException, match="landed already with compression='gzip'"):
        store.land(handle, compression=None)
    assert store.read_all() == before


def test_another_export_of_the_window_adds_a_generation(fake: FakeLabelbox, store: Store) -> None:
    """Another export of the same window adds a generation beside the old one."""
    store.land(start(fake))
    before = store.read_all()
    store.land(start(fake, task_name="again", filters={"data_row_ids": fake.row_ids()}))
    after = store.read_all()
    assert len(after) == 2 * len(before)
    assert {name: after[name] for name in before} == before


def test_without_compression_bytes_are_labelboxs_own(fake: FakeLabelbox, store: Store) -> None:
    """Without compression the landed bytes are those that Labelbox sent."""
    store.land(start(fake, window=None), compression=None)
    [content] = [content for name, content in store.read_all().items() if name.startswith("data/")]
    assert content == b"".join(row + b"\n" for row in fake.rows_for(like=fake.exports[0].export_id))


@pytest.mark.parametrize("on_empty", ["manifest_only", "write_empty", "skip_task"])
def test_an_export_without_rows_leaves_a_manifest(
    fake: FakeLabelbox, store: Store, on_empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export without rows leaves a manifest whose state is empty."""
    monkeypatch.setattr("labelbox_export_provider.client.polling.EMPTY_AGAIN_AFTER", 0.0)
    handle = start(fake, filters={"global_keys": ["no-such-key"]})
    if on_empty == "skip_task":
        with pytest.raises(AirflowSkipException, match="manifest"):
            store.land(handle, on_empty=on_empty)
    else:
        assert store.land(handle, on_empty=on_empty)["state"] == "empty"
    assert [manifest.state for manifest in store.manifests()] == ["empty"]
    assert store.rows() == []
    assert len([name for name in store.read_all() if name.startswith("data/")]) == (on_empty == "write_empty")


@in_every_store
def test_too_many_error_rows_land_the_errors_alone(fake: FakeLabelbox, store: Store) -> None:
    """More error rows than allowed land the errors and nothing else, and use up no retry."""
    lines = ('{"error": "first"}', '{"error": "Grüße"}')
    fake.faults.add(ErrorRows(lines=lines))
    with pytest.raises(AirflowFailException) as failure:
        store.land(start(fake), max_error_rows=1)
    [name] = store.read_all()
    assert name.startswith("errors/")
    assert gzip.decompress(store.read_all()[name]).decode().splitlines() == list(lines)
    assert "2 error rows" in str(failure.value)
    assert "with downstream" in str(failure.value)


def test_error_rows_within_the_threshold_land_beside_the_results(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(ErrorRows())
    assert store.land(start(fake), max_error_rows=1)["errors"] == 1
    assert sorted(store.rows()) == expected_rows(fake)


@pytest.mark.parametrize("fault", [BrokenFile(after_bytes=1000), ExpiredFile()])
def test_a_download_that_breaks_or_expires_is_resumed(fake: FakeLabelbox, store: Store, fault: Any) -> None:
    """A download that breaks off, or whose URL expires, is resumed."""
    fake.faults.add(fault)
    store.land(start(fake))
    assert sorted(store.rows()) == expected_rows(fake)
    assert fake.faults.happened == [fault]


@pytest.mark.parametrize(("fault", "word"), [(FailedExport(), "FAILED"), (CanceledExport(), "canceled")])
def test_a_dead_export_is_refused_without_a_retry(fake: FakeLabelbox, store: Store, fault: Any, word: str) -> None:
    fake.faults.add(fault)
    with pytest.raises(AirflowFailException, match=word):
        store.land(start(fake))
    assert store.read_all() == {}


def test_an_export_that_still_runs_is_not_empty(fake: FakeLabelbox, store: Store) -> None:
    """An export that still runs is not treated as an empty one."""
    fake.faults.add(SlowExport())
    with pytest.raises(AirflowFailException, match="ExportTaskSensor"):
        store.land(start(fake))
    assert store.read_all() == {}


def test_a_key_revoked_before_the_transfer_fails_without_a_retry(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    fake.revoke(fake.api_key)
    with pytest.raises(AirflowFailException, match="valid API key"):
        store.land(handle)
    assert store.read_all() == {}


def test_files_are_fetched_without_the_key_and_without_cookies(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake))
    assert fake.requests.files
    assert [request for request in fake.requests.files if request.had_authorization or request.had_cookie] == []


@in_every_store
def test_no_secret_is_landed_or_logged(fake: FakeLabelbox, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor a signed URL is in what is landed or logged."""
    fake.faults.add(BrokenFile(after_bytes=10))
    with caplog.at_level("DEBUG"):
        summary = store.land(start(fake))
    places = {"log": caplog.text, "return value": json.dumps(summary)}
    stored = {name: content for name, content in store.read_all().items() if "data/" not in name}
    places |= {name: content.decode(errors="replace") for name, content in stored.items()}
    for name, text in places.items():
        assert fake.api_key not in text, name
        assert "x-goog-signature=" not in text.lower(), name


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (TruncatedFile(keep=100, times=None), ["bytes"]),
        (LongerFile(times=None), ["bytes"]),
        (CorruptFile(times=None), ["crc32c"]),
        (WrongTotals(bytes_by=7), ["bytes"]),
        (WrongTotals(bytes_by=-7), ["bytes"]),
        (WrongTotals(lines_by=1), ["rows"]),
        (WrongRanges(offsets_by=3), ["bytes"]),
    ],
)
def test_a_wrong_file_or_total_fails_with_both_numbers(
    fake: FakeLabelbox, store: Store, fault: Any, words: list[str]
) -> None:
    """A file or a total that is wrong fails with both numbers and leaves nothing."""
    fake.faults.add(fault)
    with pytest.raises(AirflowException) as failure:
        store.land(start(fake))
    text = str(failure.value)
    assert not isinstance(failure.value, AirflowFailException)
    assert [word for word in words if word not in text.lower()] == []
    assert sum(letter.isdigit() for letter in text.splitlines()[0]) > 0
    assert store.read_all() == {}
