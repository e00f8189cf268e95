"""The refusals of GCS and its client library, as errors that name the next step.

Exceptions and responses are read by their shape, so that this module needs no cloud library. Google's own exceptions
quote the address of a request, and the address of an upload session is as secret as a password for its object, so only
status, reason and the server's own sentence are used.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labelbox_export_provider.errors import (
    ObjectChangedError,
    ObjectExistsError,
    StorageDeniedError,
    StorageError,
    StorageUnavailableError,
    StorageUnsupportedError,
)
from labelbox_export_provider.sinks.refusals import (
    MAX_QUOTED,
    UPLOAD_IS_GONE,
    Refusal,
    Rule,
    Text,
    has_code,
    has_status,
    storage_error,
)

PERMISSIONS: Mapping[str, str] = {
    "get": "storage.objects.get",
    "create": "storage.objects.create (and storage.objects.delete where an object is overwritten, or "
    "storage.objects.get where it is the same)",
    "send": "storage.objects.create",
    "delete": "storage.objects.delete",
    "list": "storage.objects.list",
    "bucket": "storage.buckets.get",
    "upload": "storage.multipartUploads.create and storage.objects.create",
    "complete": "storage.multipartUploads.create (and storage.objects.delete where an object is overwritten, or "
    "storage.objects.get where it is the same)",
    "abort": "storage.multipartUploads.abort",
    "list uploads": "storage.multipartUploads.list",
    "list parts": "storage.multipartUploads.listParts",
}
_OF_THE_XML_API = {"upload", "complete", "abort", "list uploads", "list parts"}
_NO_PERMISSION = {"", "forbidden", "insufficientPermissions", "AccessDenied"}
_TOKEN_ERRORS = {"RefreshError", "DefaultCredentialsError", "MalformedError", "InvalidValue", "OAuthError"}
_BUSY_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError", "quotaExceeded"}
_ADDRESS = re.compile(r"(?i)https?://\S+")
_XML_ERROR = re.compile(r"(?s)<(Code|Message|Details)>(.*?)</\1>")


def is_store_error(error: BaseException) -> bool:
    """Return whether an exception comes from the client library or the HTTP library below it."""
    modules = [cls.__module__ for cls in type(error).__mro__]
    return any(name.startswith(("google.", "requests.", "urllib3.")) for name in modules)


def read_response(response: Any, called: Refusal) -> Refusal:
    """Return the call with what a `requests` response with an error reports of it, as JSON or as XML."""
    try:
        body = response.json()
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    xml = {name: html.unescape(text) for name, text in _XML_ERROR.findall(response.text)}
    said = error.get("message") or f"{xml.get('Message', '')} {xml.get('Details', '')}"
    text = _ADDRESS.sub("(address)", " ".join(str(said).split()))
    code = str(first.get("reason") or xml.get("Code") or "")
    # A completion that takes long may have begun its answer, with the status of a success, before it failed.
    status = max(int(response.status_code), 500) if xml and response.status_code < 300 else int(response.status_code)
    return replace(called, answered=True, status=status, code=code, text=text)


def read_error(error: BaseException, called: Refusal) -> Refusal:
    """Return the call with what an exception of the client library reports, or the last one that it repeated it for."""
    name, cause = type(error).__name__, getattr(error, "cause", None)
    response, code = getattr(error, "response", None), getattr(error, "code", None)
    if name == "RetryError" and isinstance(cause, BaseException):
        return read_error(cause, called)
    if name == "DataCorruption":
        return replace(called, answered=True, status=400, code=name)
    if name in _TOKEN_ERRORS and _token_service_is_unreachable(error):
        return replace(called, code="TransportError")
    if hasattr(response, "status_code"):
        return read_response(response, called)
    return replace(called, answered=True, status=code) if isinstance(code, int) else replace(called, code=name)


def is_worth_another_call(refusal: Refusal) -> bool:
    """Return whether the same call may succeed a little later: the server is busy, or no answer came."""
    busy = refusal.status in {0, 408, 429} or (refusal.status >= 500 and not _has_no_xml_api(refusal))
    return busy or refusal.code in _BUSY_REASONS


def bucket_is_missing(refusal: Refusal) -> bool:
    """Return whether there is no such bucket, rather than no such object."""
    return refusal.code == "NoSuchBucket" or (
        refusal.status == 404 and (refusal.operation in {"create", "list"} or "bucket does not exist" in refusal.text)
    )


def refusal_error(refusal: Refusal) -> StorageError:
    """Return the error for a refusal: the advice as its message; call, object and answer as its details."""
    return storage_error(refusal, _RULES)


def changed_error(error: StorageError, *, create_only: bool) -> StorageError:
    """Return the error, or for an object that changed meanwhile, with `create_only`, that one exists."""
    if not create_only or not isinstance(error, ObjectChangedError):
        return error
    return ObjectExistsError(
        "Something else was written at this name since this try began, and replace=False. Remove it, choose "
        "another name, or set replace=True.",
        details=error.details,
    )


def connection_error(error: BaseException, connection: str) -> StorageError:
    """Return the error for a client that could not be built: which part of the connection to correct."""
    name = type(error).__name__
    if name in {"TransportError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout"}:
        return StorageUnavailableError(
            f"The Google Cloud connection {connection!r} does not work: its token service gave no answer. "
            "Retrying may help; if not, check the proxy and the metadata server of the worker.",
            details=name,
        )
    if name == "AirflowNotFoundException":
        return StorageError(
            f"There is no Airflow connection {connection!r}. Create it (type Google Cloud), or correct gcp_conn_id, "
            "then retry. Nothing was sent to the bucket."
        )
    # Google's texts name files, scopes and accounts, never a key.
    text = _ADDRESS.sub("(address)", str(error).strip().partition("\n")[0])[:MAX_QUOTED].rstrip(". ")
    return StorageError(
        f"The Google Cloud connection {connection!r} does not work. Correct key_path, keyfile_dict, project or "
        "impersonation_chain, or give the worker default credentials, then retry. Nothing was sent to the bucket.",
        details=f"{name}: {text}",
    )


def _token_service_is_unreachable(error: BaseException) -> bool:
    """Return whether no token came because the token service was out of reach, rather than because it refused."""
    cause = error.__cause__ or error.__context__
    return getattr(error, "retryable", False) is True or type(cause).__name__ == "TransportError"


def _has_no_xml_api(refusal: Refusal) -> bool:
    return refusal.operation in _OF_THE_XML_API and (
        refusal.status in {405, 501} or (refusal.status == 404 and not refusal.code.startswith("NoSuch"))
    )


def _arrived_changed(refusal: Refusal) -> bool:
    changed = re.search(r"(?i)crc|md5|checksum|hash|digest|corruption", f"{refusal.code} {refusal.text}")
    return refusal.status == 400 and changed is not None


def _with_effect(advice: str) -> Text:
    """Return the advice, and for a call that changes something and was perhaps carried out, that this is unknown."""

    def text(refusal: Refusal) -> str:
        changes = refusal.is_uncertain() and refusal.operation in {"create", "complete", "delete"}
        unknown = ". Whether it took effect is not known; another try finds out" if changes else ""
        return f"{advice.format(connection=refusal.connection)}{unknown}"

    return text


def _missing_permission(refusal: Refusal) -> str:
    return (
        f"Cloud Storage denied the call {refusal.operation!r}: the identity of {refusal.connection} needs "
        f"{PERMISSIONS[refusal.operation]} on bucket {refusal.bucket!r}. "
        "Where a KMS key encrypts it, Cloud Storage's service agent needs roles/cloudkms.cryptoKeyEncrypterDecrypter "
        "on the key"
    )


_RULES = (
    Rule(
        StorageUnavailableError,
        has_code("TransportError"),
        "The token service of {connection} gave no answer. Retrying may help; if not, check the proxy and the metadata "
        "server of the worker",
        sent=False,
    ),
    Rule(
        StorageError,
        has_code(*_TOKEN_ERRORS),
        "{Connection} gets no token. Correct its key or impersonation_chain (each account in it needs "
        "roles/iam.serviceAccountTokenCreator on the next), then retry",
        sent=False,
    ),
    Rule(
        StorageUnavailableError,
        lambda refusal: not refusal.answered,
        _with_effect(
            "Cloud Storage gave no answer. Retrying may help; if not, check the proxy and the endpoint of {connection}"
        ),
    ),
    Rule(
        StorageUnavailableError,
        is_worth_another_call,
        _with_effect("Cloud Storage is busy or failed; retrying may help"),
    ),
    Rule(
        StorageError,
        has_status(401),
        "The credentials of {connection} are not accepted. Renew them in the connection, then retry",
    ),
    Rule(
        StorageError,
        lambda refusal: refusal.code.lower() == "userprojectmissing" or "requester pays" in refusal.text.lower(),
        "The bucket makes requesters pay. Set user_project= to the project that pays",
    ),
    Rule(
        StorageDeniedError,
        lambda refusal: refusal.status == 403 and refusal.code not in _NO_PERMISSION,
        "Cloud Storage refused the call for the reason {code!r}. Check the bucket's retention policy, holds and public "
        "access settings, and the project's billing and organization policies",
    ),
    Rule(StorageDeniedError, has_status(403), _missing_permission),
    Rule(
        StorageError,
        bucket_is_missing,
        "There is no bucket {bucket!r} for {connection}. Create it or correct bucket_name",
    ),
    UPLOAD_IS_GONE,
    Rule(
        StorageUnavailableError,
        lambda refusal: refusal.operation == "send" and refusal.status in {404, 410},
        "The upload session is gone: it was cancelled, or is older than a week. Nothing was published. A retry opens a "
        "new one",
    ),
    Rule(
        StorageUnavailableError,
        lambda refusal: refusal.operation == "send" and refusal.status == 308,
        "Cloud Storage kept only a part of what was sent, after which the client library gives up. Nothing was "
        "published. Retrying sends it again",
    ),
    Rule(
        StorageUnsupportedError,
        _has_no_xml_api,
        "The endpoint of {connection} has no multipart uploads of Cloud Storage's XML API, which objects of several "
        "parts are. Use Cloud Storage itself, or an emulator that has them",
    ),
    Rule(
        ObjectChangedError,
        has_status(412),
        "Another try of the same task has taken over, or somebody else writes there, or this identity lacks "
        "storage.objects.get. Retrying looks again",
    ),
    Rule(
        StorageUnavailableError,
        _arrived_changed,
        "Other bytes arrived than were sent. Retrying sends them again; if it happens again, check the proxy",
    ),
    Rule(
        StorageError,
        lambda _: True,
        "Cloud Storage refused the call. Check the object's name and sink_args",
        of_upload=True,
    ),
)
"""Read from the top; the first rule that matches decides."""
