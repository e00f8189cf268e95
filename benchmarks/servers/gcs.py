"""A Google Cloud Storage server for measuring: its JSON API, as far as uploads need it, with objects in files.

Why not the emulator: with each chunk it reads and writes the whole object so far, so that an upload of many chunks is
quadratic there, and nowhere else. Here a chunk costs what its bytes cost. As in GCS, chunks come in order, a checksum
that is stated is compared, and `ifGenerationMatch` is honoured.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from benchmarks.servers.http import Connection, Request, serve

_CHUNK = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_JSON = {"Content-Type": "application/json"}


@dataclass
class _Upload:
    name: str
    given: Mapping[str, Any]
    query: Mapping[str, str]
    path: Path
    file: BinaryIO
    size: int = 0
    crc32c: int = 0

    def take(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)
        self.crc32c = google_crc32c.extend(self.crc32c, data)


class _Store:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._uploads: dict[str, _Upload] = {}
        self._objects: dict[str, tuple[Path, dict[str, Any]]] = {}

    def answer(self, request: Request, connection: Connection) -> None:
        url = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        _, _, place = url.path.partition("/b/")
        name = unquote(place.partition("/o/")[2])
        if request.method == "PUT":
            self._chunk(self._uploads[query["upload_id"]], request, connection)
        elif request.method == "POST" and query.get("uploadType") == "resumable":
            given = json.loads(connection.body(request.length) or b"{}")
            upload = self._begin(given, query)
            host = f"http://{request.headers['host']}"
            connection.answer(200, b"", {"Location": f"{host}{url.path}?upload_id={upload}"})
        elif request.method == "POST":
            self._whole(request, query, connection)
        elif request.method == "DELETE":
            with self._lock:
                path, _ = self._objects.pop(name)
            path.unlink()
            connection.answer(204)
        elif not name:
            names = sorted(each for each in self._objects if each.startswith(query.get("prefix", "")))
            listed = {"items": [self._objects[each][1] for each in names]} if "/o" in place else {}
            connection.answer(200, json.dumps(listed).encode(), _JSON)
        elif name not in self._objects:
            connection.answer(404, b'{"error": {"code": 404, "message": "No such object"}}', _JSON)
        elif query.get("alt") == "media":
            self._download(self._objects[name][0], request, connection)
        else:
            connection.answer(200, json.dumps(self._objects[name][1]).encode(), _JSON)

    def _begin(self, given: Mapping[str, Any], query: Mapping[str, str]) -> str:
        upload = f"u{next(self._numbers)}"
        path = self._folder / upload
        name = str(given.get("name") or query["name"])
        self._uploads[upload] = _Upload(name, given, query, path, path.open("wb"))
        return upload

    def _chunk(self, upload: _Upload, request: Request, connection: Connection) -> None:
        found = _CHUNK.fullmatch(request.headers["content-range"])
        if found is None or int(found[1]) != upload.size:
            raise ConnectionError(f"out of order: {request.headers['content-range']}, {upload.size} bytes are there")
        connection.take(request.length, upload.take)
        if found[3] == "*" or int(found[3]) != upload.size:
            connection.answer(308, b"", {"Range": f"bytes=0-{upload.size - 1}"})
        else:
            self._end(upload, request, connection)

    def _whole(self, request: Request, query: Mapping[str, str], connection: Connection) -> None:
        body = connection.body(request.length)
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        _, about, content, _ = body.split(b"--" + boundary)
        upload = self._uploads[self._begin(json.loads(about.partition(b"\r\n\r\n")[2]), query)]
        upload.take(content.partition(b"\r\n\r\n")[2][:-2])
        self._end(upload, request, connection)

    def _end(self, upload: _Upload, request: Request, connection: Connection) -> None:
        upload.file.close()
        checksum = base64.b64encode(upload.crc32c.to_bytes(4, "big")).decode()
        stated = [upload.given.get("crc32c"), request.headers.get("x-goog-hash", "").partition("crc32c=")[2]]
        with self._lock:
            _, there = self._objects.get(upload.name, (None, {"generation": "0"}))
            wanted = upload.query.get("ifGenerationMatch", there["generation"])
            if wanted != there["generation"] or any(each and each.split(",")[0] != checksum for each in stated):
                connection.answer(412, b'{"error": {"code": 412, "message": "conditionNotMet"}}', _JSON)
                return
            described = {
                **upload.given,
                "name": upload.name,
                "generation": str(next(self._numbers)),
                "size": str(upload.size),
                "crc32c": checksum,
                "etag": upload.path.name,
            }
            self._objects[upload.name] = (upload.path, described)
        connection.answer(200, json.dumps(described).encode(), _JSON)

    @staticmethod
    def _download(path: Path, request: Request, connection: Connection) -> None:
        size = path.stat().st_size
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        first, last = (int(found[1]), min(int(found[2] or size), size - 1)) if found else (0, size - 1)
        if first > last:
            connection.answer(416)
            return
        place = {"Content-Range": f"bytes {first}-{last}/{size}"} if found else {}
        connection.answer(206 if found else 200, b"", place, length=last - first + 1)
        with path.open("rb") as file:
            connection.raw.sendfile(file, first, last - first + 1)


def main() -> None:
    """Serve, with objects in the folder that is given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    serve(_Store(folder).answer)


if __name__ == "__main__":
    main()
