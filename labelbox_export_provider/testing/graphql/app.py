"""The GraphQL endpoint over HTTP: authentication, faults, the request log."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.errors import ApiError
from labelbox_export_provider.testing.faults import (
    ANSWERING,
    ErrorStatus,
    GraphQLErrorAnswer,
    HtmlAnswer,
    LostAnswer,
    RateLimited,
    RequestFault,
    SlowAnswer,
)
from labelbox_export_provider.testing.graphql.engine import Engine, GraphQLAnswer, Operation
from labelbox_export_provider.testing.graphql.resolvers import RESOLVERS
from labelbox_export_provider.testing.graphql.task_fields import Context
from labelbox_export_provider.testing.http.request_log import ApiRequest, RequestLog, redact
from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.service import Service

_NOTHING = Operation(None, frozenset(), None, None)


@functools.lru_cache(maxsize=32)
def _engine(behaviour: Behaviour) -> Engine:
    return Engine(behaviour, RESOLVERS)


class GraphQLApp:
    """Answers `POST /graphql`."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self._service = service
        self._log = log

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request and record it in the log."""
        if request.method != "POST":
            return HttpAnswer(405, b"POST body missing.", {"content-type": "text/plain", "allow": "POST"})
        content = _read_body(request)
        query = "" if content is None else content["query"]
        variables = {} if content is None else content.get("variables") or {}
        engine = _engine(self._service.behaviour)
        operation = _NOTHING if content is None else engine.read(query)
        fault = self._fault(operation, variables, ANSWERING)
        slow = self._fault(operation, variables, (SlowAnswer,))
        user = self._authenticate(request.headers)
        carried_out = fault is None or (isinstance(fault, LostAnswer) and fault.carried_out)
        result: GraphQLAnswer | None = None
        if carried_out:
            result = self._carry_out(engine, operation, variables, user, is_readable=content is not None)
        answer = _http(result) if result is not None and fault is None else self._faulty(fault)
        if isinstance(slow, SlowAnswer):
            answer = replace(answer, delay=slow.seconds)
        self._log.add(
            ApiRequest(
                at=self._service.clock(),
                operation_name=operation.name,
                fields=operation.fields,
                query=query,
                variables=variables,
                headers=redact(request.headers),
                user_id=user.user_id if user else None,
                status=None if answer.drop else answer.status,
                error_codes=result.codes if result else (),
                fault=type(fault or slow).__name__ if fault or slow else None,
                carried_out=carried_out,
            )
        )
        return answer

    def _fault(
        self, operation: Operation, variables: Mapping[str, Any], kinds: tuple[type[RequestFault], ...]
    ) -> RequestFault | None:
        names = {None, operation.name, *operation.fields}
        streams = {None, variables.get("streamType")}
        return self._service.faults.take(kinds, lambda fault: fault.operation in names and fault.stream in streams)

    def _authenticate(self, headers: Mapping[str, str]) -> FakeUser | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return self._service.accounts.user_of(key.strip()) if scheme.lower() == "bearer" else None

    def _carry_out(
        self,
        engine: Engine,
        operation: Operation,
        variables: Mapping[str, Any],
        user: FakeUser | None,
        *,
        is_readable: bool,
    ) -> GraphQLAnswer:
        behaviour = self._service.behaviour
        if user is None:
            refusal = ApiError("AUTHENTICATION_ERROR", "Invalid API key")
            return GraphQLAnswer(behaviour.authentication_status, {"errors": [refusal.as_entry()], "data": None})
        if not is_readable:
            message = "The body has to be a JSON object with a text `query` and an object or null as `variables`"
            return GraphQLAnswer(400, {"errors": [ApiError("MALFORMED_REQUEST", message).as_entry()]})
        answer = engine.run(operation, variables, Context(self._service, user))
        if behaviour.running_limit_form == "http":
            for error in answer.body.get("errors", ()):
                if error["extensions"].get("exception", {}).get("status") == 429:
                    return GraphQLAnswer(429, {"message": error["message"]})
        return answer

    def _faulty(self, fault: RequestFault | None) -> HttpAnswer:
        if isinstance(fault, RateLimited):
            headers = {}
            if fault.retry_after is not None:
                moment = self._service.clock() + timedelta(seconds=fault.retry_after)
                seconds = f"{fault.retry_after:g}"
                headers["retry-after"] = format_datetime(moment, usegmt=True) if fault.retry_after_as_date else seconds
            if fault.as_html:
                return _text(429, "<html><body>429 Too Many Requests</body></html>", "text/html", headers)
            message = "You have exceeded your allotted API calls per minute. Please try again later."
            return _text(429, json.dumps({"message": message}), "application/json", headers)
        if isinstance(fault, HtmlAnswer):
            return _text(fault.status, fault.body, "text/html; charset=utf-8")
        if isinstance(fault, ErrorStatus):
            return _text(fault.status, fault.body, "text/plain")
        if isinstance(fault, GraphQLErrorAnswer):
            error = ApiError(fault.code, fault.message, exception_status=fault.exception_status)
            return _http(GraphQLAnswer(fault.status, {"errors": [error.as_entry()], "data": None}))
        return HttpAnswer(0, drop=True)


def _read_body(request: HttpRequest) -> dict[str, Any] | None:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        content = json.loads(request.body)
    except ValueError:
        return None
    if not isinstance(content, dict) or not isinstance(content.get("query"), str):
        return None
    return content if isinstance(content.get("variables"), (dict, type(None))) else None


def _http(answer: GraphQLAnswer) -> HttpAnswer:
    return _text(answer.status, json.dumps(answer.body), "application/json; charset=utf-8")


def _text(status: int, body: str, content_type: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(status, body.encode(), {"content-type": content_type, **(headers or {})})
