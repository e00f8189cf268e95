"""Targets that no store could take fail while the DAG is parsed, each with the option, the fault and what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labelbox_export_provider import (
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
)
from labelbox_export_provider.errors import ConfigurationError

Operator = LabelboxExportToS3Operator | LabelboxExportToGCSOperator | LabelboxExportToFileOperator

S3_BUCKETS = [
    ("s3://b", "s3_bucket='b'"),
    ("s3://b/labels", "put 'labels' into the prefix"),
    ("https://b.s3.amazonaws.com", "only the name in it"),
    ("arn:aws:s3:::b", "must be the bucket's name: 'b'"),
    ("b/sub", "'sub' belongs to the prefix"),
    (" b", "blank"),
    ("b\n", "blank or newline"),
    ("My Bucket!", "letters, digits"),
    ("b" * 256, "too many"),
]
GCS_BUCKETS = [
    ("gs://lake", "bucket_name='lake'"),
    ("lake/sub", "'sub' belongs to the prefix"),
    (" lake", "blank"),
    ("My Bucket!", "lowercase letters"),
    ("ab", "3 to 222"),
    ("-lake", "at both ends"),
]
PREFIXES = [
    ("a//b", "empty part"),
    ("//", "empty"),
    ("../up", "'..'"),
    ("a/./b", "'.'"),
    ("a\nb", r"'\n' at position 1"),
    ("a\x07", "control character"),
    ("a\u2028b", "control character"),
    ("\ud800", "not a character"),
    ("ä" * 513, "1026 bytes"),
]
KEYS = [("a//b.gz", "empty part"), ("../up.gz", "'..'"), ("a\n.gz", "control character"), ("ä" * 513, "1026 bytes")]


def refusal(operator: type[Operator], **options: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        operator(task_id="land", export="{{ x }}", **options)
    assert "sink_args" not in str(refused.value) or "sink_args" in options
    return str(refused.value)


@pytest.mark.parametrize(("bucket", "word"), S3_BUCKETS)
def test_what_is_no_s3_bucket_is_refused(bucket: str, word: str) -> None:
    """Also where the prefix or the key is a template."""
    for target in ({"s3_prefix": "labels"}, {"s3_prefix": "{{ x }}"}, {"s3_key": "{{ x }}"}):
        reported = refusal(LabelboxExportToS3Operator, s3_bucket=bucket, **target)
        assert "s3_bucket=" in reported
        assert word in reported


@pytest.mark.parametrize(("bucket", "word"), GCS_BUCKETS)
def test_what_is_no_gcs_bucket_is_refused(bucket: str, word: str) -> None:
    """Also where the name of the object is a template."""
    for target in ({"object_prefix": "labels"}, {"object_name": "{{ x }}"}):
        reported = refusal(LabelboxExportToGCSOperator, bucket_name=bucket, **target)
        assert "bucket_name=" in reported
        assert word in reported


@pytest.mark.parametrize(("prefix", "word"), PREFIXES)
def test_a_prefix_below_which_no_object_can_be_is_refused(prefix: str, word: str) -> None:
    """The same rules hold in S3 and in GCS."""
    assert word in refusal(LabelboxExportToS3Operator, s3_bucket="lake", s3_prefix=prefix)
    assert word in refusal(LabelboxExportToGCSOperator, bucket_name="lake", object_prefix=prefix)
    assert "s3_prefix=" in refusal(LabelboxExportToS3Operator, s3_bucket="{{ x }}", s3_prefix=prefix)


@pytest.mark.parametrize(("key", "word"), KEYS)
def test_a_key_that_no_object_can_have_is_refused(key: str, word: str) -> None:
    """Given alone, as a full address, or beside a bucket that a template fills in."""
    assert word in refusal(LabelboxExportToS3Operator, s3_bucket="lake", s3_key=key)
    assert word in refusal(LabelboxExportToS3Operator, s3_key=f"s3://lake/{key}")
    assert word in refusal(LabelboxExportToGCSOperator, bucket_name="lake", object_name=key)
    assert word in refusal(LabelboxExportToGCSOperator, object_name=f"gs://lake/{key}")
    assert word in refusal(LabelboxExportToS3Operator, s3_bucket="{{ x }}", s3_key=key)
    assert word in refusal(LabelboxExportToGCSOperator, bucket_name="{{ x }}", object_name=key)


@pytest.mark.parametrize(
    ("operator", "options", "word"),
    [
        (LabelboxExportToS3Operator, {"s3_prefix": "s3://b/labels"}, "s3_bucket='b' and s3_prefix='labels'"),
        (LabelboxExportToS3Operator, {"s3_bucket": "lake", "s3_key": "https://b/x.gz"}, "web address"),
        (LabelboxExportToS3Operator, {"s3_key": "s3://My Bucket!/x.gz"}, "The bucket of s3_key='My Bucket!'"),
        (LabelboxExportToGCSOperator, {"object_prefix": "gs://b/labels"}, "bucket_name='b' and object_prefix='labels'"),
        (LabelboxExportToGCSOperator, {"bucket_name": "lake", "object_name": "s3://b/x.gz"}, "gs:// address"),
        (LabelboxExportToFileOperator, {"root": "file:///data/labels"}, "'/data/labels'"),
        (LabelboxExportToFileOperator, {"path": "s3://lake/x.gz"}, "full address"),
    ],
)
def test_a_full_address_where_a_name_is_wanted_is_called_so(
    operator: type[Operator], options: dict[str, str], word: str
) -> None:
    """With what to write instead."""
    assert word in refusal(operator, **options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"path": "/data/x/../y"}, "'..'"),
        ({"path": "/data/{window_start:%Y}/../y.gz"}, "'..'"),
        ({"path": "/data/{window_start:%Y}//y.gz"}, "empty part"),
        ({"path": "/data/x\n"}, "control character"),
        ({"root": "/data/../x"}, "'..'"),
        ({"root": "/data\n"}, "control character"),
    ],
)
def test_a_path_that_leaves_its_place_is_refused(options: dict[str, str], word: str) -> None:
    """A directory that is not the one which was written would be used."""
    assert word in refusal(LabelboxExportToFileOperator, **options)


def test_part_bytes_below_the_least_of_the_store_are_refused() -> None:
    """S3 and Google Cloud Storage take 5 MiB at least."""
    gcs, s3 = {"bucket_name": "lake", "object_prefix": "a"}, {"s3_bucket": "lake", "s3_prefix": "a"}
    for operator, target in ((LabelboxExportToGCSOperator, gcs), (LabelboxExportToS3Operator, s3)):
        assert "part_bytes=4194304 must be 5242880" in refusal(operator, part_bytes=4 * 1024**2, **target)
        operator(task_id="land", export="{{ x }}", part_bytes=5 * 1024**2, **target)


@pytest.mark.parametrize(
    ("sink_args", "word"),
    [
        ({"Tagging": {"team": "labels"}}, "'team=labels&kind=export'"),
        ({"BucketKeyEnabled": "true"}, "True or False"),
        ({"SSEKMSKeyId": 77123}, "text"),
        ({"StorageClass": None}, "text"),
        ({"ObjectLockRetainUntilDate": "in a year"}, "ISO 8601"),
        ({"SSEKMSKeyId": "{{ x }}", "BucketKeyEnabled": "yes"}, "True or False"),
    ],
)
def test_a_value_that_the_s3_client_refuses_is_refused(sink_args: dict[str, Any], word: str) -> None:
    """The value is not quoted."""
    reported = refusal(LabelboxExportToS3Operator, s3_bucket="lake", s3_prefix="a", sink_args=sink_args)
    assert word in reported
    assert "77123" not in reported


@pytest.mark.parametrize(
    ("sink_args", "word"),
    [
        ({"predefined_acl": "public"}, "projectPrivate"),
        ({"kms_key_name": "my-key"}, "cryptoKeys"),
        ({"custom_time": "{{ x }}", "storage_class": 5}, "a str, not int"),
    ],
)
def test_a_value_that_gcs_refuses_is_refused(sink_args: dict[str, Any], word: str) -> None:
    """Templates beside it are left for later."""
    assert word in refusal(LabelboxExportToGCSOperator, bucket_name="lake", object_prefix="a", sink_args=sink_args)


@pytest.mark.parametrize(
    "options",
    [
        {"s3_bucket": "Old_Bucket.name", "s3_prefix": "/"},
        {"s3_bucket": "lake", "s3_prefix": "/labels/", "part_bytes": 5 * 1024**2},
        {"s3_bucket": "lake", "s3_prefix": "my labels/größe"},
        {"s3_bucket": "arn:aws:s3:eu-west-1:111122223333:accesspoint/lake", "s3_prefix": "a"},
        {"s3_bucket": "{{ x }}", "s3_prefix": "{{ y }}//"},
        {"s3_key": "s3://lake/{window_start:%Y/%m/%d}/{export_id}.gz"},
        {"s3_bucket": "lake", "s3_key": "/a..b/{{ '{{' }}"},
        {"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"Expires": "2027-01-01T00:00:00Z", "Tagging": "a=b"}},
        {"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"Expires": "Fri, 01 Jan 2027 00:00:00 GMT"}},
        {"s3_bucket": "lake", "s3_prefix": "a", "sink_args": {"BucketKeyEnabled": "{{ x }}", "Tagging": "{{ y }}"}},
    ],
    ids=json.dumps,
)
def test_a_target_that_works_is_taken(options: dict[str, Any]) -> None:
    """Old buckets, access points, blanks and letters of any language are."""
    LabelboxExportToS3Operator(task_id="land", export="{{ x }}", **options)


def test_a_directory_with_doubled_slashes_is_taken() -> None:
    """They come from putting paths together, and mean nothing to a file system."""
    LabelboxExportToFileOperator(task_id="land", export="{{ x }}", root="/data//labels/")
    LabelboxExportToFileOperator(task_id="land", export="{{ x }}", path="/data//labels/{window_start:%Y}.gz")
