"""What the demo compares: every way in which the bucket may differ from Labelbox is told."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from demo.airflow_cluster import clean_environment
from demo.days import MAX_NIGHTS, Export, Night, days_of
from demo.landed import compare, read_night, strangers
from demo.object_store import ObjectStore
from demo.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

NIGHT = Night(datetime(2026, 5, 4, 2, tzinfo=timezone.utc), datetime(2026, 5, 5, 2, tzinfo=timezone.utc))
ROWS = [b'{"data_row": {"id": "a"}}', b'{"data_row": {"id": "b"}}', b'{"data_row": {"id": "c"}}']
STEM = "20260504T020000Z_20260505T020000Z.g12345678"
DATA = f"lb/data/source=project/id=p/dt=2026-05-04/{STEM}.00000.ndjson.gz"
MANIFEST = f"lb/manifests/source=project/id=p/{STEM}.ok.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    home = tmp_path_factory.mktemp("store")
    with Processes(home) as processes:
        store = ObjectStore(processes, clean_environment(home), "first")
        store.wait()
        yield store


@pytest.fixture
def store(server: ObjectStore, request: pytest.FixtureRequest) -> ObjectStore:
    """A bucket in which one night has landed as it should."""
    store = server.another(f"b{abs(hash(request.node.name))}")
    put(store, ROWS)
    return store


def put(store: ObjectStore, rows: list[bytes], *, counted: int | None = None) -> None:
    content = gzip.compress(b"".join(row + b"\n" for row in rows))
    store.client.put_object(Bucket=store.bucket, Key=DATA, Body=content)
    named = [{"uri": f"s3://{store.bucket}/{DATA}", "rows": len(rows) if counted is None else counted}]
    manifest = {"export": {"export_id": "e1"}, "state": "ok", "objects": named, "result": {"rows_trimmed": 0}}
    store.client.put_object(Bucket=store.bucket, Key=MANIFEST, Body=json.dumps(manifest).encode())


def faults(store: ObjectStore) -> list[str]:
    landed = read_night(store, "lb/", NIGHT)
    compare(landed, ROWS)
    return landed.faults + strangers(store, "lb/", [landed])


def test_nothing_is_wrong_with_a_night_that_landed_whole(store: ObjectStore) -> None:
    assert faults(store) == []


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (ROWS[:2], "1 x missing from the bucket"),
        ([*ROWS, ROWS[0]], "1 x too many in the bucket"),
        ([*ROWS[:2], b'{"data_row":{"id":"c"}}'], "1 x missing from the bucket"),
    ],
)
def test_a_row_that_is_missing_doubled_or_spelled_otherwise_is_told(
    store: ObjectStore, rows: list[bytes], fault: str
) -> None:
    put(store, rows)
    assert any(fault in found for found in faults(store))


def test_a_manifest_that_counts_other_rows_is_told(store: ObjectStore) -> None:
    put(store, ROWS, counted=4)
    assert faults(store) == ["the manifest counts 4 rows, the objects hold 3"]


def test_a_night_without_manifest_is_told(store: ObjectStore) -> None:
    store.client.delete_object(Bucket=store.bucket, Key=MANIFEST)
    assert faults(store) == ["0 manifests instead of one: []"]


@pytest.mark.parametrize("key", ["lb/data/_SUCCESS", "lb/data/source=project/id=p/dt=2026-05-04/other.ndjson.gz"])
def test_another_object_under_data_is_told(store: ObjectStore, key: str) -> None:
    store.client.put_object(Bucket=store.bucket, Key=key, Body=b"x")
    assert faults(store) == [f"{key}: under data/ but of no window"]


def test_an_object_outside_the_layout_and_an_open_upload_are_told(store: ObjectStore) -> None:
    store.client.put_object(Bucket=store.bucket, Key="elsewhere", Body=b"x")
    store.client.create_multipart_upload(Bucket=store.bucket, Key="lb/data/half")
    found = faults(store)
    assert len(found) == 2
    assert found[0].startswith("elsewhere: in none of")
    assert found[1].startswith("lb/data/half: an upload that was neither")


def _export(*moments: datetime) -> Export:
    return Export("p", tuple((moment, b"{}") for moment in moments))


@pytest.mark.parametrize("hour", range(24))
def test_the_days_of_a_file_hold_all_of_its_rows_whatever_hour_the_nights_begin_at(hour: int) -> None:
    early, late = datetime(2024, 2, 19, 0, 0, tzinfo=timezone.utc), datetime(2024, 2, 20, 23, 59, tzinfo=timezone.utc)
    first, last = days_of(_export(late, early))
    assert (last - first).days + 1 >= 3
    begin = datetime(first.year, first.month, first.day, hour, tzinfo=timezone.utc)
    assert begin <= early
    assert begin + (last - first) + timedelta(days=1) > late


def test_a_file_over_years_is_cut_to_its_newest_nights() -> None:
    first, last = days_of(_export(datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, tzinfo=timezone.utc)))
    assert (str(last), (last - first).days + 1) == ("2026-01-01", MAX_NIGHTS)
