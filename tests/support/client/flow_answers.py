"""Answers to the operations of flows, and the policy under which tests run them."""

from __future__ import annotations

from typing import Any

from support.client.conversations import answer

from labelbox_export_provider.client.retry import RetryPolicy
from labelbox_export_provider.client.types import Answer

POLICY = RetryPolicy(attempts=5, first_wait=1, max_wait=8, total_seconds=100, jitter=lambda: 1.0)
INPUT = {"taskName": "nightly", "filters": {"projectId": "clp1"}, "params": {}}
OWNER = {
    "user": {"id": "u1", "email": "a@b.example", "timezone": "Europe/Berlin"},
    "organization": {"id": "o1", "name": "O"},
}
INVALID = answer(body={"errors": [{"message": "no", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}, status=400)
FORBIDDEN = answer(body={"errors": [{"message": "no", "extensions": {"code": "AUTHORIZATION_ERROR"}}]})
UNKNOWN = answer(body={"errors": [{"message": "no", "extensions": {"code": "RESOURCE_NOT_FOUND"}}]})


def task(
    export_id: str = "t1", name: str = "nightly", created: str | None = "2026-11-22T02:00:00.000Z"
) -> dict[str, Any]:
    return {"id": export_id, "name": name, "status": "IN_PROGRESS", "type": "export-data-rows", "createdAt": created}


def tasks(*found: dict[str, Any]) -> Answer:
    return answer({"user": {"createdTasks": list(found)}})


def header(value: object) -> Answer:
    return answer({"task": {"exportMetadataHeader": value}})


def file(
    start: object = 0, end: object = 9, first: object = 0, last: object = 2, url: object = "https://h/f?s"
) -> Answer:
    found = {"offsets": {"start": start, "end": end}, "lines": {"start": first, "end": last}, "file": url}
    return answer({"task": {"exportFileFromOffset": found}})
