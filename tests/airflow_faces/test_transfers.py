"""The transfers: what they land, what they return, what they refuse, and that nothing partial is ever visible."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias, Context
from airflow.sdk.execution_time.context import OutletEventAccessors
from support.airflow.tasks import NIGHT, TaskInstance, context_of, some_dag
from support.stores.servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    files,
    gcs_client,
    gcs_emulator,
    gcs_objects,
    moto_server,
    objects,
    open_uploads,
    s3_client,
)

from labelbox_export_provider import (
    DataIntervalWindow,
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
    ProjectExportOperator,
)
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException, AirflowSkipException
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.streaming.landing.options import LandedExport
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
from labelbox_export_provider.transfers.announcement import landing_line

Operator = LabelboxExportToFileOperator | LabelboxExportToGCSOperator | LabelboxExportToS3Operator


class Store:
    """One of the stores, with the operator that lands in it and a look at everything that is there."""

    def __init__(self, operator: Callable[..., Operator], look: Callable[[], dict[str, bytes]]) -> None:
        self.operator = operator
        self.look = look

    def land(self, handle: Any, context: Context | None = None, **options: Any) -> dict[str, Any]:
        task = self.operator(export=handle, **options)
        return task.execute(context or context_of("land"))

    def rows(self) -> list[bytes]:
        lines: list[bytes] = []
        for name, content in self.look().items():
            if name.startswith("data/"):
                lines += (gzip.decompress(content) if name.endswith(".gz") else content).splitlines(keepends=True)
        return lines

    def manifests(self) -> list[Manifest]:
        found = [content for name, content in self.look().items() if "manifests/" in name]
        return [Manifest.model_validate_json(content) for content in found]


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    with moto_server() as endpoint:
        yield endpoint, s3_client(endpoint)


@pytest.fixture(scope="module")
def gcs() -> Iterator[str]:
    with gcs_emulator() as endpoint:
        yield endpoint


in_every_store = pytest.mark.parametrize("store", ["file", "s3", "gcs"], indirect=True)
"""The stores themselves are tested elsewhere: this is for what depends on how an operator reaches its store."""


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if getattr(request, "param", "file") == "file":

        def to_file(**options: Any) -> LabelboxExportToFileOperator:
            key = options.pop("key", None)
            (tmp_path / "cars").mkdir(exist_ok=True)
            where = {"root": str(tmp_path)} if key is None else {"path": f"{tmp_path}/{key}"}
            return LabelboxExportToFileOperator(task_id="land", **where, **options)

        yield Store(to_file, lambda: files(tmp_path))
        return
    if request.param == "gcs":
        endpoint = request.getfixturevalue("gcs")
        anonymous = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(anonymous))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        google = gcs_client(endpoint)
        bucket = google.create_bucket(f"lake-{tmp_path.name}".lower().replace("_", "-")[:60].rstrip("-"))

        def to_gcs(**options: Any) -> LabelboxExportToGCSOperator:
            name = options.pop("key", None)
            where = {"object_prefix": "/"} if name is None else {"object_name": name}
            return LabelboxExportToGCSOperator(task_id="land", **{"bucket_name": bucket.name, **where, **options})

        yield Store(to_gcs, lambda: gcs_objects(google, bucket.name))
        return
    endpoint, client = request.getfixturevalue("s3")
    aws = {"login": ACCESS_KEY, "password": SECRET_KEY, "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **aws}))
    client.create_bucket(Bucket=BUCKET)

    def to_s3(**options: Any) -> LabelboxExportToS3Operator:
        key = options.pop("key", None)
        where = {"s3_prefix": "/"} if key is None else {"s3_key": key}
        return LabelboxExportToS3Operator(task_id="land", **{"s3_bucket": BUCKET, **where, **options})

    yield Store(to_s3, lambda: objects(client))
    assert open_uploads(client) == []
    for name in objects(client):
        client.delete_object(Bucket=BUCKET, Key=name)
    client.delete_bucket(Bucket=BUCKET)


def start(fake: FakeLabelbox, *, window: Any = DataIntervalWindow(), **options: Any) -> dict[str, Any]:  # noqa: B008  frozen
    values = {"project_id": fake.project_id, "window": window, **options}
    handle: dict[str, Any] = ProjectExportOperator(task_id="start", **values).execute(context_of())
    return handle


def expected_rows(fake: FakeLabelbox) -> list[bytes]:
    return sorted(line.rstrip(b"\n") + b"\n" for line in fake.rows_for(start=NIGHT[0], end=NIGHT[1]))


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
def test_only_data_rows_are_under_data_and_names_are_those_of_the_layout(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(ErrorRows())
    store.land(start(fake), max_error_rows=5)
    stem = f"source=project/id={fake.project_id}"
    name = "20261122T020000Z_20261123T020000Z"
    found = sorted(store.look())
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
    before = {name: content for name, content in store.look().items() if not name.startswith("manifests/")}
    store.land(handle, context_of("land", ti=TaskInstance(task_id="land", try_number=2)))
    after = {name: content for name, content in store.look().items() if not name.startswith("manifests/")}
    assert after == before
    assert len(store.manifests()) == 1


def test_the_same_export_is_not_landed_a_second_time_with_another_compression(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    store.land(handle)
    before = store.look()
    with pytest.raises(AirflowFailException, match="landed already with compression='gzip'"):
        store.land(handle, compression=None)
    assert store.look() == before


def test_another_export_of_the_same_window_adds_a_generation_beside_the_old_one(
    fake: FakeLabelbox, store: Store
) -> None:
    store.land(start(fake))
    before = store.look()
    store.land(start(fake, task_name="again", filters={"data_row_ids": fake.row_ids()}))
    after = store.look()
    assert len(after) == 2 * len(before)
    assert {name: after[name] for name in before} == before


def test_without_compression_the_bytes_are_those_that_labelbox_sent(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake, window=None), compression=None)
    [content] = [content for name, content in store.look().items() if name.startswith("data/")]
    assert content == b"".join(row + b"\n" for row in fake.rows_for(like=fake.exports[0].export_id))


@pytest.mark.parametrize("on_empty", ["manifest_only", "write_empty", "skip_task"])
def test_an_export_without_rows_leaves_a_manifest_that_says_so(
    fake: FakeLabelbox, store: Store, on_empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelbox_export_provider.client.polling.EMPTY_AGAIN_AFTER", 0.0)
    handle = start(fake, filters={"global_keys": ["no-such-key"]})
    if on_empty == "skip_task":
        with pytest.raises(AirflowSkipException, match="manifest"):
            store.land(handle, on_empty=on_empty)
    else:
        assert store.land(handle, on_empty=on_empty)["state"] == "empty"
    assert [manifest.state for manifest in store.manifests()] == ["empty"]
    assert store.rows() == []
    assert len([name for name in store.look() if name.startswith("data/")]) == (on_empty == "write_empty")


@in_every_store
def test_more_error_rows_than_allowed_land_the_errors_and_nothing_else_and_use_up_no_retry(
    fake: FakeLabelbox, store: Store
) -> None:
    lines = ('{"error": "first"}', '{"error": "Grüße"}')
    fake.faults.add(ErrorRows(lines=lines))
    with pytest.raises(AirflowFailException) as failure:
        store.land(start(fake), max_error_rows=1)
    [name] = store.look()
    assert name.startswith("errors/")
    assert gzip.decompress(store.look()[name]).decode().splitlines() == list(lines)
    assert "2 error rows" in str(failure.value)
    assert "with downstream" in str(failure.value)


def test_error_rows_within_the_threshold_land_beside_the_results(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(ErrorRows())
    assert store.land(start(fake), max_error_rows=1)["errors"] == 1
    assert sorted(store.rows()) == expected_rows(fake)


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
def test_a_file_or_a_total_that_is_wrong_fails_with_both_numbers_and_leaves_nothing(
    fake: FakeLabelbox, store: Store, fault: Any, words: list[str]
) -> None:
    fake.faults.add(fault)
    with pytest.raises(AirflowException) as failure:
        store.land(start(fake))
    text = str(failure.value)
    assert not isinstance(failure.value, AirflowFailException)
    assert [word for word in words if word not in text.lower()] == []
    assert sum(letter.isdigit() for letter in text.splitlines()[0]) > 0
    assert store.look() == {}


@pytest.mark.parametrize("fault", [BrokenFile(after_bytes=1000), ExpiredFile()])
def test_a_download_that_breaks_or_expires_is_gone_on_with(fake: FakeLabelbox, store: Store, fault: Any) -> None:
    fake.faults.add(fault)
    store.land(start(fake))
    assert sorted(store.rows()) == expected_rows(fake)
    assert fake.faults.happened == [fault]


@pytest.mark.parametrize(("fault", "word"), [(FailedExport(), "FAILED"), (CanceledExport(), "canceled")])
def test_a_dead_export_is_refused_without_a_retry(fake: FakeLabelbox, store: Store, fault: Any, word: str) -> None:
    fake.faults.add(fault)
    with pytest.raises(AirflowFailException, match=word):
        store.land(start(fake))
    assert store.look() == {}


def test_an_export_that_still_runs_is_not_taken_for_empty(fake: FakeLabelbox, store: Store) -> None:
    fake.faults.add(SlowExport())
    with pytest.raises(AirflowFailException, match="ExportTaskSensor"):
        store.land(start(fake))
    assert store.look() == {}


def test_a_key_revoked_before_the_transfer_fails_without_a_retry(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    fake.revoke(fake.api_key)
    with pytest.raises(AirflowFailException, match="valid API key"):
        store.land(handle)
    assert store.look() == {}


def test_files_are_fetched_without_the_key_and_without_cookies(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake))
    assert fake.requests.files
    assert [request for request in fake.requests.files if request.had_authorization or request.had_cookie] == []


@in_every_store
def test_neither_the_key_nor_a_signed_address_is_in_what_is_landed_or_logged(
    fake: FakeLabelbox, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    fake.faults.add(BrokenFile(after_bytes=10))
    with caplog.at_level("DEBUG"):
        summary = store.land(start(fake))
    places = {"log": caplog.text, "return value": json.dumps(summary)}
    places |= {name: content.decode(errors="replace") for name, content in store.look().items() if "data/" not in name}
    for name, text in places.items():
        assert fake.api_key not in text, name
        assert "x-goog-signature=" not in text.lower(), name


@pytest.mark.parametrize("root", ["", None])
def test_a_target_that_a_template_emptied_is_refused_and_not_taken_for_the_root(
    fake: FakeLabelbox, tmp_path: Path, root: str | None
) -> None:
    with some_dag(render_template_as_native_obj=True, params={"root": None}):
        task = LabelboxExportToFileOperator(task_id="land", export=start(fake), root="{{ params.root }}")
    task.render_template_fields(context_of("land", params={"root": root}))
    with pytest.raises(AirflowFailException, match="root rendered to"):
        task.execute(context_of("land"))


# --- one explicit object


@in_every_store
def test_an_explicit_key_takes_fields_from_the_handle(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake), key="cars/{window_start:%Y/%m}/{window_start:%d}.ndjson.gz")
    names = store.look()
    assert sorted(gzip.decompress(names["cars/2026/11/22.ndjson.gz"]).splitlines(keepends=True)) == expected_rows(fake)
    assert [name.rsplit(".g", 1)[0] for name in names if "_manifests" in name] == [
        "cars/2026/11/_manifests/22.ndjson.gz"
    ]


def test_the_same_export_at_an_explicit_key_counts_as_done(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    first = store.land(handle, key="night.ndjson.gz")
    before = store.look()
    assert store.land(handle, key="night.ndjson.gz") == first
    assert store.look() == before


@in_every_store
def test_another_object_at_an_explicit_key_is_refused_or_replaced_as_told(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake), key="night.ndjson.gz")
    before = store.look()
    other = start(fake, task_name="other")
    with pytest.raises(AirflowFailException, match="replace=True"):
        store.land(other, key="night.ndjson.gz")
    assert store.look() == before
    store.land(other, key="night.ndjson.gz", replace=True)
    assert other["export_id"] in {manifest.export.export_id for manifest in store.manifests()}


# --- options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "bzip2"}, ["compression='bzip2'", "'gzip'"]),
        ({"key": "x.gz", "rerun": "refuse"}, ["rerun='refuse'", "replace=False"]),
        ({"on_empty": "ignore"}, ["on_empty='ignore'", "manifest_only"]),
        ({"rerun": "append"}, ["rerun='append'", "'add', 'replace', 'refuse'"]),
        ({"max_object_bytes": 512}, ["max_object_bytes=512", "None", "65536"]),
        ({"max_error_rows": -1}, ["max_error_rows=-1"]),
        ({"max_error_rows": True}, ["max_error_rows=True"]),
        ({"workers": 0}, ["workers=0"]),
        ({"max_memory": 1000}, ["max_memory"]),
        ({"replace": True}, ["replace=True"]),
        ({"key": "folder/"}, ["folder"]),
        ({"key": "{window_begin}.gz"}, ["window_begin", "window_start"]),
        ({"key": "{window_start.gz"}, ["braces"]),
    ],
)
@in_every_store
def test_a_wrong_option_fails_while_the_dag_is_parsed(store: Store, options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        store.operator(export="{{ x }}", **options)
    assert [word for word in words if word not in str(refusal.value)] == []


@pytest.mark.parametrize("export", [3, {"export_id": "clx"}, "clx"])
def test_what_is_no_handle_is_refused(store: Store, export: Any) -> None:
    with pytest.raises((HandleError, AirflowFailException), match=r"start\.output"):
        store.land(export)
    assert store.look() == {}


def test_a_hand_edited_handle_is_refused_naming_the_member(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    handle["fingerprint"] = "sha256:abc"
    with pytest.raises((HandleError, AirflowFailException), match="fingerprint"):
        store.land(handle)
    assert store.look() == {}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["neither"]),
        ({"s3_bucket": "lake"}, ["s3_prefix", "s3_key", "neither"]),
        ({"s3_bucket": "lake", "s3_prefix": "a", "s3_key": "b"}, ["both"]),
        ({"s3_bucket": "lake", "s3_prefix": ""}, ["'/'"]),
        ({"s3_bucket": "lake", "s3_key": "s3://other/b"}, ["s3_bucket='lake'"]),
        ({"s3_key": "key-without-bucket"}, ["s3_bucket="]),
        ({"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"Acl": "private"}}, ["'Acl'", "ACL"]),
        ({"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"ContentEncoding": "gzip"}}, ["ContentEncoding"]),
        ({"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"SSECustomerKey": "k"}}, ["rendered fields"]),
    ],
)
def test_a_wrong_s3_target_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        LabelboxExportToS3Operator(task_id="land", export="{{ x }}", **options)
    assert any(word in str(refusal.value) for word in words)


@pytest.mark.parametrize("options", [{}, {"root": "relative"}, {"path": "relative.gz"}, {"root": "/a", "path": "/b"}])
def test_a_wrong_file_target_fails_while_the_dag_is_parsed(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"root|path"):
        LabelboxExportToFileOperator(task_id="land", export="{{ x }}", **options)


def test_a_directory_that_does_not_exist_is_taken_for_a_mount_that_failed(fake: FakeLabelbox, tmp_path: Path) -> None:
    task = LabelboxExportToFileOperator(task_id="land", export=start(fake), root=str(tmp_path / "not-mounted"))
    with pytest.raises(AirflowException, match="not-mounted"):
        task.execute(context_of("land"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_bucket_that_does_not_exist_is_named(fake: FakeLabelbox, store: Store) -> None:
    with pytest.raises(AirflowFailException, match="no-such-lake"):
        store.land(start(fake), s3_bucket="no-such-lake")


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_worker_without_aws_credentials_is_told_what_is_missing(fake: FakeLabelbox, store: Store) -> None:
    with pytest.raises(AirflowException, match="NoCredentialsError"):
        store.land(start(fake), aws_conn_id="aws_nowhere")


def test_a_directory_that_is_read_only_is_named(fake: FakeLabelbox, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder has to be")
    task = LabelboxExportToFileOperator(task_id="land", export=start(fake), root=str(tmp_path))
    with pytest.raises(AirflowException, match="data"):
        task.execute(context_of("land"))
    assert list(files(tmp_path)) == ["data"]


def test_every_field_may_be_templated_in_a_dag_that_has_params(fake: FakeLabelbox, tmp_path: Path) -> None:
    handle = start(fake)
    with some_dag(params={"root": str(tmp_path), "compression": "x"}):
        task = LabelboxExportToFileOperator(task_id="land", export=handle, root="{{ params.root }}/{{ params.folder }}")
    (tmp_path / "lake").mkdir()
    context = context_of("land", params={"root": str(tmp_path), "folder": "lake"})
    task.render_template_fields(context)
    task.execute(context)
    assert len(files(tmp_path / "lake")) == 3


def test_the_short_manifest_is_put_on_the_events_of_the_outlet_assets(fake: FakeLabelbox, store: Store) -> None:
    class Event:
        extra: Any = None

    class Events:
        """Events by asset, as Airflow's own accessor gives them; an asset has no hash before Airflow 3.2."""

        def __getitem__(self, key: Asset) -> Event:
            assert key == asset
            return event

    asset, event = Asset("labels"), Event()
    summary = store.operator(export=start(fake), outlets=[asset]).execute(context_of("land", outlet_events=Events()))
    assert event.extra == summary
    assert len(json.dumps(summary)) < 4096


