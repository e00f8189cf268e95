"""`sink_args` of an S3 transfer: which extra arguments there are, and which calls take them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.spec.errors import ConfigurationError

_BUCKET = frozenset({"ExpectedBucketOwner", "RequestPayer"})
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
LEGAL = _BUCKET | _CREATE
_WHY_NOT = {
    "ContentEncoding": "it is never set, since readers would decompress twice; use compression=",
    "ContentType": "it follows from the content",
    "Metadata": "export id, byte range and checksum are recorded there",
    "Body": "the transfer gives it",
    "Bucket": "use s3_bucket=",
    "Key": "use s3_prefix= or s3_key=",
    "IfNoneMatch": "use replace=",
    **dict.fromkeys(
        ("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5"),
        "the key would stand in clear in the rendered fields, for all to read; use ServerSideEncryption='aws:kms' with "
        "SSEKMSKeyId, or the bucket's default encryption",
    ),
}


@dataclass(frozen=True, slots=True)
class SinkArguments:
    """Extra arguments by the calls that take them: `create` is for those that create an object, `bucket` for others."""

    create: Mapping[str, Any]
    bucket: Mapping[str, Any]

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> SinkArguments:
        """Sort them; fails with `ConfigurationError` on a name that no call of ours takes."""
        for name in given:
            if name in LEGAL:
                continue
            near = difflib.get_close_matches(str(name), LEGAL, n=1)
            reason = f" ({_WHY_NOT[name]})" if name in _WHY_NOT else ""
            hint = f" Did you mean {near[0]!r}?" if near and not reason else ""
            raise ConfigurationError(
                f"sink_args: {name!r} cannot be set{reason}.{hint} Legal for S3: {', '.join(sorted(LEGAL))}."
            )
        return cls(dict(given), {name: value for name, value in given.items() if name in _BUCKET})
