"""What S3 and its lookalikes answer, turned into what the reader should do about it.

botocore's errors are taken apart by their shape, so that no cloud library is needed to read this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from labelbox_export_provider.errors import ObjectExistsError, StorageError, StorageUnavailableError


class MissingError(StorageError):
    """There is no such object or upload."""


class DeniedError(StorageError):
    """The identity lacks a permission."""


class NotOfferedError(StorageError):
    """The store has no such call."""


PERMISSIONS: Mapping[str, str] = {
    "HeadObject": "s3:GetObject and s3:ListBucket",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
_ASKS_FOR_THE_BUCKET = {"CreateMultipartUpload", "ListMultipartUploads", "ListObjectsV2"}
_DENIED = {"AccessDenied", "AllAccessDisabled", "AccessDeniedException", "403", "Forbidden"}
_BAD_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"}
_BUSY = {
    "SlowDown",
    "RequestTimeout",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "InternalError",
    "ServiceUnavailable",
    "OperationAborted",
    "ConditionalRequestConflict",
    "RequestTimeTooSkewed",
}
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w:*]+)(?: on resource: \"?([^\s\",]+))?")
_ADDRESS = re.compile(r"(?i)https?://\S+")
_MAX_QUOTED = 300
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed", "501", "405"}
_CHANGED_ON_THE_WAY = {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody"}
_NO_ANSWER = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
    "HTTPClientError",
}
_CHECKSUM_TRAILER = (
    "The store does not take uploads whose checksum follows the bytes. Set this in the AWS connection's extra: "
    '{"config_kwargs": {"request_checksum_calculation": "when_required"}}, then retry'
)


def error_code(error: BaseException) -> str:
    """Give the store's own name for an answer, or "" where the error is none."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def error_status(error: BaseException) -> int:
    """Give the HTTP status of an answer, or 0 where there was none."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return 0
    metadata: Mapping[str, Any] = response.get("ResponseMetadata", {})
    return int(metadata.get("HTTPStatusCode", 0) or 0)


def is_store_error(error: BaseException) -> bool:
    """Tell whether an exception is botocore's: an answer of the store, or no answer at all."""
    return any(cls.__module__.startswith(("botocore.", "boto3.")) for cls in type(error).__mro__)


def is_missing(error: BaseException) -> bool:
    """Tell whether the answer means that there is no such object (not: no such bucket)."""
    code = error_code(error)
    return code in {"NoSuchKey", "404", "NotFound"} or (error_status(error) == 404 and code != "NoSuchBucket")


def is_denied(error: BaseException) -> bool:
    """Tell whether a permission is missing."""
    return error_code(error) in _DENIED or (error_status(error) == 403 and error_code(error) not in _BAD_KEY)


def classified(error: BaseException, operation: str, bucket: str, key: str, connection: str) -> StorageError:
    """Turn botocore's exception into ours, with the classes that the calls of this package handle themselves."""
    plain = storage_error(error, operation, bucket, key, connection)
    code = error_code(error)
    if operation in {"HeadObject", "GetObject", "DeleteObject"} and is_missing(error):
        return MissingError(plain.message, details=plain.details)
    # rclone says so of a list of uploads that is empty.
    if operation in {"AbortMultipartUpload", "ListMultipartUploads"} and code == "NoSuchUpload":
        return MissingError(plain.message, details=plain.details)
    if code in _NOT_OFFERED:
        return NotOfferedError(plain.message, details=plain.details)
    if type(plain) is StorageError and is_denied(error):
        return DeniedError(plain.message, details=plain.details)
    return plain


def storage_error(error: BaseException, operation: str, bucket: str, key: str, connection: str) -> StorageError:
    """Turn botocore's exception into ours: what is missing and the next step, then call, key and answer as details.

    `connection` is how the message calls it, "the AWS connection 'aws_default'" for instance.
    """
    label = f"s3://{bucket}/{key}"
    code, status = error_code(error), error_status(error)
    if not code and not status:
        return _without_answer(error, operation, label, connection)
    kind: type[StorageError] = StorageError
    if code == "NoSuchBucket" or (status == 404 and operation in _ASKS_FOR_THE_BUCKET):
        advice = f"There is no bucket {bucket!r} for {connection}. Create it or correct s3_bucket"
    elif code in _BAD_KEY:
        advice = f"The credentials of {connection} are not accepted. Renew them in the connection, then retry"
    elif code == "MissingContentLength" or status == 411:
        advice = _CHECKSUM_TRAILER
    elif code == "PreconditionFailed" or status == 412:
        kind = ObjectExistsError
        advice = "Something else is at this key and replace=False. Remove it, choose another key, or set replace=True"
    elif code in _NOT_OFFERED:
        advice = "The store does not offer this call"
        if operation == "ListObjectsV2":
            advice += ", without which other generations cannot be found: set rerun='add'"
    elif code in _CHANGED_ON_THE_WAY:
        kind = StorageUnavailableError
        advice = "Other bytes arrived than were sent. Another try sends them again; if it goes on, look at the proxy"
    elif code in _BUSY or status >= 500 or status == 429:
        kind = StorageUnavailableError
        advice = "The store is busy or failed; retrying may help"
    else:
        advice = _advice_on_settings(error, operation, bucket, connection)
    details = f"{operation} of {label} was answered with {code or status} (HTTP {status}){_quoted(error)}"
    return kind(f"{advice}.", details=details)


