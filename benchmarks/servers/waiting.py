"""A GraphQL side that answers polls of any export: `POST /<milliseconds per call>/<status of the exports>/graphql`.

`GET /count` answers how many requests there were so far. After `GET /away/<seconds>/<status>` polls are answered
with this HTTP status, for so long from the first of them on.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.servers.http import Connection, Request, serve
from benchmarks.servers.labelbox import complete_task

JSON = {"Content-Type": "application/json"}


def main() -> None:
    """Answer polls, for one export or for many by aliases, and count them."""
    sent = itertools.count()
    outage = {"seconds": 0.0, "status": 503.0, "until": 0.0}

    def answer(request: Request, connection: Connection) -> None:
        if request.target.startswith("/away/"):
            _, _, seconds, refusal = request.target.split("/")
            outage.update(seconds=float(seconds), status=float(refusal), until=0.0)
            connection.answer(200)
            return
        if request.method == "GET":
            # A counter shows its next value only by counting on.
            connection.answer(200, repr(sent).partition("(")[2][:-1].encode(), {})
            return
        _, milliseconds, status, _ = request.target.split("/")
        asked = json.loads(connection.body(request.length))
        next(sent)
        time.sleep(int(milliseconds) / 1000)
        outage["until"] = outage["until"] or time.monotonic() + outage["seconds"]
        if time.monotonic() < outage["until"]:
            connection.answer(int(outage["status"]), b"", {"Retry-After": "1"})
            return
        fields = asked["query"].rpartition("{")[2].partition("}")[0].split()
        tasks = _tasks(asked["variables"], status, fields)
        connection.answer(200, json.dumps({"data": {"user": tasks}}).encode(), JSON)

    serve(answer)


def _tasks(variables: Mapping[str, Any], status: str, fields: Sequence[str]) -> dict[str, Any]:
    """Return the tasks that were asked for, each with the fields that were asked for."""
    found: dict[str, Any] = {}
    for name, export_id in variables.items():
        if name.startswith("taskId"):
            task = {**complete_task(export_id), "status": status}
            alias = "createdTasks" if name == "taskId" else name.replace("taskId", "task")
            found[alias] = [{field: task[field] for field in fields}]
    return found


if __name__ == "__main__":
    main()
