"""The error table: what an answer, or the lack of one, means and what can be done about it.

`classify` never raises. It distinguishes three deliveries of a request that failed, because a start may be sent again
only when it certainly was not carried out.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from labelbox_export_provider.client.limits import (
    is_limit_of_project,
    is_plan_limit,
    is_rate_limit_text,
    is_running_export_limit,
)
from labelbox_export_provider.client.reply_bodies import Body, GraphQLError, read_body
from labelbox_export_provider.client.retry import retry_after
from labelbox_export_provider.client.types import Answer, FailureKind, Reply, TransportFailure
from labelbox_export_provider.errors import (
    AuthenticationError,
    AuthorizationError,
    ConnectionSettingsError,
    LabelboxExportError,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
    RefusedError,
    RunningExportLimitError,
    TemporaryError,
    UnreachableError,
)
from labelbox_export_provider.redaction import scrub


class Delivery(enum.Enum):
    """Whether a request that failed was carried out."""

    NOT_SENT = "nothing reached the server"
    REJECTED = "the server reported that it did not carry it out"
    UNKNOWN = "it may or may not have been carried out"


@dataclass(frozen=True, slots=True)
class Ok:
    """The `data` of a valid answer."""

    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Again:
    """A temporary fault. `after` is the server's `Retry-After` in seconds; `most_tries` caps tries that rarely help."""

    error: TemporaryError
    delivery: Delivery
    after: float | None = None
    most_tries: int | None = None


@dataclass(frozen=True, slots=True)
class Fatal:
    """A permanent fault. `delivery` is UNKNOWN where the answer did not tell whether the request was carried out."""

    error: LabelboxExportError
    delivery: Delivery = Delivery.REJECTED


Outcome: TypeAlias = Ok | Again | Fatal


