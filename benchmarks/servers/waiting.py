"""A GraphQL side on which every export is COMPLETE, with a wait per call: `POST /<milliseconds>/graphql`."""

from __future__ import annotations

import json
import time

from benchmarks.servers.http import Connection, Request, serve
from benchmarks.servers.labelbox import complete_task


def main() -> None:
    """Answer polls of any export."""

    def answer(request: Request, connection: Connection) -> None:
        asked = json.loads(connection.body(request.length))
        time.sleep(int(request.target.split("/")[1]) / 1000)
        data = {"user": {"createdTasks": [complete_task(asked["variables"]["taskId"])]}}
        connection.answer(200, json.dumps({"data": data}).encode(), {"Content-Type": "application/json"})

    serve(answer)


if __name__ == "__main__":
    main()
