"""Serves the files of an export after a wait before the first byte: `GET /<milliseconds>/<name>`, Range included."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

from benchmarks.servers.http import Connection, Request, serve

_TARGET = re.compile(r"/(\d+)/([\w.-]+)(?:\?.*)?")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def main() -> None:
    """Serve a directory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory

    def answer(request: Request, connection: Connection) -> None:
        matched = _TARGET.fullmatch(request.target)
        path = directory / matched[2] if matched else directory
        if matched is None or request.method != "GET" or not path.is_file():
            connection.answer(404)
            return
        time.sleep(int(matched[1]) / 1000)
        with path.open("rb") as file:
            size = path.stat().st_size
            wanted = _RANGE.fullmatch(request.headers.get("range", ""))
            first = int(wanted[1]) if wanted else 0
            last = min(int(wanted[2]), size - 1) if wanted and wanted[2] else size - 1
            headers = {"Content-Type": "application/octet-stream"}
            if wanted:
                headers["Content-Range"] = f"bytes {first}-{last}/{size}"
            connection.answer(206 if wanted else 200, headers=headers, length=last - first + 1)
            connection.send_file(file, first, last - first + 1)

    serve(answer)


if __name__ == "__main__":
    main()
