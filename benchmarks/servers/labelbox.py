"""The GraphQL side of one finished export, with a wait per call: `POST /<milliseconds>/graphql`.

The id of an export says how many files it has (`files-64`); when that is more than there are on disk, they come round
again, so that a long export needs no long disk. It is not the package's own fake, which keeps every byte of an export
in memory; requests are told apart by the fields that they ask for.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.dataset import Dataset
from benchmarks.servers.http import Connection, Request, serve

_TARGET = re.compile(r"/(\d+)/graphql")
# About as long as the signature of a signed URL.
SIGNATURE = "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Expires=86400&X-Goog-Signature=" + "5f" * 256
_WHEN = "2026-11-23T02:00:00.000Z"


class Export:
    """Files of a data set, repeated up to the number in an export's id."""

    def __init__(self, dataset: Dataset, files: int) -> None:
        self._files = [dataset.files[number % len(dataset.files)] for number in range(files)]
        self._starts = [0, *accumulate(file.size for file in self._files)]
        self._lines = [0, *accumulate(file.lines for file in self._files)]

    def header(self) -> dict[str, str]:
        """Return the totals."""
        return {"totalSize": str(self._starts[-1]), "totalLines": str(self._lines[-1])}

    def file_at(self, offset: int, host: str) -> dict[str, Any] | None:
        """Return the file that holds a byte."""
        if not 0 <= offset < self._starts[-1]:
            return None
        number = bisect_right(self._starts, offset) - 1
        return {
            "offsets": {"start": str(self._starts[number]), "end": str(self._starts[number + 1] - 1)},
            "lines": {"start": str(self._lines[number]), "end": str(self._lines[number + 1] - 1)},
            "file": f"{host}/{self._files[number].name}?{SIGNATURE}",
        }


def main() -> None:
    """Serve the data set of a directory, whose files another server serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("file_host", help="address of the file server")
    arguments = parser.parse_args()
    dataset = Dataset.read(arguments.directory)

    @lru_cache
    def export(export_id: str) -> Export:
        return Export(dataset, int(export_id.removeprefix("files-")))

    def answer(request: Request, connection: Connection) -> None:
        asked = json.loads(connection.body(request.length))
        matched = _TARGET.fullmatch(request.target)
        if matched is None:
            connection.answer(404)
            return
        time.sleep(int(matched[1]) / 1000)
        data = _data(asked["query"], asked.get("variables") or {})
        if data is None:
            connection.answer(400, json.dumps({"errors": [{"message": f"not served: {asked['query']}"}]}).encode())
            return
        host = f"{arguments.file_host}/{matched[1]}"
        if "file" in data:
            where = export(asked["variables"]["where"]["id"])
            file = where.file_at(int(data["file"]), host) if data["result"] else None
            data = {"task": {"exportFileFromOffset": file}}
        elif "header" in data:
            where = export(asked["variables"]["where"]["id"])
            data = {"task": {"exportMetadataHeader": where.header() if data["result"] else None}}
        connection.answer(200, json.dumps({"data": data}).encode(), {"Content-Type": "application/json"})

    serve(answer)


def _data(query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
    is_result = variables.get("streamType") == "RESULT"
    if "exportFileFromOffset" in query:
        return {"file": variables["offset"], "result": is_result}
    if "exportMetadataHeader" in query:
        return {"header": True, "result": is_result}
    if "createdTasks" in query:
        return {"user": {"createdTasks": [complete_task(_only_text(variables))]}}
    if "user" in query:
        user = {"id": "user1", "email": "someone@example.com", "timezone": "UTC", "name": "someone"}
        return {"user": {**_absent_fields(query), **user}, "organization": {"id": "org1", "name": "an organization"}}
    return None


def _only_text(variables: dict[str, Any]) -> str:
    """Find the export's id among the variables, whatever the client calls it."""
    found = re.search(r"files-\d+", json.dumps(variables))
    return found[0] if found else ""


def _absent_fields(query: str) -> dict[str, None]:
    """Return null for every field that the query asks for; what is known replaces it."""
    return dict.fromkeys(re.findall(r"\b[a-z]\w*\b", query.partition("user")[2]))


def complete_task(export_id: str) -> dict[str, Any]:
    """Return an export that has ended, as a poll sees it."""
    return {
        "id": export_id,
        "name": "a benchmark",
        "status": "COMPLETE",
        "type": "export-data-rows",
        "completionPercentage": 100,
        "createdAt": _WHEN,
        "updatedAt": _WHEN,
        "result": None,
        "errors": None,
        "metadata": None,
        "createdBy": None,
        "deleted": False,
    }


if __name__ == "__main__":
    main()
