"""With source=, the store is asked before the export is started: what it lacks does not cost an export."""

from __future__ import annotations

import os
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from support.airflow.asked_stores import KMS, START, refused
from support.airflow.versions import finds_out_that_connections_are_missing
from support.failing_tasks import DagHarness
from support.stores.servers import files

from labelbox_export_provider.airflow_compat import AirflowException
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.streaming.pipeline.memory_plan import MIB, plan_memory
from labelbox_export_provider.testing.object_store import Fault, StrictGCS, StrictS3


def test_a_missing_bucket_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The message names the bucket and the option."""
    reported = refused(night, s3_bucket="no-such-lake")
    assert "'no-such-lake'" in reported
    assert f"for the AWS connection 'aws_default' (endpoint {s3.address.removeprefix('http://')})" in reported
    assert "s3_bucket" in reported
    assert "sink_args" not in reported


def test_a_bucket_that_may_not_be_written_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The permission to write is named; that looking is allowed makes no difference."""
    s3.denied = frozenset({"PutObject", "CreateMultipartUpload"})
    assert "s3:PutObject" in refused(night, s3_bucket="lake")


def test_a_kms_key_that_may_not_be_used_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The action and the key that AWS names are in the message."""
    s3.fault = lambda call: Fault(code="AccessDenied", status=403, message=KMS)
    reported = refused(
        night, s3_bucket="lake", sink_args={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:k"}
    )
    assert "needs kms:GenerateDataKey on the KMS key arn:aws:k" in " ".join(reported.split())  # lines are wrapped
    assert "s3:PutObject" not in reported


def test_a_kms_key_that_may_not_decrypt_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """It is needed for parts alone; the upload is aborted all the same."""
    words = KMS.replace("GenerateDataKey", "Decrypt")
    denied = Fault(code="AccessDenied", status=403, message=words)
    s3.fault = lambda call: denied if call.operation == "UploadPart" else None
    assert "needs kms:Decrypt on the KMS key" in refused(night, s3_bucket="lake")
    assert s3.open_uploads() == []


def test_a_store_without_client_checksums_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The setting of the connection is named."""
    s3.fault = lambda call: Fault(code="MissingContentLength", status=411) if call.operation == "UploadPart" else None
    assert "request_checksum_calculation" in refused(night, s3_bucket="lake")


def test_a_refused_sink_arg_starts_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The store's own words are in the message."""
    s3.fault = lambda call: Fault(code="InvalidStorageClass", status=400, message="The class you gave is not valid")
    reported = refused(night, s3_bucket="lake", sink_args={"StorageClass": "COLDEST"})
    assert "The class you gave is not valid" in reported
    assert "sink_args" in reported


def test_missing_aws_credentials_start_no_export(night: DagHarness, s3: StrictS3) -> None:
    """An unknown connection leaves boto3 without credentials."""
    reported = refused(night, s3_bucket="lake", aws_conn_id="aws_nowhere")
    assert "NoCredentialsError" in reported
    assert "The AWS connection 'aws_nowhere' is incomplete" in reported


def test_rights_that_end_at_data_start_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The manifest is written last, so its place is tried as well."""
    denied = Fault(code="AccessDenied", status=403)
    s3.fault = lambda call: None if call.key.startswith("labels/data/") else denied
    assert "labels/manifests/" in refused(night, s3_bucket="lake")


@pytest.mark.parametrize("rerun", ["refuse", "replace"])
def test_a_listing_that_is_denied_starts_no_export(night: DagHarness, s3: StrictS3, rerun: str) -> None:
    """Other generations could not be found."""
    s3.denied = frozenset({"ListObjectsV2"})
    assert "s3:ListBucket" in refused(night, s3_bucket="lake", rerun=rerun)


def test_asking_leaves_nothing_and_the_export_lands(night: DagHarness, s3: StrictS3) -> None:
    """Uploads are created and aborted, below the prefix alone, before the export is started."""
    started: list[int] = []
    s3.fault = lambda call: started.append(len(night.fake.requests.asking(START))) if call.turn >= 0 else None
    night.all_in_one(s3_bucket="lake")
    asked = [call for call, before in zip(s3.calls, started, strict=True) if not before]
    assert Counter(call.operation for call in asked) == dict.fromkeys(
        ("CreateMultipartUpload", "UploadPart", "AbortMultipartUpload"), 2
    )
    assert {"/".join(call.key.split("/")[:2]) for call in asked} == {"labels/data", "labels/manifests"}
    assert s3.open_uploads() == []
    assert len(s3.visible()) == 3


def test_the_write_only_policy_is_enough(night: DagHarness, s3: StrictS3) -> None:
    """The check reads and lists nothing."""
    s3.denied = frozenset({"GetObject", "HeadObject", "ListObjectsV2", "ListMultipartUploads", "DeleteObject"})
    assert night.all_in_one(s3_bucket="lake")["state"] == "ok"


def test_an_upload_that_may_not_be_aborted_is_logged(
    night: DagHarness, s3: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not stop the task, which needs that permission only to clean up."""
    s3.denied = frozenset({"AbortMultipartUpload"})
    assert night.all_in_one(s3_bucket="lake")["state"] == "ok"
    assert "s3:AbortMultipartUpload" in caplog.text
    assert "lifecycle rule" in caplog.text