def _advice_on_settings(error: BaseException, operation: str, bucket: str, connection: str) -> str:
    """Say which permission or setting to change for an answer that will be the same next time."""
    code = error_code(error)
    if code.startswith("KMS."):
        return (
            "The KMS key cannot be used. Look at its state and region, and at SSEKMSKeyId in sink_args or the bucket's "
            "default encryption"
        )
    if is_denied(error):
        return _needed(error, operation, bucket, connection)
    if code == "NoSuchUpload":
        return "The upload was aborted, so another try of the same task has taken over, or a lifecycle rule removed it"
    if code in _OTHER_REGION or error_status(error) in {301, 307}:
        return f"The bucket is in another region. Correct region_name or endpoint_url of {connection}"
    if code == "InvalidBucketName":
        return "Correct s3_bucket"
    return "The store refused the call. Look at the key and at sink_args"


def _quoted(error: BaseException) -> str:
    """Return the store's own words; what it says of credentials may hold them and is left out."""
    words = _ADDRESS.sub("(address)", " ".join(_message(error).split()))[:_MAX_QUOTED].rstrip(". ")
    return f": {words}" if words and error_code(error) not in _BAD_KEY else ""


def _message(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Message") or "") if isinstance(response, dict) else ""


def _needed(error: BaseException, operation: str, bucket: str, connection: str) -> str:
    """Say which permission is missing; AWS names the action and the resource, other stores do not."""
    named = _DENIED_ACTION.search(_message(error))
    if named is not None and named[1].startswith("kms:"):
        key = f"the KMS key {named[2]}" if named[2] else "the KMS key"
        return (
            f"The identity of {connection} needs {named[1]} on {key} that encrypts the object, in its own policy and "
            "in that of the key"
        )
    needed = PERMISSIONS.get(operation, "access to the bucket")
    store = f" (the store names {named[1]})" if named is not None and named[1] not in needed else ""
    return (
        f"The identity of {connection} needs {needed} on bucket {bucket!r}{store}. Where a KMS key encrypts it, "
        "kms:GenerateDataKey and kms:Decrypt are needed, too"
    )


def connection_error(error: BaseException, connection: str | None) -> StorageError:
    """Turn a failure to build the client, before any call for an object, into what to fix in the connection."""
    label = f"The AWS connection {connection!r}" if connection else "boto3's own chain of credentials"
    code, status = error_code(error), error_status(error)
    if code or status:
        operation = getattr(error, "operation_name", "a call of STS")
        said = getattr(error, "response", {}).get("Error", {}).get("Message", "")
        kind = StorageUnavailableError if code in _BUSY or status >= 500 or status == 429 else StorageError
        advice = (
            "Retrying may help"
            if kind is StorageUnavailableError
            else "Correct role_arn, the role's trust policy or the keys of the connection, then retry"
        )
        return kind(
            f"{label} gives no client. {advice}. Nothing was sent to the bucket.",
            details=f"{operation} was answered with {code or status} ({said})",
        )
    if is_store_error(error) and type(error).__name__ in _NO_ANSWER:
        return StorageUnavailableError(
            f"{label} gives no client: its token service gave no answer. Retrying may help; if not, look at "
            "endpoint_url, region and proxy of the connection.",
            details=type(error).__name__,
        )
    return StorageError(
        f"{label} gives no client. Correct region_name, endpoint_url, profile_name, role_arn or config_kwargs in its "
        "extra, then retry. Nothing was sent to the bucket.",
        details=f"{type(error).__name__}: {error}",
    )


def _without_answer(error: BaseException, operation: str, label: str, connection: str) -> StorageError:
    name = type(error).__name__
    if name == "ParamValidationError":
        # The text quotes values, which may be keys; the names are enough.
        if "Invalid bucket name" in str(error):
            return StorageError(
                "The bucket has a name that no bucket can have. Correct s3_bucket.",
                details=f"{operation} of {label} was not sent",
            )
        names = ", ".join(sorted(set(re.findall(r"parameter (?:in input: )?\"?([\w.]+)", str(error))))) or "an argument"
        return StorageError(
            f"The client library refuses {names}. Correct the value in sink_args.",
            details=f"{operation} of {label} was not sent",
        )
    if name in {
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "NoRegionError",
        "InvalidRegionError",
    }:
        return StorageError(
            f"{connection[0].upper()}{connection[1:]} is incomplete. Give it credentials or a role, and a region, then "
            "retry.",
            details=f"{operation} of {label} was not sent ({name})",
        )
    return StorageUnavailableError(
        f"The store gave no answer. Retrying may help; if not, look at endpoint_url, region and proxy of {connection}.",
        details=f"{operation} of {label} got no answer ({name})",
    )
