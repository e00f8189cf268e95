"""A Google Cloud Storage server for measuring: its uploads in one request, in chunks, and in parts, kept in files.

Why not the emulator: with each chunk it reads and writes the whole object so far, so that an upload of many chunks is
quadratic there, and nowhere else, and it has no multipart uploads. Here a byte costs the same whichever way it comes:
it is written to a file and goes into a checksum. Parts are files of their own, and an object is a list of files. As in
GCS, chunks come in order, a checksum that is stated is compared, and `ifGenerationMatch` is honoured.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from benchmarks.servers.http import Connection, Request, serve
from labelbox_export_provider.sinks import checksum

_CHUNK = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber>")
_JSON = {"Content-Type": "application/json"}
_PROPERTIES = {"content-type": "contentType", "x-goog-storage-class": "storageClass"}


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
        self._objects: dict[str, tuple[Sequence[Path], dict[str, Any]]] = {}
        self._parts: dict[str, dict[int, _Upload]] = {}
        self._kept: dict[str, Mapping[str, Any]] = {}

    def answer(self, request: Request, connection: Connection) -> None:
        url = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if {"uploads", "uploadId"} & query.keys():
            self._multipart(unquote(url.path.lstrip("/").partition("/")[2]), query, request, connection)
            return
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
                paths, _ = self._objects.pop(name)
            for path in paths:
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

    def _multipart(self, name: str, query: Mapping[str, str], request: Request, connection: Connection) -> None:
        key = query.get("uploadId", "")
        if request.method == "GET":
            connection.answer(200, b"<ListMultipartUploadsResult/>")
        elif request.method == "DELETE":
            for part in self._parts.pop(key).values():
                part.file.close()
                part.path.unlink()
            connection.answer(204)
        elif request.method == "PUT":
            part = self._uploads.pop(self._begin({"name": name}, {}))
            connection.take(request.length, part.take)
            part.file.close()
            stated = request.headers["x-goog-hash"].partition("crc32c=")[2]
            if stated != checksum.base64_text(part.crc32c):
                raise ConnectionError("a part changed on its way")
            self._parts[key][int(query["partNumber"])] = part
            connection.answer(200, b"", {"ETag": f'"{part.path.name}"'})
        elif "uploads" in query:
            upload = f"m{next(self._numbers)}"
            own = {
                each.removeprefix("x-goog-meta-"): value for each, value in request.headers.items() if "-meta-" in each
            }
            kept = {_PROPERTIES[each]: value for each, value in request.headers.items() if each in _PROPERTIES}
            self._parts[upload] = {}
            self._kept[upload] = {**kept, "metadata": own}
            connection.answer(200, f"<R><UploadId>{upload}</UploadId></R>".encode())
        else:
            named = [int(number) for number in _PART.findall(connection.body(request.length))]
            self._join(name, key, named, connection)

    def _join(self, name: str, key: str, named: Sequence[int], connection: Connection) -> None:
        found = self._parts.pop(key)
        parts = [found[number] for number in named]
        crc32c = reduce(lambda whole, part: checksum.combine(whole, part.crc32c, part.size), parts, 0)
        text, generation = checksum.base64_text(crc32c), str(next(self._numbers))
        described = {
            **self._kept.pop(key),
            "name": name,
            "generation": generation,
            "size": str(sum(part.size for part in parts)),
            "crc32c": text,
            "etag": key,
        }
        with self._lock:
            self._objects[name] = ([part.path for part in parts], described)
        connection.answer(200, b"<R><ETag/></R>", {"x-goog-hash": f"crc32c={text}", "x-goog-generation": generation})

    def _end(self, upload: _Upload, request: Request, connection: Connection) -> None:
        upload.file.close()
        crc32c = checksum.base64_text(upload.crc32c)
        stated = [upload.given.get("crc32c"), request.headers.get("x-goog-hash", "").partition("crc32c=")[2]]
        with self._lock:
            _, there = self._objects.get(upload.name, ((), {"generation": "0"}))
            wanted = upload.query.get("ifGenerationMatch", there["generation"])
            if wanted != there["generation"] or any(each and each.split(",")[0] != crc32c for each in stated):
                connection.answer(412, b'{"error": {"code": 412, "message": "conditionNotMet"}}', _JSON)
                return
            described = {
                **upload.given,
                "name": upload.name,
                "generation": str(next(self._numbers)),
                "size": str(upload.size),
                "crc32c": crc32c,
                "etag": upload.path.name,
            }
            self._objects[upload.name] = ([upload.path], described)
        connection.answer(200, json.dumps(described).encode(), _JSON)

    @staticmethod
    def _download(paths: Sequence[Path], request: Request, connection: Connection) -> None:
        size = sum(path.stat().st_size for path in paths)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        first, last = (int(found[1]), min(int(found[2] or size), size - 1)) if found else (0, size - 1)
        if first > last:
            connection.answer(416)
            return
        place = {"Content-Range": f"bytes {first}-{last}/{size}"} if found else {}
        connection.answer(206 if found else 200, b"", place, length=last - first + 1)
        start = 0
        for path in paths:
            end = start + path.stat().st_size
            begin, stop = max(first, start), min(last + 1, end)
            if begin < stop:
                with path.open("rb") as file:
                    connection.send_file(file, begin - start, stop - begin)
            start = end


def main() -> None:
    """Serve, with objects in the folder that is given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    serve(_Store(folder).answer)


if __name__ == "__main__":
    main()
