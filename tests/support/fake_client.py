"""A bare client of the fake Labelbox: the queries of the protocol, word for word, and nothing clever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from labelbox_export_provider.testing import FakeLabelbox

START = "mutation X($input: ExportDataRowsIn%sInput!) { exportDataRowsIn%s(input: $input) { taskId isStreamable } }"
STATUS = (
    "query ($userId: ID!, $taskId: ID!) { user(where: {id: $userId}) { createdTasks(where: {id: $taskId} skip: 0 "
    "first: 1) { id name status type completionPercentage createdAt updatedAt result errors metadata } } }"
)
BY_NAME = "query ($name: String) { user { createdTasks(where: {name: $name}, first: 5) { id name status } } }"
HEADER = (
    "query ($where: WhereUniqueIdInput, $streamType: TaskStreamType!) { task(where: $where) "
    "{ exportMetadataHeader(streamType: $streamType) { totalSize totalLines } } }"
)
FILE = (
    "query ($where: WhereUniqueIdInput, $streamType: TaskStreamType!, $offset: UInt64!) { task(where: $where) "
    "{ exportFileFromOffset(streamType: $streamType, offset: $offset) "
    "{ offsets { start end } lines { start end } file } } }"
)


def between(start: str, end: str, zone: str = "UTC", kind: str = "data_row_last_activity_at") -> dict[str, Any]:
    return {"type": kind, "value": {"operator": "BETWEEN", "timezone": zone, "value": {"min": start, "max": end}}}


# One client for all tests: making its TLS context takes longer than most of them.
HTTP = httpx.Client(timeout=5, verify=False)


class Client:
    """Asks a fake with one key."""

    def __init__(self, fake: FakeLabelbox, api_key: str | None = None) -> None:
        self.fake = fake
        self.api_key = api_key or fake.api_key

    def post(self, query: str, variables: Mapping[str, Any] | None = None) -> httpx.Response:
        return HTTP.post(
            self.fake.endpoint,
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {self.api_key}"},
        )

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        answer = self.post(query, variables).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def refusal(self, query: str, variables: Mapping[str, Any] | None = None) -> tuple[int, str, str]:
        """HTTP status, code and message of the first error."""
        answer = self.post(query, variables)
        error = answer.json()["errors"][0]
        return answer.status_code, error["extensions"]["code"], error["message"]

    def start_variables(
        self,
        query: Sequence[Mapping[str, Any]] = (),
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        project_id: str | None = None,
    ) -> dict[str, Any]:
        filters = {
            "projectId": project_id or self.fake.project_id,
            "searchQuery": {"scope": None, "query": list(query)},
        }
        return {
            "input": {
                "taskName": name,
                "isStreamableReady": True,
                "streamable": True,
                "filters": filters,
                "params": {"mediaTypeOverride": None, **(params or {})},
            }
        }

    def start(self, *query: Mapping[str, Any], **more: Any) -> str:
        """Start a project export; its id."""
        data = self.ask(START % ("Project", "Project"), self.start_variables(query, **more))
        return str(data["exportDataRowsInProject"]["taskId"])

    def start_from(self, place: str, filters: Mapping[str, Any], **params: Any) -> str:
        """Start an export of another source; its id."""
        given = {"taskName": None, "isStreamableReady": True, "streamable": True, "filters": filters, "params": params}
        return str(self.ask(START % (place, place), {"input": given})[f"exportDataRowsIn{place}"]["taskId"])

    def task(self, export_id: str, user_id: str | None = None) -> dict[str, Any] | None:
        data = self.ask(STATUS, {"userId": user_id or self.fake.user.user_id, "taskId": export_id})
        tasks = data["user"]["createdTasks"]
        return tasks[0] if tasks else None

    def status(self, export_id: str) -> str:
        task = self.task(export_id)
        assert task is not None
        return str(task["status"])

    def header(self, export_id: str, stream: str = "RESULT") -> Any:
        data = self.ask(HEADER, {"where": {"id": export_id}, "streamType": stream})
        return data["task"]["exportMetadataHeader"]

    def file_at(self, export_id: str, offset: int | str = 0, stream: str = "RESULT") -> Any:
        variables = {"where": {"id": export_id}, "streamType": stream, "offset": offset}
        return self.ask(FILE, variables)["task"]["exportFileFromOffset"]

    def files(self, export_id: str, stream: str = "RESULT") -> Iterator[tuple[dict[str, Any], bytes]]:
        """Every file: what the API says of it, and its bytes."""
        offset = 0
        while (file := self.file_at(export_id, str(offset), stream)) is not None:
            answer = HTTP.get(file["file"])
            assert answer.status_code == 200, answer.text
            yield file, answer.content
            offset = int(file["offsets"]["end"]) + 1

    def read(self, export_id: str, stream: str = "RESULT") -> bytes:
        """The whole stream."""
        return b"".join(content for _, content in self.files(export_id, stream))

    def rows(self, *query: Mapping[str, Any], **more: Any) -> list[bytes]:
        """The lines of a project export with these search entries."""
        return self.read(self.start(*query, **more)).split(b"\n")[:-1]
