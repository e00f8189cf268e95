"""The limits of S3 uploads, and the `sink_args` of an S3 transfer by the calls that take them."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.errors import ConfigurationError

MIN_PART_BYTES = 5 * 1024**2
MAX_PART_BYTES = 5 * 1024**3

OF_EVERY_CALL = frozenset({"ExpectedBucketOwner", "RequestPayer"})
"""Those of all calls; the others are only of calls that create an object."""
_CREATE = frozenset(
    {
        "ACL",
        "BucketKeyEnabled",
        "CacheControl",
        "ContentDisposition",
        "ContentLanguage",
        "Expires",
        "GrantFullControl",
        "GrantRead",
        "GrantReadACP",
        "GrantWriteACP",
        "ObjectLockLegalHoldStatus",
        "ObjectLockMode",
        "ObjectLockRetainUntilDate",
        "SSEKMSEncryptionContext",
        "SSEKMSKeyId",
        "ServerSideEncryption",
        "StorageClass",
        "Tagging",
        "WebsiteRedirectLocation",
    }
)
ALLOWED = OF_EVERY_CALL | _CREATE
FLAGS = frozenset({"BucketKeyEnabled"})
TIMES = frozenset({"Expires", "ObjectLockRetainUntilDate"})
"""All others are text in the service model of the client library, which is too heavy to load while parsing."""
_WHY_NOT = {
    "ContentEncoding": "it is never set, since readers would decompress twice; use compression=",
    "ContentType": "it follows from the content",
    "Metadata": "export id, byte range and checksum are recorded there",
    "Body": "the transfer sets it",
    "Bucket": "use s3_bucket=",
    "Key": "use s3_prefix= or s3_key=",
    "IfNoneMatch": "use replace=",
    **dict.fromkeys(
        ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5"),
        "the key would be readable in the rendered fields; use ServerSideEncryption='aws:kms' with "
        "SSEKMSKeyId, or the bucket's default encryption",
    ),
}


def check_literals(given: Mapping[str, Any]) -> None:
    """Refuse names and values that no call takes, values as far as they are known while a DAG is parsed."""
    for name, value in given.items():
        _check_name(name)
        if not is_template(value):
            _check_value(name, value)


def _check_name(name: str) -> None:
    if name in ALLOWED:
        return
    near = difflib.get_close_matches(str(name), ALLOWED, n=1)
    reason = f" ({_WHY_NOT[name]})" if name in _WHY_NOT else ""
    hint = f" Did you mean {near[0]!r}?" if near and not reason else ""
    raise ConfigurationError(
        f"sink_args: {name!r} cannot be set{reason}.{hint} It must be one of {', '.join(sorted(ALLOWED))}."
    )


def _check_value(name: str, value: Any) -> None:
    if name in FLAGS:
        good, wanted = isinstance(value, bool), "True or False"
    elif name in TIMES:
        good, wanted = _is_time(value), "a datetime, or its text in ISO 8601 such as '2026-11-22T02:00:00+00:00'"
    else:
        good, wanted = isinstance(value, str) and bool(value), "a text that is not empty"
    if good:
        return
    hint = " such as 'team=labels&kind=export'" if name == "Tagging" else ""
    # The value is not shown: it may be a secret under the wrong name.
    raise ConfigurationError(f"sink_args: {name} must be {wanted}{hint}, not {type(value).__name__}.")


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, (date, int, float)) and not isinstance(value, bool)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with contextlib.suppress(ValueError, TypeError):
            read(value.replace("Z", "+00:00"))
            return True
    return False
