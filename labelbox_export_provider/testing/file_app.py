"""The file server: export files behind signed URLs, as in Google Cloud Storage."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import replace

import google_crc32c

from labelbox_export_provider.testing.faults import (
    BrokenFile,
    CorruptFile,
    DrippingFile,
    ExpiredFile,
    FileFault,
    LongerFile,
    RefusedFile,
    SlowFile,
    TruncatedFile,
)
from labelbox_export_provider.testing.http.request_log import FileRequest, RequestLog, redact
from labelbox_export_provider.testing.http.server import HttpAnswer, HttpRequest
from labelbox_export_provider.testing.service import Service

_PATH = re.compile(r"/labelbox-exports/(\w+)/(RESULT|ERRORS)/(\d+)\.ndjson")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_BAD_FILES = (TruncatedFile, BrokenFile, DrippingFile, LongerFile, CorruptFile, RefusedFile, ExpiredFile)


class FileApp:
    """Answers GET and HEAD of signed URLs; refuses every request that carries a key or a cookie."""

    def __init__(self, service: Service, log: RequestLog) -> None:
        self._service = service
        self._log = log

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request and record it in the log."""
        fault, slow = self._faults(request.path)
        answer = self._refuse(request, fault) or self._serve(request, fault)
        if isinstance(slow, SlowFile):
            answer = replace(answer, delay=slow.seconds)
        sent = len(answer.body) if answer.break_after is None else min(answer.break_after, len(answer.body))
        happened = fault or slow
        self._log.add(
            FileRequest(
                at=self._service.clock(),
                method=request.method,
                path=request.path,
                headers=redact(request.headers),
                had_authorization="authorization" in request.headers,
                had_cookie="cookie" in request.headers,
                range=request.headers.get("range"),
                status=answer.status,
                bytes_sent=0 if request.method == "HEAD" else sent,
                fault=type(happened).__name__ if happened else None,
            )
        )
        return answer

    def _faults(self, path: str) -> tuple[FileFault | None, FileFault | None]:
        match = _PATH.fullmatch(path)
        if match is None:
            return None, None
        stream, index = match[2], int(match[3])

        def concerns(fault: FileFault) -> bool:
            return fault.stream in (None, stream) and fault.file_index in (None, index)

        return self._service.faults.take(_BAD_FILES, concerns), self._service.faults.take(SlowFile, concerns)

    def _refuse(self, request: HttpRequest, fault: FileFault | None) -> HttpAnswer | None:
        if request.method not in ("GET", "HEAD"):
            return _error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        if "authorization" in request.headers or "cookie" in request.headers:
            return _error(403, "AccessDenied", "A signed URL takes neither an Authorization header nor cookies.")
        state = self._service.signer.check(request.path, request.query, now=self._service.clock())
        if state == "forged":
            return _error(403, "SignatureDoesNotMatch", "The request signature does not match.")
        if state == "expired" or isinstance(fault, ExpiredFile):
            return _error(400, "ExpiredToken", "The provided token has expired.")
        if isinstance(fault, RefusedFile):
            return _error(fault.status, "AccessDenied", "Access denied.")
        return None

    def _serve(self, request: HttpRequest, fault: FileFault | None) -> HttpAnswer:
        content = self._content(request.path)
        if content is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        served, hashed = _spoil(content, fault)
        behaviour = self._service.behaviour
        headers = {"content-type": "application/x-ndjson"}
        if behaviour.file_hash:
            headers |= _hashes(hashed)
            if request.headers.get("if-match", headers["etag"]) not in (headers["etag"], "*"):
                return _error(412, "PreconditionFailed", "At least one precondition does not hold.")
        status = 200
        if behaviour.file_ranges:
            headers["accept-ranges"] = "bytes"
            if_range = request.headers.get("if-range", headers.get("etag"))
            if "range" in request.headers and if_range == headers.get("etag"):
                part = _part(request.headers["range"], len(served))
                if part is None:
                    answer = _error(416, "InvalidRange", "The requested range cannot be satisfied.")
                    return replace(answer, headers={**answer.headers, "content-range": f"bytes */{len(served)}"})
                status = 206
                headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{len(served)}"
                served = served[part.start : part.stop]
        return HttpAnswer(
            status,
            served,
            headers,
            break_after=fault.after_bytes if isinstance(fault, (BrokenFile, DrippingFile)) else None,
            drip=fault.seconds_per_byte if isinstance(fault, DrippingFile) else None,
            chunked=not behaviour.file_content_length,
        )

    def _content(self, path: str) -> bytes | None:
        match = _PATH.fullmatch(path)
        export = self._service.export(match[1]) if match else None
        if match is None or export is None or self._service.removed_as(export):
            return None
        stream = export.streams[match[2]]
        index = int(match[3])
        return stream.read(stream.pieces[index]) if index < len(stream.pieces) else None


def _spoil(content: bytes, fault: FileFault | None) -> tuple[bytes, bytes]:
    """Return the bytes that are served, and those that the hash header is made from."""
    if isinstance(fault, TruncatedFile):
        return content[: fault.keep], content
    if isinstance(fault, LongerFile):
        return content + fault.extra.encode(), content
    if isinstance(fault, CorruptFile):
        position = fault.position % len(content)
        corrupt = content[:position] + bytes([content[position] ^ 0x01]) + content[position + 1 :]
        return corrupt, corrupt if fault.hash_agrees else content
    return content, content


def _hashes(content: bytes) -> Mapping[str, str]:
    crc32c = base64.b64encode(struct.pack(">I", google_crc32c.value(content))).decode()
    digest = hashlib.md5(content, usedforsecurity=False)
    md5 = base64.b64encode(digest.digest()).decode()
    return {"etag": f'"{digest.hexdigest()}"', "x-goog-hash": f"crc32c={crc32c},md5={md5}"}


def _part(header: str, size: int) -> range | None:
    """Return the bytes that a Range header selects; all for a form that servers ignore; None when out of range."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return range(size)
    if not match[1]:
        length = min(int(match[2]), size)
        return range(size - length, size) if length else None
    start = int(match[1])
    stop = min(int(match[2]) + 1, size) if match[2] else size
    return range(start, stop) if start < stop else None


def _error(status: int, code: str, message: str) -> HttpAnswer:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return HttpAnswer(status, body.encode(), {"content-type": "application/xml; charset=UTF-8"})
