"""The refusals of S3 and of stores that speak its protocol, as errors that name the next step.

botocore's exceptions are read by their shape, so that this module needs no cloud library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelbox_export_provider.errors import (
    ObjectExistsError,
    StorageDeniedError,
    StorageError,
    StorageUnavailableError,
    StorageUnsupportedError,
)
from labelbox_export_provider.sinks.refusals import UPLOAD_IS_GONE, Refusal, Rule, has_code, has_status, storage_error
from labelbox_export_provider.sinks.s3.unknown_headers import (
    ARRIVED_CHANGED,
    NO_CHECKSUMS,
    NO_CONDITION,
    knows_no_checksums,
    knows_no_condition,
    unnamed_header,
)

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
    "ListParts": "s3:ListMultipartUploadParts",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
}
_CALLS_OF_A_BUCKET = {"CreateMultipartUpload", "ListMultipartUploads", "ListObjectsV2"}
_CALLS_OF_AN_OBJECT = {"HeadObject", "GetObject", "DeleteObject"}
_CALLS_OF_AN_UPLOAD = {"AbortMultipartUpload", "ListMultipartUploads", "ListParts"}
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
_INVALID_PARAMETER = re.compile(r"parameter (?:in input: )?\"?([\w.]+)")
_ADDRESS = re.compile(r"(?i)https?://\S+")
_NO_ANSWER = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
    "HTTPClientError",
}


def is_store_error(error: BaseException) -> bool:
    """Return whether an exception comes from botocore or the HTTP library below it: a refusal, or no answer at all."""
    return any(cls.__module__.startswith(("botocore.", "boto3.", "urllib3.")) for cls in type(error).__mro__)


def is_missing(refusal: Refusal) -> bool:
    """Return whether there is no such object, upload or set of rules: an answer to the calls that read and remove.

    A missing bucket is not meant. rclone reports `NoSuchUpload` for an empty list of uploads.
    """
    if refusal.operation in _CALLS_OF_AN_UPLOAD:
        return refusal.code == "NoSuchUpload"
    if refusal.operation == "GetBucketLifecycleConfiguration":
        return refusal.code == "NoSuchLifecycleConfiguration"
    if refusal.operation not in _CALLS_OF_AN_OBJECT:
        return False
    return refusal.code in {"NoSuchKey", "404", "NotFound"} or (
        refusal.status == 404 and refusal.code != "NoSuchBucket"
    )


def read_refusal(error: BaseException, called: Refusal) -> Refusal:
    """Return the call with what an exception of botocore reports of it."""
    code, status, text = _read_answer(error)
    if not (code or status):
        return replace(called, code=type(error).__name__, text=str(error))
    refusal = replace(called, answered=True, status=status, code=code, text=text)
    if code in _BAD_KEY and not knows_no_checksums(refusal):
        return replace(refusal, text="")  # it may hold the credentials
    return refusal


def refusal_error(refusal: Refusal) -> StorageError:
    """Return the error for a refusal: the advice as its message; call, key and answer as its details."""
    return storage_error(refusal, _RULES)


def connection_error(error: BaseException, connection: str | None) -> StorageError:
    """Return the error for a client that could not be built: which part of the connection to correct."""
    label = f"The AWS connection {connection!r}" if connection else "boto3's own chain of credentials"
    code, status, text = _read_answer(error)
    if code or status:
        operation = getattr(error, "operation_name", "a call of STS")
        retryable = code in _BUSY or status >= 500 or status == 429
        advice = (
            "Retrying may help"
            if retryable
            else "Correct role_arn, the role's trust policy or the keys of the connection, then retry"
        )
        return (StorageUnavailableError if retryable else StorageError)(
            f"{label} does not work. {advice}. Nothing was sent to the bucket.",
            details=f"{operation} was answered with {code or status} ({text})",
        )
    if is_store_error(error) and type(error).__name__ in _NO_ANSWER:
        return StorageUnavailableError(
            f"{label} does not work: its token service gave no answer. Retrying may help; if not, check "
            "endpoint_url, region and proxy of the connection.",
            details=type(error).__name__,
        )
    return StorageError(
        f"{label} does not work. Correct region_name, endpoint_url, profile_name, role_arn or config_kwargs in its "
        "extra, then retry. Nothing was sent to the bucket.",
        details=f"{type(error).__name__}: {error}",
    )


def _read_answer(error: BaseException) -> tuple[str, int, str]:
    """Return the store's name for its answer, the HTTP status and the text; "" and 0 where there was no answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return "", 0, ""
    answer: Mapping[str, Any] = response.get("Error", {})
    metadata: Mapping[str, Any] = response.get("ResponseMetadata", {})
    # Some stores name the header that they do not know in an element of its own.
    said = " ".join(str(answer[name]) for name in ("Message", "Header") if answer.get(name))
    text = _ADDRESS.sub("(address)", " ".join(said.split()))
    return str(answer.get("Code", "")), int(metadata.get("HTTPStatusCode", 0) or 0), text


