"""What another export of the same source and window does to what is there: add, replace or refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import files
from support.streaming.exports import LandingClient, client_of_rows, rows_in, without_versions
from support.streaming.landing import Killed, KilledAt, Store, expected_rows

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import generation
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.errors import ConfigurationError, ObjectExistsError, StorageDeniedError, StorageError
from labelbox_export_provider.sinks.base import ListedObject, NewObject
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.testing.faults import ErrorRows

WEEK = FixedWindow("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z")
NEXT = FixedWindow("2024-06-01T00:00:00Z", "2024-07-01T00:00:00Z")
OBJECT_BYTES = 64 * 1024


@pytest.fixture(scope="module")
def shared_client() -> Iterator[LandingClient]:
    with client_of_rows(220) as client:
        yield client


def later(handle: ExportHandle, **difference: float) -> ExportHandle:
    return handle.model_copy(update={"started_at": handle.started_at + timedelta(**difference)})


def soon(**after: float) -> datetime:
    """So long after this moment, by the clock that stamps objects."""
    return datetime.now(timezone.utc) + timedelta(**after)


def generations_in(seen: dict[str, bytes]) -> set[str]:
    return {part for name in seen for part in name.rpartition("/")[2].split(".") if len(part) == 9 and part[0] == "g"}


def manifests_in(seen: dict[str, bytes]) -> list[Manifest]:
    return [Manifest.model_validate_json(content) for name, content in seen.items() if "manifests/" in name]


def check_that_manifests_name_whole_objects(store: Store) -> None:
    seen = store.public()
    sizes = {f"{store.uri_head}/{name}": len(content) for name, content in seen.items()}
    for manifest in manifests_in(seen):
        assert [sizes.get(each.uri) for each in manifest.objects] == [each.bytes for each in manifest.objects]
        assert manifest.uris is None or manifest.uris in sizes
        assert manifest.errors.uri is None or manifest.errors.uri in sizes


@pytest.mark.parametrize("window", [WEEK, None])
def test_add_lands_another_export_beside_the_old_one(at: LandingClient, store: Store, window: Any) -> None:
    """Re-running never removes a row from the lake.

    `add` lands another export beside the old one and removes nothing.
    """
    at.land(at.export(window=window), store.sink)
    before = store.visible()
    at.land(later(at.export(window=window), minutes=5), store.sink, rerun="add")
    assert before.items() < store.visible().items()
    assert len(store.visible()) == 2 * len(before)


@pytest.mark.parametrize("window", [WEEK, None])
def test_replace_leaves_the_new_export_alone(at: LandingClient, store: Store, window: Any) -> None:
    at.fake.faults.add(ErrorRows(times=None))
    for _ in range(2):
        at.land(at.export(window=window), store.sink, max_error_rows=5, max_object_bytes=OBJECT_BYTES)
    handle = later(at.export(window=window), minutes=5)
    at.land(handle, store.sink, rerun="replace", max_error_rows=5, compression="zstd")
    assert generations_in(store.visible()) == {generation(handle.export_id)}
    assert len(store.visible()) == 4
    assert len(rows_in(store.visible())) == manifests_in(store.visible())[0].rows_landed


def test_replace_touches_no_other_window_source_or_object(at: LandingClient, store: Store) -> None:
    handle = at.export(window=WEEK)
    at.land(handle, store.sink)
    at.land(at.export(window=NEXT), store.sink)
    at.land(at.export(), store.sink)
    at.land(at.export(window=WEEK), store.sink, prefix="elsewhere")
    project = handle.source.model_copy(update={"id": "clpother"})
    at.land(at.export(window=WEEK).model_copy(update={"source": project}), store.sink)
    names = [name for name in store.visible() if generation(handle.export_id) in name]
    for name in names:
        store.sink.put(NewObject(f"{name}.copy", "text/plain"), b"mine")
    before = {name: content for name, content in store.visible().items() if name not in names}
    new = later(at.export(window=WEEK), minutes=5)
    at.land(new, store.sink, rerun="replace")
    after = store.visible()
    assert before.items() < after.items()
    assert generations_in({name: b"" for name in after if name not in before}) == {generation(new.export_id)}


def test_replace_without_a_window_replaces_the_same_utc_day(at: LandingClient, tmp_path: Path) -> None:
    """Without a window, `replace` replaces exports that were started on the same UTC day."""
    yesterday, morning = later(at.export(), days=-1), at.export()
    at.land(yesterday, FileSink(tmp_path))
    at.land(morning, FileSink(tmp_path))
    evening = later(at.export(), hours=15)
    at.land(evening, FileSink(tmp_path), rerun="replace")
    assert generations_in(files(tmp_path)) == {generation(each.export_id) for each in (yesterday, evening)}


@pytest.mark.parametrize(("older", "newer"), [("replace", "add"), ("add", "replace"), ("replace", "replace")])
def test_an_older_export_gives_way_to_a_newer_one(at: LandingClient, store: Store, older: Any, newer: Any) -> None:
    """An old task that is cleared by mistake must not take the place of what is newer, nor come back beside it."""
    late, early = later(at.export(window=WEEK), hours=1), at.export(window=WEEK)
    with pytest.raises(Killed):
        at.land(early, KilledAt(store.sink, "manifests/"), compression=None, rerun=older)
    landed = at.land(late, store.sink, rerun=newer)
    at.fake.requests.clear()
    with pytest.raises(ObjectExistsError, match=f"(?s)newer export.*{generation(late.export_id)}") as caught:
        at.land(early, store.sink, rerun=older)
    assert landed.manifest_uri in str(caught.value)
    assert not caught.value.retryable
    assert at.fake.requests.files == []
    assert generations_in(store.visible()) == {generation(late.export_id)}


def test_an_export_that_is_landed_stays_beside_a_newer_one(at: LandingClient, store: Store) -> None:
    """Re-running never removes a row: what was landed before a newer export was added to it is not a leftover."""
    early = at.export(window=WEEK)
    at.land(early, store.sink)
    at.land(later(at.export(window=WEEK), hours=1), store.sink)
    before = store.visible()
    with pytest.raises(ObjectExistsError, match="stays"):
        at.land(early, store.sink, rerun="replace")
    assert store.visible() == before


def test_replace_spares_a_newer_landing_that_has_no_manifest_yet(at: LandingClient, store: Store) -> None:
    newer = later(at.export(window=WEEK), hours=1)
    with pytest.raises(Killed):
        at.land(newer, KilledAt(store.sink, "manifests/"))
    before = store.visible()
    at.land(at.export(window=WEEK), store.sink, rerun="replace")
    assert before.items() < store.visible().items()


def test_replace_removes_what_nobody_lands_any_more(
    at: LandingClient, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """`replace` removes what an older killed landing left without a manifest, an hour after its last object.

    Until then somebody may be about to publish it.
    """
    old = at.export(window=WEEK)
    with pytest.raises(Killed):
        at.land(old, KilledAt(store.sink, "manifests/"), max_object_bytes=OBJECT_BYTES)
    handle = later(at.export(window=WEEK), minutes=5)
    at.land(handle, store.sink, rerun="replace", now=soon(minutes=50))
    assert generations_in(store.visible()) == {generation(handle.export_id), generation(old.export_id)}
    assert "has no manifest and stays" in caplog.text
    again = later(at.export(window=WEEK), minutes=6)
    at.land(again, store.sink, rerun="replace", now=soon(minutes=70))
    assert generations_in(store.visible()) == {generation(again.export_id)}


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_replace_killed_at_any_step_is_finished_by_a_retry(at: LandingClient, store: Store) -> None:
    """`replace` killed at any step leaves manifests that name whole objects only, and the next try finishes it.

    G2, and old generations are removed only after the new manifest is there.
    """
    at.fake.faults.add(ErrorRows(times=None))
    options: dict[str, Any] = {"max_error_rows": 5, "max_object_bytes": 2 * OBJECT_BYTES}
    steps_of_a_landing = ["errors", "data", "data", "uris", "manifests"]
    steps_of_a_removal = ["manifests", "uris", "data", "data", "errors"]
    for step in range(len(steps_of_a_landing + steps_of_a_removal) + 1):
        old = at.export()
        at.land(old, store.sink, **options)
        handle = later(at.export(), minutes=1)
        killed = KilledAt(store.sink, step=step)
        try:
            at.land(handle, killed, rerun="replace", **options)
        except Killed:
            check_that_manifests_name_whole_objects(store)
            named = {each.export.export_id for each in manifests_in(store.public())}
            assert (handle.export_id in named) == (step >= len(steps_of_a_landing))
            assert (old.export_id in named) == (step <= len(steps_of_a_landing))
            at.land(handle, store.sink, rerun="replace", **options)
        else:
            assert [key.split("/")[1] for key in killed.order] == steps_of_a_landing + steps_of_a_removal
        check_that_manifests_name_whole_objects(store)
        assert generations_in(store.visible()) == {generation(handle.export_id)}
        assert rows_in(store.visible()) == expected_rows(at, handle)
        for name in store.visible():
            store.sink.delete(name)


# --- refuse


def test_refuse_fails_before_bytes_move(at: LandingClient, store: Store) -> None:
    """`refuse` fails before bytes move when another export of the window is there."""
    first = at.export(window=WEEK)
    landed = at.land(first, store.sink, rerun="refuse")
    before = store.visible()
    at.fake.requests.clear()
    with pytest.raises(ObjectExistsError, match=r"rerun='refuse'") as caught:
        at.land(at.export(window=WEEK), store.sink, rerun="refuse")
    assert landed.manifest_uri in str(caught.value)
    assert not caught.value.retryable
    assert store.visible() == before
    assert at.fake.requests.files == []


def test_refuse_accepts_a_retry_and_other_windows(at: LandingClient, store: Store) -> None:
    """`refuse` accepts a retry of the same export, and any other window."""
    handle = at.export(window=WEEK)
    at.land(handle, store.sink, rerun="refuse")
    before = store.visible()
    at.land(handle, store.sink, rerun="refuse", workers=1)
    assert without_versions(store.visible()) == without_versions(before)
    before = store.visible()
    at.land(at.export(window=NEXT), store.sink, rerun="refuse")
    assert before.items() < store.visible().items()


def test_refuse_ignores_leftovers_of_a_killed_try(at: LandingClient, store: Store) -> None:
    """`refuse` does not treat the leftovers of a killed try as a landing."""
    with pytest.raises(Killed):
        at.land(at.export(window=WEEK), KilledAt(store.sink, "manifests/"))
    handle = at.export(window=WEEK)
    assert at.land(handle, store.sink, rerun="refuse").manifest.export.export_id == handle.export_id


@pytest.mark.parametrize("rerun", ["refuse", "replace"])
@pytest.mark.parametrize("other", ["field", "filters", "organization"])
def test_another_question_below_one_prefix_is_refused(at: LandingClient, store: Store, rerun: Any, other: str) -> None:
    """Two tasks that ask different things of one source and window must not delete each other's rows.

    Neither starts to: the message says to give each its own prefix, before a byte moves. `add` keeps both.
    """
    created = FixedWindow("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z", field="label_created_at")
    there = at.export(window=created if other == "field" else WEEK)
    if other == "filters":
        there = there.model_copy(update={"filters_digest": f"sha256:{1:064}"})
    if other == "organization":
        there = there.model_copy(update={"organization_id": "clanother"})
    landed = at.land(there, store.sink)
    before = store.visible()
    at.fake.requests.clear()
    handle = later(at.export(window=WEEK), minutes=5)
    with pytest.raises(ConfigurationError, match="its own prefix") as caught:
        at.land(handle, store.sink, rerun=rerun)
    assert landed.manifest_uri in str(caught.value)
    assert store.visible() == before
    assert at.fake.requests.files == []
    at.land(handle, store.sink)
    assert before.items() < store.visible().items()


# --- stores that may not be listed


class Unlisted(KilledAt):
    def list(self, prefix: str) -> Iterator[ListedObject]:
        raise StorageDeniedError(f"s3:ListBucket is not permitted below {prefix}")


def test_add_needs_no_permission_to_list(at: LandingClient, tmp_path: Path) -> None:
    """Without permission to list, `add` lands, and the others name the permission before bytes move."""
    sink = Unlisted(FileSink(tmp_path), "no such key")
    handle = at.export()
    at.fake.requests.clear()
    for rerun in ("replace", "refuse"):
        with pytest.raises(StorageError, match="ListBucket"):
            at.land(handle, sink, rerun=rerun)
    assert files(tmp_path) == {}
    assert at.fake.requests.files == []
    at.land(handle, sink)
    assert rows_in(files(tmp_path)) == expected_rows(at, handle)
