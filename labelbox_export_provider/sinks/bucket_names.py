"""The rules for bucket names of the stores and their client libraries, which are not loaded for it."""

from __future__ import annotations

import re

from labelbox_export_provider.domain.options.object_keys import check_no_address
from labelbox_export_provider.errors import ConfigurationError

_S3_NAME = re.compile(r"[a-zA-Z0-9._-]{1,255}", re.ASCII)
"""botocore's own rule, which is wider than that of AWS: other stores that speak S3 have older or other rules."""
_S3_ARN = re.compile(
    r"arn:aws[^:]*:(?:s3|s3-object-lambda):[a-z0-9-]*:\d{12}:accesspoint[/:][a-zA-Z0-9.-]{1,63}"
    r"|arn:aws[^:]*:s3-outposts:[a-z0-9-]+:\d{12}:outpost[/:][a-zA-Z0-9-]{1,63}[/:]accesspoint[/:][a-zA-Z0-9-]{1,63}",
    re.ASCII,
)
_DIRECTORY_BUCKETS = ("--x-s3", "--xa-s3")
"""Ends of the names of directory buckets and of their access points."""
_BUCKET_ARN = re.compile(r"arn:aws[^:]*:s3:::([^/]*)")
_GCS_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)


def check_s3_bucket(option: str, name: str) -> None:
    """Refuse what can be neither a bucket's name nor the ARN of an access point."""
    check_no_address(option, name, f"write {option}='{{bucket}}' and put '{{rest}}' into the prefix or key")
    if found := _BUCKET_ARN.match(name):
        raise ConfigurationError(
            f"{option}={name!r} is the ARN of a bucket. It must be the bucket's name: {found[1]!r}."
        )
    if name.endswith(_DIRECTORY_BUCKETS):
        raise ConfigurationError(
            f"{option}={name!r} is a directory bucket of S3 Express One Zone, which lists whole folders only, so that "
            "what a killed try left cannot be told from another's. Use a general purpose bucket."
        )
    if _S3_NAME.fullmatch(name) is None and _S3_ARN.fullmatch(name) is None:
        raise ConfigurationError(
            f"{option}={name!r} cannot be a bucket: {_fault(name)}. It must be the bucket's name alone (letters, "
            "digits, '.', '-' and '_'), or the ARN of an access point."
        )


def check_gcs_bucket(option: str, name: str) -> None:
    """Refuse what cannot be a bucket's name in Google Cloud Storage."""
    check_no_address(option, name, f"write {option}='{{bucket}}' and put '{{rest}}' into the prefix or name")
    if _GCS_NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"{option}={name!r} cannot be a bucket: {_fault(name)}. It must be the bucket's name alone: 3 to 222 "
            "lowercase letters, digits, '.', '-' and '_', with a letter or digit at both ends."
        )


def _fault(name: str) -> str:
    if "/" in name:
        bucket, _, rest = name.partition("/")
        return f"it continues after a '/'; the bucket may be {bucket!r}, and {rest!r} belongs to the prefix or key"
    if name != name.strip():
        return "it has a blank or newline at an end"
    return "it has characters that a name must not have, or too many or too few characters"