def _is_denied(refusal: Refusal) -> bool:
    return refusal.code in _DENIED or (refusal.status == 403 and refusal.code not in _BAD_KEY)


def _refused_parameters(refusal: Refusal) -> str:
    # Names only: the library's text quotes values, which may be keys.
    names = ", ".join(sorted(set(_INVALID_PARAMETER.findall(refusal.text)))) or "an argument"
    return f"The client library refuses {names}. Correct the value in sink_args"


def _unsupported_call(refusal: Refusal) -> str:
    generations = ", without which other generations cannot be found: set rerun='add'"
    return f"The store does not offer this call{generations if refusal.operation == 'ListObjectsV2' else ''}"


def _missing_permission(refusal: Refusal) -> str:
    """Return what was denied and which permission is missing; AWS names action and resource, other stores do not."""
    identity = f"The store denied {refusal.operation}: the identity of {refusal.connection}"
    named = _DENIED_ACTION.search(refusal.text)
    if named is not None and named[1].startswith("kms:"):
        key = f"the KMS key {named[2]}" if named[2] else "the KMS key"
        return (
            f"{identity} needs {named[1]} on {key} that encrypts the object, in its own policy and in that of the key"
        )
    needed = PERMISSIONS.get(refusal.operation, "access to the bucket")
    store = f" (the store names {named[1]})" if named is not None and named[1] not in needed else ""
    return (
        f"{identity} needs {needed} on bucket {refusal.bucket!r}{store}. Where a KMS key encrypts it, "
        "kms:GenerateDataKey and kms:Decrypt are needed, too"
    )


_KMS_KEY = (
    "The KMS key cannot be used. Check its state and region, and SSEKMSKeyId in sink_args or the bucket's default "
    "encryption"
)
_RULES = (
    Rule(
        StorageError,
        lambda refusal: refusal.code == "ParamValidationError" and "Invalid bucket name" in refusal.text,
        "The bucket has a name that no bucket can have. Correct s3_bucket",
        sent=False,
    ),
    Rule(StorageError, has_code("ParamValidationError"), _refused_parameters, sent=False),
    Rule(
        StorageError,
        has_code(
            "NoCredentialsError",
            "PartialCredentialsError",
            "ProfileNotFound",
            "NoRegionError",
            "InvalidRegionError",
        ),
        "{Connection} is incomplete. Give it credentials or a role, and a region, then retry",
        sent=False,
    ),
    Rule(
        StorageUnavailableError,
        lambda refusal: not refusal.answered,
        "The store gave no answer. Retrying may help; if not, check endpoint_url, region and proxy of {connection}",
    ),
    Rule(
        StorageError,
        lambda refusal: (
            refusal.code == "NoSuchBucket" or (refusal.status == 404 and refusal.operation in _CALLS_OF_A_BUCKET)
        ),
        "There is no bucket {bucket!r} for {connection}. Create it or correct s3_bucket",
    ),
    Rule(StorageUnsupportedError, knows_no_condition, NO_CONDITION),
    Rule(StorageError, knows_no_checksums, NO_CHECKSUMS),
    Rule(
        StorageError,
        has_code(*_BAD_KEY),
        "The credentials of {connection} are not accepted. Renew them in the connection, then retry",
    ),
    Rule(
        ObjectExistsError,
        lambda refusal: refusal.code == "PreconditionFailed" or refusal.status == 412,
        "Something else is at this key and replace=False. Remove it, choose another key, or set replace=True",
    ),
    Rule(
        StorageUnsupportedError,
        has_status(405, 501),
        lambda refusal: unnamed_header(refusal) or _unsupported_call(refusal),
    ),
    Rule(
        StorageUnavailableError,
        has_code(*ARRIVED_CHANGED, "XAmzContentSHA256Mismatch"),
        "Other bytes arrived than were sent. Retrying sends them again; if it happens again, check the proxy",
    ),
    Rule(
        StorageUnavailableError,
        lambda refusal: refusal.code in _BUSY or refusal.status >= 500 or refusal.status == 429,
        "The store is busy or failed; retrying may help",
    ),
    Rule(StorageDeniedError, lambda refusal: refusal.code.startswith("KMS.") and _is_denied(refusal), _KMS_KEY),
    Rule(StorageError, lambda refusal: refusal.code.startswith("KMS."), _KMS_KEY, of_upload=True),
    Rule(StorageDeniedError, _is_denied, _missing_permission),
    UPLOAD_IS_GONE,
    Rule(
        StorageError,
        lambda refusal: refusal.code in _OTHER_REGION or refusal.status in {301, 307},
        "The bucket is in another region. Correct region_name or endpoint_url of {connection}",
    ),
    Rule(StorageError, has_code("InvalidBucketName"), "Correct s3_bucket"),
    Rule(
        StorageError,
        lambda _: True,
        lambda refusal: unnamed_header(refusal, "The store refused the call. Check the key and sink_args"),
        of_upload=True,
    ),
)
"""Read from the top; the first rule that matches decides."""
