"""What GCS and its client library answer, turned into what the reader should do about it.

Errors and answers are taken apart by their shape, so that no cloud library is needed to read this module. Google's own
errors quote the address of a request, and the address of an upload session is as good as a password for its object, so
only status, reason and the server's own sentence are taken over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelbox_export_provider.errors import ObjectExistsError, StorageError, StorageUnavailableError


class MissingError(StorageError):
    """There is no such object."""


class DeniedError(StorageError):
    """The identity lacks a permission."""


class PastTheEndError(StorageError):
    """The object is shorter than where reading was to begin."""


class OvertakenError(StorageError):
    """What is at the key is not what was there when the object was begun."""


PERMISSIONS: Mapping[str, str] = {
    "get": "storage.objects.get",
    "create": "storage.objects.create (and storage.objects.delete where an object is overwritten)",
    "delete": "storage.objects.delete",
    "list": "storage.objects.list",
}
_NO_PERMISSION = {"", "forbidden", "insufficientPermissions"}
_TOKEN_ERRORS = {"RefreshError", "DefaultCredentialsError", "MalformedError", "InvalidValue", "OAuthError"}
_BUSY_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "backendError", "internalError", "quotaExceeded"}
_ADDRESS = re.compile(r"(?i)https?://\S+")
_MAX_SAID = 300


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none of the wanted ones; `status` 0 where there was no answer."""

    status: int
    reason: str
    said: str

    @classmethod
    def of_response(cls, response: Any) -> Refusal:
        """Take a `requests` response apart."""
        try:
            body = response.json()
        except ValueError:
            body = None
        error = body.get("error") if isinstance(body, dict) else None
        if not isinstance(error, dict):
            return cls(int(response.status_code), "", "")
        details = error.get("errors")
        first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
        said = _ADDRESS.sub("(address)", " ".join(str(error.get("message") or "").split()))
        return cls(int(response.status_code), str(first.get("reason") or ""), said[:_MAX_SAID])

    @classmethod
    def of_error(cls, error: BaseException) -> Refusal:
        """Take an exception of the client library apart, and the one that it gave up after, if it did."""
        cause = getattr(error, "cause", None)
        if type(error).__name__ == "RetryError" and isinstance(cause, BaseException):
            return cls.of_error(cause)
        if type(error).__name__ in _TOKEN_ERRORS and _may_pass(error):
            return cls(0, "TransportError", "")
        response = getattr(error, "response", None)
        if hasattr(response, "status_code"):
            return cls.of_response(response)
        code = getattr(error, "code", None)
        return cls(int(code), "", "") if isinstance(code, int) else cls(0, type(error).__name__, "")


def is_store_error(error: BaseException) -> bool:
    """Tell whether an exception comes from the client library or the HTTP library below it."""
    modules = [cls.__module__ for cls in type(error).__mro__]
    return any(name.startswith(("google.", "requests.", "urllib3.")) for name in modules)


def is_worth_another_call(refusal: Refusal) -> bool:
    """Tell whether the same call may succeed a little later: the server is busy, or no answer came."""
    return refusal.status in {0, 408, 429} or refusal.status >= 500 or refusal.reason in _BUSY_REASONS


def classified(refusal: Refusal, operation: str, bucket: str, key: str, connection: str) -> StorageError:
    """Turn a refusal into ours, with the classes that the calls of this package handle themselves."""
    plain = storage_error(refusal, operation, bucket, key, connection)
    if refusal.status == 404 and not _bucket_is_missing(refusal, operation):
        return MissingError(plain.message, details=plain.details)
    if (kind := {412: OvertakenError, 416: PastTheEndError}.get(refusal.status)) is not None:
        return kind(plain.message, details=plain.details)
    if refusal.status == 403 and type(plain) is StorageError:
        return DeniedError(plain.message, details=plain.details)
    return plain


