"""An S3 server that takes every upload and keeps nothing, for transfers that are larger than the store of this machine.

`GET /-/received` returns how many bytes of bodies came since it was asked last, which is all that can be verified here.
"""

from __future__ import annotations

import json
import threading

from benchmarks.servers.http import Connection, Request, serve

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ETAG = '"00000000000000000000000000000000"'


def main() -> None:
    """Serve."""
    lock = threading.Lock()
    received = {"bytes": 0}

    def answer(request: Request, connection: Connection) -> None:
        size = connection.discard(request.length)
        path, _, query = request.target.partition("?")
        xml, status, headers = "", 200, {"Content-Type": "application/xml"}
        if path == "/-/received":
            with lock:
                connection.answer(200, json.dumps(received).encode())
                received["bytes"] = 0
            return
        if request.method == "PUT":
            with lock:
                received["bytes"] += size
            headers["ETag"] = _ETAG
        elif request.method == "POST" and "uploadId=" in query:
            xml = f"<CompleteMultipartUploadResult {_SPACE}><ETag>{_ETAG}</ETag></CompleteMultipartUploadResult>"
        elif request.method == "POST":
            xml = f"<InitiateMultipartUploadResult {_SPACE}><UploadId>upload</UploadId></InitiateMultipartUploadResult>"
        elif request.method == "DELETE":
            status = 204
        elif request.method == "HEAD":
            status = 404
        elif "uploads" in query:
            xml = f"<ListMultipartUploadsResult {_SPACE}><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        elif "list-type" in query or "prefix=" in query:
            xml = f"<ListBucketResult {_SPACE}><IsTruncated>false</IsTruncated></ListBucketResult>"
        else:
            xml, status = "<Error><Code>NoSuchKey</Code><Message>nothing is kept here</Message></Error>", 404
        connection.answer(status, f"{_HEAD}{xml}".encode() if xml else b"", headers)

    serve(answer)


if __name__ == "__main__":
    main()
