"""Which of a bucket's lifecycle rules removes an unfinished upload, and after how many days."""

from __future__ import annotations

from typing import Any

import pytest
from support.stores.servers import BUCKET, gcs_client, s3_client

from labelbox_export_provider.errors import StorageDeniedError, StorageUnavailableError
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import Fault, StrictGCS, StrictS3

KEY = "lake/data/rows.00000.ndjson.gz"
ABORT = "AbortIncompleteMultipartUpload"
TAG = {"Key": "team", "Value": "vision"}

OF_S3: dict[str, tuple[dict[str, Any], int | None]] = {
    "of the whole bucket": ({"Filter": {}}, 2),
    "by prefix": ({"Filter": {"Prefix": "lake/"}}, 2),
    "by another prefix": ({"Filter": {"Prefix": "lakes/"}}, None),
    "in the old form": ({"Prefix": "lake/"}, 2),
    "in the old form, by another prefix": ({"Prefix": "pool/"}, None),
    "with a prefix among others": ({"Filter": {"And": {"Prefix": "lake/", "Tags": [TAG]}}}, None),
    "by tag": ({"Filter": {"Tag": TAG}}, None),
    "by size": ({"Filter": {"ObjectSizeGreaterThan": 1}}, None),
    "switched off": ({"Filter": {}, "Status": "Disabled"}, None),
    "about objects": ({"Filter": {}, ABORT: None, "Expiration": {"Days": 1}}, None),
}


@pytest.mark.parametrize("case", OF_S3)
def test_a_rule_of_s3_applies_by_its_filter(strict: StrictS3, case: str) -> None:
    """A rule that is switched off, of other keys or about something else does not count."""
    changes, days = OF_S3[case]
    given = {"ID": "a rule", "Status": "Enabled", ABORT: {"DaysAfterInitiation": 2}, **changes}
    rule = {name: value for name, value in given.items() if value is not None}
    client = s3_client(strict.address)
    client.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    found = S3Sink(client, BUCKET).upload_rule(KEY)
    assert (found and found.days) == days
    assert found is None or found.name == "the lifecycle rule 'a rule'"


def test_a_bucket_of_s3_without_rules_has_none(strict: StrictS3) -> None:
    """Its own answer for that is no error; the owner that is expected goes with the call, who pays does not."""
    sink_args = {"ExpectedBucketOwner": "111122223333", "RequestPayer": "requester"}
    assert S3Sink(s3_client(strict.address), BUCKET, sink_args).upload_rule(KEY) is None
    (call,) = strict.calls
    assert call.operation == "GetBucketLifecycleConfiguration"
    assert call.headers.get("x-amz-expected-bucket-owner") == "111122223333"
    assert "x-amz-request-payer" not in call.headers


OF_GCS: dict[str, tuple[str, dict[str, Any], int | None, str]] = {
    "of the whole bucket": (ABORT, {"age": 2}, 2, "the lifecycle rule for the whole bucket"),
    "by prefixes": (
        ABORT,
        {"age": 2, "matchesPrefix": ["a/", "lake/"]},
        2,
        "the lifecycle rule for 'a/', 'lake/'",
    ),
    "by another prefix": (ABORT, {"age": 2, "matchesPrefix": ["lakes/"]}, None, ""),
    "by suffix": (ABORT, {"age": 0, "matchesSuffix": [".gz"]}, 0, "the lifecycle rule for '.gz'"),
    "by another suffix": (ABORT, {"age": 2, "matchesPrefix": ["lake/"], "matchesSuffix": [".zst"]}, None, ""),
    "about objects": ("Delete", {"age": 2}, None, ""),
}


@pytest.mark.parametrize("case", OF_GCS)
def test_a_rule_of_gcs_applies_by_its_conditions(server: StrictGCS, case: str) -> None:
    """Prefixes and suffixes are alternatives among themselves, and both have to fit."""
    action, condition, days, name = OF_GCS[case]
    server.lifecycle = {"rule": [{"action": {"type": action}, "condition": condition}]}
    found = GCSSink(gcs_client(server.address), BUCKET).upload_rule(KEY)
    assert (found and found.days) == days
    assert found is None or found.name == name


def test_a_rule_that_may_not_be_read_names_the_permission(strict: StrictS3, server: StrictGCS) -> None:
    """Each store has one for the bucket's settings, which a landing does not need."""
    strict.denied = frozenset({"GetBucketLifecycleConfiguration"})
    with pytest.raises(StorageDeniedError, match="s3:GetLifecycleConfiguration"):
        S3Sink(s3_client(strict.address), BUCKET).upload_rule(KEY)
    server.denied = frozenset({"storage.buckets.get"})
    with pytest.raises(StorageDeniedError, match=r"storage\.buckets\.get"):
        GCSSink(gcs_client(server.address), BUCKET).upload_rule(KEY)


def test_a_busy_store_is_no_store_without_rules(strict: StrictS3) -> None:
    """Its answer is an error, not None."""
    strict.fault = lambda call: Fault(status=503, code="SlowDown")
    with pytest.raises(StorageUnavailableError):
        S3Sink(s3_client(strict.address), BUCKET).upload_rule(KEY)