def test_more_workers_than_connections_start_no_export(night: DagHarness, s3: StrictS3) -> None:
    """The setting of the connection that allows them is named."""
    assert '"max_pool_connections": 16' in refused(night, s3_bucket="lake", workers=16)


def test_objects_larger_than_the_store_takes_start_no_export(night: DagHarness, s3: StrictS3) -> None:
    """S3 has objects of up to 5 TiB."""
    assert "must be at most 5497558138880" in refused(night, s3_bucket="lake", max_object_bytes=6 << 40)


def test_the_longest_export_for_one_object_is_told_first(
    night: DagHarness, s3: StrictS3, caplog: pytest.LogCaptureFixture
) -> None:
    """S3 takes 10,000 parts, two of them held; how long an export is shows once it has run."""
    night.all_in_one(s3_bucket="lake", s3_prefix=None, s3_key="rows.ndjson.gz")
    (told,) = [record.getMessage() for record in caplog.records if "once it has run" in record.getMessage()]
    found = re.search(r"up to (\d+) GiB with these options.*max_memory=(\d+) at least", told)
    assert found, told
    assert 420 <= int(found[1]) <= 450
    enough = int(found[2])
    plan_memory(size=5 << 40, max_memory=enough)
    with pytest.raises(ConfigurationError):
        plan_memory(size=5 << 40, max_memory=enough - MIB)


def test_a_missing_bucket_in_gcs_starts_no_export(night: DagHarness, gcs: StrictGCS) -> None:
    """The message names the bucket and the option."""
    reported = refused(night, bucket_name="no-such-lake")
    assert "'no-such-lake'" in reported
    assert "bucket_name" in reported


def test_a_gcs_bucket_that_may_not_be_written_starts_no_export(night: DagHarness, gcs: StrictGCS) -> None:
    """The permission to create is named."""
    gcs.denied = frozenset({"storage.objects.create"})
    assert "storage.objects.create" in refused(night, bucket_name="lake")


@pytest.mark.skipif(not finds_out_that_connections_are_missing(), reason="this Airflow can tell only in a task")
def test_a_missing_google_connection_starts_no_export(night: DagHarness) -> None:
    """It is reported as any failure is, with the connection's name and what to do."""
    night.patch.delenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", raising=False)
    reported = refused(night, bucket_name="lake", gcp_conn_id="google_nowhere")
    assert "There is no Airflow connection 'google_nowhere'" in reported
    assert "gcp_conn_id" in reported


def test_a_listing_that_gcs_denies_starts_no_export(night: DagHarness, gcs: StrictGCS) -> None:
    """Other generations could not be found."""
    gcs.denied = frozenset({"storage.objects.list"})
    assert "storage.objects.list" in refused(night, bucket_name="lake", rerun="refuse")


def test_asking_gcs_leaves_no_open_upload(night: DagHarness, gcs: StrictGCS) -> None:
    """Two uploads are opened and aborted, with the right to create alone."""
    gcs.denied = frozenset({"storage.objects.get", "storage.objects.list", "storage.objects.delete"})
    night.all_in_one(bucket_name="lake")
    assert [call.operation for call in gcs.calls].count("AbortMultipartUpload") == 2
    assert gcs.open_uploads() == []


def test_a_retry_over_its_own_object_needs_no_right_to_delete(night: DagHarness, gcs: StrictGCS) -> None:
    """GCS refuses to write over an object then, which is no reason to stop."""
    gcs.denied = frozenset({"storage.objects.delete"})
    night.all_in_one(bucket_name="lake", object_prefix=None, object_name="labels/night.gz")
    night.retried("land")
    assert night.all_in_one(bucket_name="lake", object_prefix=None, object_name="labels/night.gz")["state"] == "ok"
    assert len(night.fake.exports) == 1


def test_a_missing_directory_starts_no_export(night: DagHarness) -> None:
    """It is treated as a mount that failed."""
    night.root = night.root / "not-mounted"
    assert "not-mounted" in refused(night)


def test_a_directory_that_cannot_be_written_starts_no_export(night: DagHarness) -> None:
    """A file is where a directory has to be made, which holds for every user."""
    (night.root / "data").write_text("a file")
    assert "data" in refused(night)
    assert list(files(night.root)) == ["data"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_directory_starts_no_export(night: DagHarness) -> None:
    """The user of the worker needs write access."""
    night.root.chmod(0o500)
    try:
        assert "write access" in refused(night)
    finally:
        night.root.chmod(0o700)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="Linux has a directory in which nobody may make a file")
def test_a_directory_that_takes_no_files_starts_no_export(night: DagHarness) -> None:
    """The check creates a file, since permissions do not show it, and root has all of them."""
    night.root = Path("/sys/kernel")
    assert re.search("write access|mounted read-only", refused(night))


def test_asking_a_directory_leaves_nothing(night: DagHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """No directory is made for it either."""
    night.fake.change(running_exports_per_project=0)
    with pytest.raises(AirflowException, match="limit_timeout"):
        night.all_in_one(limit_timeout=timedelta(seconds=1))
    assert list(night.root.iterdir()) == []
