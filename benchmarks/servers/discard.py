"""An S3 server that takes every upload and keeps its size alone, for transfers larger than the store of this machine.

`GET /-/received` returns how many bytes of bodies came since it was asked last and are not removed again, which is all
that can be verified here, and forgets all objects.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from itertools import count
from urllib.parse import parse_qs, unquote

from benchmarks.servers.http import Connection, Request, serve

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ETAG = '"00000000000000000000000000000000"'


class _Sizes:
    """The sizes of what was uploaded: objects by key, parts by the id of their upload."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._received = 0
        self._objects: dict[str, int] = {}
        self._parts: dict[str, dict[int, int]] = defaultdict(dict)

    def answer(self, request: Request, connection: Connection) -> None:
        size = connection.discard(request.length)
        path, _, query_text = request.target.partition("?")
        query = {name: values[0] for name, values in parse_qs(query_text, keep_blank_values=True).items()}
        key = unquote(path.lstrip("/").partition("/")[2])
        with self._lock:
            if path == "/-/received":
                connection.answer(200, json.dumps({"bytes": self._received}).encode())
                self._received = 0
                self._objects.clear()
                return
            if request.method == "HEAD" and key in self._objects:
                connection.answer(200, b"", {"ETag": _ETAG}, length=self._objects[key])
                return
            status, xml = self._reply(request, key, query, size)
        headers = {"Content-Type": "application/xml", **({"ETag": _ETAG} if request.method == "PUT" else {})}
        connection.answer(status, f"{_HEAD}{xml}".encode() if xml else b"", headers)

    def _reply(self, request: Request, key: str, query: dict[str, str], size: int) -> tuple[int, str]:
        upload = query.get("uploadId", "")
        if request.method == "PUT":
            self._received += size
            kept = int(request.headers.get("x-amz-decoded-content-length", size))
            if upload:
                self._parts[upload][int(query["partNumber"])] = kept
            else:
                self._objects[key] = kept
            return 200, ""
        if request.method == "POST" and upload:
            self._objects[key] = sum(self._parts.pop(upload).values())
            return 200, f"<CompleteMultipartUploadResult {_SPACE}><ETag>{_ETAG}</ETag></CompleteMultipartUploadResult>"
        if request.method == "POST":
            name = f"<UploadId>u{next(self._numbers)}</UploadId>"
            return 200, f"<InitiateMultipartUploadResult {_SPACE}>{name}</InitiateMultipartUploadResult>"
        if request.method == "DELETE":
            if upload:
                self._parts.pop(upload, None)
            else:
                self._received -= self._objects.pop(key, 0)
            return 204, ""
        if request.method == "GET" and not key:
            root = "ListMultipartUploadsResult" if "uploads" in query else "ListBucketResult"
            return 200, f"<{root} {_SPACE}><IsTruncated>false</IsTruncated>{self._listed(query)}</{root}>"
        return 404, "<Error><Code>NoSuchKey</Code><Message>nothing is kept here</Message></Error>"

    def _listed(self, query: dict[str, str]) -> str:
        """Return the objects of a listing; no upload is left open here."""
        if "uploads" in query:
            return ""
        found = (each for each in sorted(self._objects.items()) if each[0].startswith(query.get("prefix", "")))
        return "".join(
            f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{_ETAG}</ETag></Contents>" for key, size in found
        )


def main() -> None:
    """Serve."""
    serve(_Sizes().answer)


if __name__ == "__main__":
    main()