@pytest.mark.parametrize(
    ("options", "root", "folder"),
    [
        ({}, "/manifests/", "/data/source=project/id=clprojectdemo000000000000"),
        ({"key": "cars/{window_start:%Y/%m}/night.gz"}, "/cars/", "/cars"),
    ],
    ids=["layout", "explicit key"],
)
@in_every_store
def test_an_outlet_alias_gets_an_event_of_the_folder_with_the_rows(
    fake: FakeLabelbox, store: Store, options: dict[str, Any], root: str, folder: str
) -> None:
    """A declared `AssetAlias` gets an event: one asset for all windows, with the short manifest as its extra."""
    alias, events = AssetAlias("nights"), OutletEventAccessors()
    task = store.operator(export=start(fake), outlets=[alias], **options)
    summary = task.execute(context_of("land", outlet_events=events))
    [event] = events[alias].asset_alias_events
    assert event.extra == summary
    assert event.dest_asset_key.uri == summary["manifest_uri"].partition(root)[0] + folder


def test_what_was_landed_is_one_line_of_the_log(
    fake: FakeLabelbox, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line has rows, objects, bytes, trimmed rows and seconds."""
    handle = start(fake)
    summary = store.land(handle)
    [trimmed] = [manifest.result.rows_trimmed for manifest in store.manifests()]
    rows = rf"{summary['rows']} rows in 1 object, \d+ bytes, {trimmed} rows trimmed \(outside of the window\)"
    what = rf"{rows}, \d+\.\d s\. Manifest: {re.escape(summary['manifest_uri'])}"
    assert re.search(f"Landed export {handle['export_id']}: {what}", capsys.readouterr().out)


def test_the_line_counts_what_was_trimmed_and_what_failed(fake: FakeLabelbox, store: Store) -> None:
    """Trimmed rows are counted apart from the landed ones, error rows too; a landing that moved nothing says so."""
    fake.faults.add(ErrorRows())
    store.land(start(fake), max_error_rows=1)
    [manifest] = store.manifests()
    trimmed = manifest.model_copy(update={"result": manifest.result.model_copy(update={"rows_trimmed": 3})})
    assert "3 rows trimmed (outside of the window), 1 error row, 1.5 s." in landing_line(
        LandedExport(trimmed, "u"), 1.5
    )
    assert "no bytes were moved" in landing_line(LandedExport(manifest, "u", moved=False), 1.5)


def test_the_json_schema_in_the_docs_is_that_of_the_manifest() -> None:
    schema = Path(__file__).parents[2] / "docs" / "manifest-v1.schema.json"
    assert json.loads(schema.read_text()) == Manifest.model_json_schema(mode="serialization")