def storage_error(refusal: Refusal, operation: str, bucket: str, key: str, connection: str) -> StorageError:
    """Turn a refusal into ours: what is missing and the next step, then call, object and answer as details.

    `connection` is how the message calls it, "the Google Cloud connection 'google_lake'" for instance.
    """
    label = f"gs://{bucket}/{key}"
    if not refusal.status:
        return _without_answer(refusal, operation, label, connection)
    kind: type[StorageError] = StorageError
    status, said = refusal.status, refusal.said
    if is_worth_another_call(refusal):
        kind = StorageUnavailableError
        advice = "Cloud Storage is busy or failed; retrying may help"
    elif status == 401:
        advice = f"The credentials of {connection} are not accepted. Renew them in the connection, then retry"
    elif refusal.reason == "userProjectMissing" or "requester pays" in said.lower():
        advice = "The bucket makes requesters pay. Set user_project= to the project that pays"
    elif status == 403 and refusal.reason not in _NO_PERMISSION:
        advice = (
            f"Cloud Storage refused the call for the reason {refusal.reason!r}. Look at the bucket's retention policy, "
            "holds and public access settings, and at the project's billing and organization policies"
        )
    elif status == 403:
        advice = (
            f"The identity of {connection} needs {PERMISSIONS[operation]} on bucket {bucket!r}. Where a KMS "
            "key encrypts it, Cloud Storage's service agent needs roles/cloudkms.cryptoKeyEncrypterDecrypter on the key"
        )
    elif _bucket_is_missing(refusal, operation):
        advice = f"There is no bucket {bucket!r} for {connection}. Create it or correct bucket_name"
    elif status == 404:
        advice = "There is no such object"
    elif status == 412:
        advice = "Something else was written there since this try began"
    elif status == 400 and re.search(r"(?i)crc32c|md5|checksum|hash", said):
        kind = StorageUnavailableError
        advice = "Other bytes arrived than were sent. Another try sends them again; if it goes on, look at the proxy"
    else:
        advice = "Cloud Storage refused the call. Look at the object's name and at sink_args"
    words = f" ({said})" if said else ""
    return kind(
        f"{advice}.{_effect(operation, status)}",
        details=f"{operation} of {label} was answered with HTTP {status}{words}",
    )


def overtaken(refused: OvertakenError, *, create_only: bool) -> StorageError:
    """Tell whoever reads the message who else may have written there."""
    if create_only:
        return ObjectExistsError(
            "Something else was written at this name since this try began, and replace=False. Remove it, choose "
            "another name, or set replace=True.",
            details=refused.details,
        )
    return StorageUnavailableError(
        "Another try of the same task has taken over, or somebody else writes there, or this identity "
        "may not look at what is there (storage.objects.get), and so never overwrites it. Another try looks again.",
        details=refused.details,
    )


def connection_error(error: BaseException, connection: str) -> StorageError:
    """Turn a failure to build the client, before any call for an object, into what to fix in the connection."""
    name = type(error).__name__
    if name in {"TransportError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout"}:
        return StorageUnavailableError(
            f"The Google Cloud connection {connection!r} gives no client: its token service gave no answer. "
            "Retrying may help; if not, look at the proxy and at the metadata server of the worker.",
            details=name,
        )
    if name == "AirflowNotFoundException":
        return StorageError(
            f"There is no Airflow connection {connection!r}. Create it (type Google Cloud), or correct gcp_conn_id, "
            "then retry. Nothing was sent to the bucket."
        )
    # Google's texts name files, scopes and accounts, never a key.
    said = _ADDRESS.sub("(address)", str(error).strip().partition("\n")[0])[:_MAX_SAID].rstrip(". ")
    return StorageError(
        f"The Google Cloud connection {connection!r} gives no client. Correct key_path, keyfile_dict, project or "
        "impersonation_chain, or give the worker default credentials, then retry. Nothing was sent to the bucket.",
        details=f"{name}: {said}",
    )


def _bucket_is_missing(refusal: Refusal, operation: str) -> bool:
    return refusal.status == 404 and (operation in {"create", "list"} or "bucket does not exist" in refusal.said)


def _without_answer(refusal: Refusal, operation: str, label: str, connection: str) -> StorageError:
    name = refusal.reason
    if name == "TransportError":
        return StorageUnavailableError(
            f"The token service of {connection} gave no answer. Retrying may help; if not, look at the proxy and at "
            "the metadata server of the worker.",
            details=f"{operation} of {label} was not sent",
        )
    if name in _TOKEN_ERRORS:
        return StorageError(
            f"{connection[0].upper()}{connection[1:]} gives no token. Correct its key or impersonation_chain (each "
            "account in it needs roles/iam.serviceAccountTokenCreator on the next), then retry.",
            details=f"{operation} of {label} was not sent ({name})",
        )
    return StorageUnavailableError(
        "Cloud Storage gave no answer. Retrying may help; if not, look at the proxy and at the endpoint of "
        f"{connection}.{_effect(operation, 0)}",
        details=f"{operation} of {label} got no answer ({name})",
    )


def _may_pass(error: BaseException) -> bool:
    """Tell whether no token came because the token service was out of reach, rather than because it said no."""
    cause = error.__cause__ or error.__context__
    return getattr(error, "retryable", False) is True or type(cause).__name__ == "TransportError"


def _effect(operation: str, status: int) -> str:
    if operation in {"create", "delete"} and (status in {0, 408} or status >= 500):
        return " Whether it took effect is not known; another try finds out."
    return ""
