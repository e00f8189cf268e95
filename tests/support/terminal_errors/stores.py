"""Stores that are missing, refuse or fail."""

from __future__ import annotations

from support.failing_tasks import DagHarness
from support.terminal_errors.registry import situation

from labelbox_export_provider import errors
from labelbox_export_provider.testing.object_store import Fault


@situation(errors.StorageError)
def land_in_a_bucket_that_does_not_exist(night: DagHarness) -> None:
    with night.s3():
        night.land(night.start(), s3_bucket="no-such-lake")


@situation(errors.StorageError)
def land_with_an_aws_connection_that_gives_no_client(night: DagHarness) -> None:
    night.patch.setenv("AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"profile_name": "nobody"}}')
    night.land(night.start(), s3_bucket="lake")


@situation(errors.ObjectExistsError)
def land_where_something_else_is(night: DagHarness) -> None:
    path = str(night.root / "night.ndjson.gz")
    night.land(night.start(), path=path)
    night.land(night.start(filters={"data_row_ids": night.fake.row_ids()[:12]}), path=path)


@situation(errors.ObjectExistsError)
def land_a_window_that_is_landed_already(night: DagHarness) -> None:
    night.land(night.start())
    night.cleared("start")
    night.land(night.start(), rerun="refuse")


@situation(errors.ObjectExistsError)
def land_nothing_in_gcs_where_something_appears_meanwhile(night: DagHarness) -> None:
    handle = night.start(filters={"global_keys": ["no-such-key"]})
    with night.gcs(reads=404, writes=412, message="At least one of the pre-conditions you specified did not hold."):
        night.land(handle, bucket_name="lake", object_name="night.gz", object_prefix=None, on_empty="write_empty")


@situation(errors.StorageUnavailableError)
def land_on_a_share_that_is_not_mounted(night: DagHarness) -> None:
    night.land(night.start(), root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def land_on_such_a_share_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.land(night.start(), root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def all_in_one_on_a_share_that_is_not_mounted(night: DagHarness) -> None:
    night.all_in_one(root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def all_in_one_on_such_a_share_with_the_last_try(night: DagHarness) -> None:
    night.instance("land").max_tries = 0
    night.all_in_one(root=str(night.root / "share"))


@situation(errors.StorageUnavailableError)
def land_in_a_store_that_fails_before_the_manifest(night: DagHarness) -> None:
    broken = Fault(code="InternalError", status=500)
    with night.s3(fault=lambda call: broken if "uris/" in call.key and call.operation == "PutObject" else None):
        night.land(night.start(), s3_bucket="lake")


@situation(errors.StorageError)
def all_in_one_in_a_bucket_that_does_not_exist(night: DagHarness) -> None:
    with night.s3():
        night.all_in_one(s3_bucket="no-such-lake")


@situation(errors.StorageError)
def all_in_one_without_a_google_connection(night: DagHarness) -> None:
    night.patch.delenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", raising=False)
    night.all_in_one(bucket_name="lake", gcp_conn_id="google_nowhere")


@situation(errors.StorageDeniedError)
def all_in_one_without_the_right_to_use_the_kms_key(night: DagHarness) -> None:
    words = (
        "User: arn:aws:iam::111122223333:user/worker is not authorized to perform: kms:GenerateDataKey on resource: "
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd because no identity-based policy allows the action"
    )
    with night.s3(fault=lambda call: Fault(code="AccessDenied", status=403, message=words)):
        night.all_in_one(s3_bucket="lake", sink_args={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "1234abcd"})


@situation(errors.StorageDeniedError)
def land_without_the_right_to_write_to_s3(night: DagHarness) -> None:
    with night.s3(denied=frozenset({"PutObject"})):
        night.land(night.start(), s3_bucket="lake")


@situation(errors.StorageUnsupportedError)
def land_in_a_store_that_cannot_list(night: DagHarness) -> None:
    no_such_call = Fault(code="NotImplemented", status=501)
    with night.s3(fault=lambda call: no_such_call if call.operation == "ListObjectsV2" else None):
        night.land(night.start(), s3_bucket="lake", rerun="replace")


@situation(errors.StorageDeniedError)
def land_without_the_right_to_write_to_gcs(night: DagHarness) -> None:
    with night.gcs(reads=403, writes=403, message="The account does not have storage.objects.create access."):
        night.land(night.start(), bucket_name="lake")


@situation(errors.ObjectChangedError)
def land_nothing_in_gcs_where_another_writer_comes_first(night: DagHarness) -> None:
    handle = night.start(filters={"global_keys": ["no-such-key"]})
    destination = {"bucket_name": "lake", "object_name": "night.gz", "object_prefix": None}
    with night.gcs(reads=404, writes=412, message="At least one of the pre-conditions you specified did not hold."):
        night.land(handle, **destination, replace=True, on_empty="write_empty")
