"""Options and targets of the transfers: an explicit key, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from support.airflow.tasks import context_of, some_dag
from support.airflow.transfer_stores import Store, expected_rows, in_every_store, start
from support.stores.servers import files

from labelbox_export_provider import LabelboxExportToFileOperator, LabelboxExportToS3Operator
from labelbox_export_provider.airflow_compat import AirflowException, AirflowFailException
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.testing import FakeLabelbox


@pytest.mark.parametrize("root", ["", None])
def test_a_target_that_a_template_emptied_is_refused(fake: FakeLabelbox, tmp_path: Path, root: str | None) -> None:
    """A target that a template emptied is refused and not treated as the root."""
    with some_dag(render_template_as_native_obj=True, params={"root": None}):
        task = LabelboxExportToFileOperator(task_id="land", export=start(fake), root="{{ params.root }}")
    task.render_template_fields(context_of("land", params={"root": root}))
    with pytest.raises(AirflowFailException, match="root rendered to"):
        task.execute(context_of("land"))


@in_every_store
def test_an_explicit_key_takes_fields_from_the_handle(fake: FakeLabelbox, store: Store) -> None:
    store.land(start(fake), key="cars/{window_start:%Y/%m}/{window_start:%d}.ndjson.gz")
    names = store.read_all()
    assert sorted(gzip.decompress(names["cars/2026/11/22.ndjson.gz"]).splitlines(keepends=True)) == expected_rows(fake)
    assert [name.rsplit(".g", 1)[0] for name in names if "_manifests" in name] == [
        "cars/2026/11/_manifests/22.ndjson.gz"
    ]


def test_the_same_export_at_an_explicit_key_counts_as_done(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    first = store.land(handle, key="night.ndjson.gz")
    before = store.read_all()
    assert store.land(handle, key="night.ndjson.gz") == first
    assert store.read_all() == before


@in_every_store
def test_another_object_at_a_key_is_refused_or_replaced(fake: FakeLabelbox, store: Store) -> None:
    """Another object at an explicit key is refused, or replaced with `replace=True`."""
    store.land(start(fake), key="night.ndjson.gz")
    before = store.read_all()
    other = start(fake, task_name="other")
    with pytest.raises(AirflowFailException, match="replace=True"):
        store.land(other, key="night.ndjson.gz")
    assert store.read_all() == before
    store.land(other, key="night.ndjson.gz", replace=True)
    assert other["export_id"] in {manifest.export.export_id for manifest in store.manifests()}


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
def test_what_is_not_a_handle_is_refused(store: Store, export: Any) -> None:
    """What is not a handle is refused."""
    with pytest.raises((HandleError, AirflowFailException), match=r"start\.output"):
        store.land(export)
    assert store.read_all() == {}


def test_a_hand_edited_handle_is_refused_naming_the_member(fake: FakeLabelbox, store: Store) -> None:
    handle = start(fake)
    handle["fingerprint"] = "sha256:abc"
    with pytest.raises((HandleError, AirflowFailException), match="fingerprint"):
        store.land(handle)
    assert store.read_all() == {}


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


def test_a_missing_directory_is_treated_as_a_failed_mount(fake: FakeLabelbox, tmp_path: Path) -> None:
    """A directory that does not exist is treated as a mount that failed."""
    task = LabelboxExportToFileOperator(task_id="land", export=start(fake), root=str(tmp_path / "not-mounted"))
    with pytest.raises(AirflowException, match="not-mounted"):
        task.execute(context_of("land"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_bucket_that_does_not_exist_is_named(fake: FakeLabelbox, store: Store) -> None:
    with pytest.raises(AirflowFailException, match="no-such-lake"):
        store.land(start(fake), s3_bucket="no-such-lake")


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_missing_aws_credentials_are_named(fake: FakeLabelbox, store: Store) -> None:
    """On a worker without AWS credentials the message names what is missing."""
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
