"""What `docs/in-the-bucket.md` shows is what is landed, and its queries run."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
from support.stores.servers import files
from support.streaming.exports import LandingClient, landing_client, rows_in

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import LandedSummary, Rerun, ResultCounts
from labelbox_export_provider.domain.records.object_names import Compression, explicit_names, layout_names
from labelbox_export_provider.domain.windows.windows import FixedWindow
from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.streaming.landing.options import OnEmpty
from labelbox_export_provider.testing import FakeLabelbox, generate_rows

PAGE = (Path(__file__).parents[2] / "docs" / "in-the-bucket.md").read_text()
MAY = FixedWindow("2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z")
A_NIGHT = FixedWindow("2024-05-07T02:00:00Z", "2024-05-08T02:00:00Z")


@pytest.fixture(scope="module")
def at() -> Iterator[LandingClient]:
    with FakeLabelbox(generate_rows(220)) as fake, landing_client(fake) as it:
        yield it


def query(table: str, folder: Path) -> str:
    """The query of the page that reads this part of the bucket, over a folder instead of the bucket."""
    (found,) = (block for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if f"labelbox/{table}/**" in block)
    return str(found).replace("s3://my-data-lake/", f"{folder}/")


def test_duckdb_gives_the_newest_of_each_data_row_whatever_was_landed_twice(at: LandingClient, tmp_path: Path) -> None:
    """The same rows in every compression, split and whole, and an older version of one that was edited."""
    sink = FileSink(tmp_path / "labelbox")
    for compression in (None, "gzip", "zstd"):
        at.land(at.export(window=MAY), sink, prefix="", compression=compression, max_object_bytes=64 * 1024)
    expected = {}
    for row in map(json.loads, at.fake.rows_for(params={"includeDataRowDetails": True})):
        if "2024-05" in row["data_row"]["details"]["last_activity_at"]:
            expected[row["data_row"]["id"]] = row["data_row"]["details"]["last_activity_at"]
    edited = next(iter(expected))
    older = {"data_row": {"id": edited, "details": {"last_activity_at": "2024-01-01T00:00:00Z"}}, "projects": {}}
    (tmp_path / "labelbox/data/source=project/id=clp1/dt=2024-01-01").mkdir(parents=True)
    (tmp_path / "labelbox/data/source=project/id=clp1/dt=2024-01-01/old.00000.ndjson").write_text(json.dumps(older))
    found = duckdb.execute(query("data", tmp_path)).fetchall()
    assert sorted(row[0] for row in found) == sorted(expected)
    assert {row[0]: row[1].timestamp() for row in found}[edited] == pytest.approx(_seconds(expected[edited]))


def test_duckdb_counts_the_rows_that_were_landed(at: LandingClient, tmp_path: Path) -> None:
    """The rows that manifests give objects are those in the folder: trimmed rows do not count."""
    landed = at.land(at.export(window=A_NIGHT), FileSink(tmp_path / "labelbox"), prefix="", max_object_bytes=64 * 1024)
    assert landed.manifest.result.rows_trimmed > 0
    found = duckdb.execute(query("manifests", tmp_path)).fetchall()
    assert sorted(row[2:] for row in found) == sorted((each.uri, each.rows) for each in landed.manifest.objects)
    assert {row[0] for row in found} == {"ok"}
    assert sum(row[3] for row in found) == len(rows_in(files(tmp_path)))


@pytest.fixture
def with_everything(at: LandingClient, tmp_path: Path) -> dict[str, float]:
    """A folder with rows that hold integers beyond 64 bits and U+2028, half of them twice, and what is newest there."""
    rows = at.fake.rows_for(params={"includeDataRowDetails": True, "includeMetadata": True})
    half = b"".join(row + b"\n" for row in rows[:110])
    whole = half + b"".join(row + b"\n" for row in rows[110:])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.00000.ndjson.gz").write_bytes(gzip.compress(half))
    # As every object: several members one behind the other, which are cut anywhere.
    (tmp_path / "data" / "b.00000.ndjson.gz").write_bytes(gzip.compress(whole[:50_001]) + gzip.compress(whole[50_001:]))
    return {
        row["data_row"]["id"]: _seconds(row["data_row"]["details"]["last_activity_at"]) for row in map(json.loads, rows)
    }


@pytest.mark.parametrize("reader", ["pandas", "polars"])
def test_a_recipe_gives_the_newest_of_each_data_row(
    with_everything: dict[str, float], tmp_path: Path, reader: str
) -> None:
    [code] = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if f"import {reader} as" in block)
    names: dict[str, Any] = {}
    exec(code.replace("/data/labelbox", str(tmp_path)), names)
    newest = names["newest"]
    found = zip(newest["id"].to_list(), newest["last_activity_at"].to_list(), strict=True)
    assert sorted((row_id, moment.timestamp()) for row_id, moment in found) == sorted(with_everything.items())


@pytest.mark.usefixtures("with_everything")
def test_pandas_alone_fails_as_the_page_says(tmp_path: Path) -> None:
    """Should it succeed one day, the page has a simpler way to give."""
    import pandas as pd

    with pytest.raises(ValueError, match=r"Value is too small|Value is too big"):
        pd.read_json(tmp_path / "data" / "b.00000.ndjson.gz", lines=True, dtype=False)
    assert '"Value is too big"' in PAGE


def test_the_names_at_the_top_are_those_that_are_written(at: LandingClient) -> None:
    (shown,) = re.findall(r"after one night of one project:\n\n```\n(.*?)```", PAGE, re.DOTALL)
    handle = at.export(window=FixedWindow("2026-11-22T02:00:00Z", "2026-11-23T02:00:00Z"))
    source = handle.source.model_copy(update={"id": "clp1"})
    names = layout_names(handle.model_copy(update={"source": source}), "labelbox", "gzip")
    keys = [names.data(), names.errors, names.uris, names.manifest("ok")]
    assert shown.replace("g7f3a9c12", names.generation).splitlines() == keys


def test_every_value_of_the_options_is_explained() -> None:
    values = [*get_args(Compression), *get_args(OnEmpty), *get_args(Rerun)]
    assert [value for value in values if f'`"{value}"`' not in PAGE] == []
    assert [name for name in LandedSummary.model_fields if f'"{name}"' not in PAGE] == []
    counts = set(re.findall(r"`result\.(\w+)`", PAGE))
    assert counts <= set(ResultCounts.model_fields)


def test_the_explicit_key_of_the_page_can_be_filled(at: LandingClient) -> None:
    (key,) = re.findall(r's3_key="(.*?)"', PAGE)
    handle: ExportHandle = at.export(window=MAY)
    assert explicit_names(handle, key, "gzip").data() == "cars/2024-05-01.ndjson.gz"


def test_an_export_without_data_objects_has_no_list(at: LandingClient, tmp_path: Path) -> None:
    nothing = FixedWindow("2001-01-01T00:00:00Z", "2001-01-02T00:00:00Z")
    at.land(at.export(window=nothing), FileSink(tmp_path))
    assert [name.split("/")[1] for name in files(tmp_path)] == ["manifests"]


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