_VALIDATION_CODES = ("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "MALFORMED_REQUEST", "BAD_USER_INPUT")
_KNOWN_CODES = (
    "AUTHENTICATION_ERROR",
    "AUTHORIZATION_ERROR",
    *_VALIDATION_CODES,
    "RESOURCE_NOT_FOUND",
    "RESOURCE_CONFLICT",
    "OPERATION_NOT_ALLOWED",
    "INTERNAL_SERVER_ERROR",
)
_GATEWAY_TRIES = 3

REJECTED = "Labelbox refused the request as it stands; sending it again changes nothing."
SERVER_FAULT = "Labelbox had an internal error."


def classify(reply: Reply, operation: str = "request") -> Outcome:  # noqa: PLR0911 - one return per row of the table
    """Classify a reply to `operation`: data, a temporary fault, or a fault to raise."""
    if isinstance(reply, TransportFailure):
        return _no_answer(reply, operation)
    if reply is None:
        return Fatal(ProtocolError(f"{operation}: the driver gave no reply to a request; this is a bug in the driver."))
    body = read_body(reply.body)
    summary = _ReplySummary(reply, operation, body)
    if body is not None and (definite := _access_error(summary, body)):
        return definite
    if reply.status >= 500:
        return summary.again(UnreachableError, SERVER_FAULT, Delivery.UNKNOWN)
    if reply.status == 429:
        return _limited(summary)
    if 300 <= reply.status < 400:
        return Fatal(_redirected(summary))
    if body is None:
        return _not_json(summary)
    if body.errors:
        return _graphql_error(summary, body.errors)
    if body.message is not None and is_rate_limit_text(body.message):
        return _limited(summary)
    if reply.status >= 400:
        return _by_status(summary)
    if body.data is None:
        return Fatal(
            ProtocolError(
                "Labelbox's answer holds neither data nor errors. Does the connection's host name the GraphQL "
                "endpoint?",
                details=str(summary),
            ),
            Delivery.UNKNOWN,
        )
    return Ok(body.data)


class _ReplySummary:
    """The operation, the host and its answer: the details of every message."""

    def __init__(self, answer: Answer, operation: str, body: Body | None) -> None:
        self.answer = answer
        self.operation = operation
        self._body = body
        self.texts = [each.text for each in body.errors] if body else []
        if body and body.message is not None:
            self.texts.append(body.message)

    def __str__(self) -> str:
        # Only for answers that end in an error: looking through the others for secrets takes longer than reading them.
        codes = dict.fromkeys(scrub(each.code) for each in self._body.errors if each.code) if self._body else ()
        shown = scrub(" / ".join(self.texts) or self.answer.body[:4096].decode("utf-8", "replace"))
        text = ", ".join([f"HTTP {self.answer.status}", *codes]) + (f': "{shown}"' if shown else " with an empty body")
        return f"{self.operation}: {self.answer.host} answered {text}"

    def again(
        self, error: type[TemporaryError], message: str, delivery: Delivery, most_tries: int | None = None
    ) -> Again:
        after = retry_after(self.answer.headers)
        return Again(error(message, details=str(self), retry_after=after), delivery, after, most_tries)


def _no_answer(failure: TransportFailure, operation: str) -> Outcome:
    if failure.kind is FailureKind.UNTRUSTED:
        return Fatal(
            ConnectionSettingsError(
                "The certificate of Labelbox's host is not trusted. Set the connection's extra `verify` to the path of "
                "the CA bundle that signed it; check the host if you do not expect one.",
                details=f"{operation}: {failure.message}",
            )
        )
    delivery = Delivery.NOT_SENT if failure.kind is FailureKind.NOT_SENT else Delivery.UNKNOWN
    return Again(UnreachableError("Labelbox gave no answer.", details=f"{operation}: {failure.message}"), delivery)


def _access_error(summary: _ReplySummary, body: Body) -> Fatal | None:
    codes = {each.code for each in body.errors}
    if "AUTHENTICATION_ERROR" in codes:
        return Fatal(_unauthenticated(summary))
    if "AUTHORIZATION_ERROR" in codes:
        return Fatal(_unauthorized(summary))
    return None


def _unauthenticated(summary: _ReplySummary) -> AuthenticationError:
    return AuthenticationError(
        "The API key is not accepted: mistyped, revoked, expired (keys live at most six months), or API "
        "access is off for the plan. Create a key in Labelbox under Workspace settings > API and store it as "
        "the password of the Airflow connection.",
        details=str(summary),
    )


def _unauthorized(summary: _ReplySummary) -> AuthorizationError:
    return AuthorizationError(
        "The API key is accepted, but its user may not do this. Give the user a role that may see and export "
        "it, or use the key of a user who has one.",
        details=str(summary),
    )


def _redirected(summary: _ReplySummary) -> ConnectionSettingsError:
    target = scrub(summary.answer.headers.get("location", "nowhere"))
    return ConnectionSettingsError(
        "The connection's host answers with a redirect, so it is probably wrong. Set it to the GraphQL endpoint "
        "itself, by default https://api.labelbox.com/graphql. Redirects are not followed, so that the API key goes "
        "nowhere else.",
        details=f"{summary.operation}: {summary.answer.host} answered HTTP {summary.answer.status}, "
        f"a redirect to {target!r}",
    )


def _wrong_endpoint(summary: _ReplySummary) -> ConnectionSettingsError:
    return ConnectionSettingsError(
        "There is no GraphQL endpoint at the connection's host. Set it to the endpoint, by default "
        "https://api.labelbox.com/graphql.",
        details=str(summary),
    )


def _limited(summary: _ReplySummary) -> Again:
    limits = [text for text in summary.texts if is_running_export_limit(text)]
    if limits:
        refusal = summary.again(
            RunningExportLimitError, "Too many exports run at once in the project or organization.", Delivery.REJECTED
        )
        if isinstance(refusal.error, RunningExportLimitError):
            refusal.error.in_project = all(is_limit_of_project(text) for text in limits)
        return refusal
    return summary.again(
        RateLimitedError, "Labelbox refuses requests for now: there were too many in a minute.", Delivery.REJECTED
    )


def _not_json(summary: _ReplySummary) -> Outcome:
    status = summary.answer.status
    if status >= 400:
        return _by_status(summary)
    return summary.again(
        UnreachableError,
        "The answer is not JSON: a gateway's page, a cut-off answer, or a host that is not the GraphQL endpoint.",
        Delivery.UNKNOWN,
        most_tries=_GATEWAY_TRIES,
    )


def _by_status(summary: _ReplySummary) -> Outcome:
    status = summary.answer.status
    if status == 401:
        return Fatal(_unauthenticated(summary))
    if status == 403:
        return Fatal(_unauthorized(summary))
    if status in (404, 405, 410):
        return Fatal(_wrong_endpoint(summary))
    if status == 407:
        return Fatal(
            ConnectionSettingsError(
                "The proxy requires credentials: check the connection's extra `proxy`.", details=str(summary)
            )
        )
    if status in (408, 425):
        return summary.again(UnreachableError, "Labelbox timed out waiting for the request.", Delivery.UNKNOWN)
    return Fatal(RefusedError(REJECTED, details=str(summary)))


def _graphql_error(summary: _ReplySummary, errors: tuple[GraphQLError, ...]) -> Outcome:
    code, error = _most_telling(errors)
    if code not in _VALIDATION_CODES and any(_is_limit(each) for each in errors):
        return _limited(summary)
    if code == "INTERNAL_SERVER_ERROR":
        return _internal(summary, error.status)
    if code == "RESOURCE_NOT_FOUND":
        return Fatal(
            NotFoundError(
                "Labelbox knows no such id, or hides it from the user of this key. Check the id, and that the "
                "key belongs to the right organization.",
                details=str(summary),
            )
        )
    if code is None and summary.answer.status >= 400:
        return _by_status(summary)
    if code is None:
        return Fatal(
            ProtocolError("Labelbox answered with an error that this package does not know.", details=str(summary))
        )
    return Fatal(RefusedError(REJECTED, details=str(summary)))


def _is_limit(error: GraphQLError) -> bool:
    if error.status == 429 or is_running_export_limit(error.text):
        return True
    return is_rate_limit_text(error.text) and error.status != 426 and not is_plan_limit(error.text)


def _most_telling(errors: tuple[GraphQLError, ...]) -> tuple[str | None, GraphQLError]:
    for code in _KNOWN_CODES:
        for each in errors:
            if each.code == code:
                return code, each
    return None, errors[0]


def _internal(summary: _ReplySummary, status: int | None) -> Outcome:
    if status in (400, 422):
        return Fatal(RefusedError(REJECTED, details=f"{summary} (status {status} inside)"))
    if status == 426:
        message = "The organization's Labelbox plan does not allow this."
        return Fatal(RefusedError(message, details=f"{summary} (status 426 inside)"))
    most_tries = _GATEWAY_TRIES if status in (500, None) else None
    return summary.again(UnreachableError, SERVER_FAULT, Delivery.UNKNOWN, most_tries)
