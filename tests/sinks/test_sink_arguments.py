"""The arguments of the client libraries that are listed here, since the libraries load too slowly at parse time."""

from __future__ import annotations

import pytest

from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.bucket_names import check_s3_bucket
from labelbox_export_provider.sinks.gcs.arguments import PREDEFINED_ACLS, parse
from labelbox_export_provider.sinks.s3.arguments import ALLOWED, FLAGS, TIMES


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "PutObject"])
def test_types_of_s3_arguments_are_those_of_the_service_model(operation: str) -> None:
    """Flags, times, and texts for all else."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("s3").operation_model(operation).input_shape
    types = {name: model.members[name].type_name for name in ALLOWED if name in model.members}
    wanted = {name: "boolean" if name in FLAGS else "timestamp" if name in TIMES else "string" for name in types}
    assert types == wanted
    assert types.keys() == ALLOWED


@pytest.mark.parametrize(
    "bucket",
    [
        "lake", "Old_Bucket", "b" * 255, "b" * 256, "b/sub", " b", "My Bucket!", "",
        "arn:aws:s3:eu-west-1:111122223333:accesspoint/lake", "arn:aws-cn:s3:cn-north-1:111122223333:accesspoint:lake",
        "arn:aws:s3-outposts:eu-west-1:111122223333:outpost/o-1/accesspoint/lake", "arn:aws:s3:::lake",
    ],
)  # fmt: skip
def test_buckets_are_refused_as_the_client_refuses_them(bucket: str) -> None:
    """No name that works is refused, and none that does not is let through."""
    from botocore.exceptions import ParamValidationError
    from botocore.handlers import validate_bucket_name

    try:
        validate_bucket_name({"Bucket": bucket})
    except ParamValidationError:
        with pytest.raises(ConfigurationError, match="s3_bucket"):
            check_s3_bucket("s3_bucket", bucket)
    else:
        check_s3_bucket("s3_bucket", bucket)


@pytest.mark.parametrize(
    "bucket",
    [
        "lake--use1-az4--x-s3", "lake--use1-az4--xa-s3",
        "arn:aws:s3express:us-east-1:111122223333:accesspoint/lake--use1-az4--xa-s3",
    ],
)  # fmt: skip
def test_directory_buckets_are_refused_by_name(bucket: str) -> None:
    """S3 Express lists whole folders only, so what a killed try left could not be told from another's."""
    with pytest.raises(ConfigurationError, match=r"s3_bucket.*directory bucket.*general purpose bucket"):
        check_s3_bucket("s3_bucket", bucket)


def test_predefined_acls_are_those_of_the_client_for_objects() -> None:
    """In both spellings; one of the library's names is for buckets alone."""
    from google.cloud.storage.acl import ACL

    assert {*PREDEFINED_ACLS, "publicReadWrite"} == ACL.PREDEFINED_JSON_ACLS
    for spelling, name in ACL.PREDEFINED_XML_ACLS.items():
        if name in PREDEFINED_ACLS:
            assert parse({"predefined_acl": spelling}) == {"predefined_acl": name}
