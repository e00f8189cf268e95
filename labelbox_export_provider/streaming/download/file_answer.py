"""The answer of a file host: whether it may be used, and what it announces about the file."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from labelbox_export_provider.client.retry import retry_after
from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import IntegrityError, ProtocolError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileResponse

REFUSALS = frozenset({400, 401, 403, 404, 410})
PASSING = frozenset({408, 425, 429})
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*", re.ASCII | re.IGNORECASE)


class AnnouncedChecksums:
    """CRC32C of whole files as their hosts announce them, by the file's start. Threads may share it."""

    def __init__(self) -> None:
        self._values: dict[int, int] = {}
        self._lock = threading.Lock()

    def record(self, file: ExportFile, value: int, label: str) -> None:
        """Record an announcement; fail with `IntegrityError` when it differs from an earlier one."""
        with self._lock:
            before = self._values.setdefault(file.start, value)
        if before != value:
            raise IntegrityError(
                f"{label}: the file of bytes {file.start} to {file.end} changed while it was read: its host announced "
                f"CRC32C {checksum.text(before)} first and {checksum.text(value)} later."
            )

    def find(self, file: ExportFile) -> int | None:
        """Return the announcement of a file; None where its host made none."""
        with self._lock:
            return self._values.get(file.start)

    def pop(self, file: ExportFile) -> int | None:
        """Remove and return the announcement of a file; None where its host made none."""
        with self._lock:
            return self._values.pop(file.start, None)


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """An answer with bytes of a file. `skip` of them come before the wanted ones.

    `open_ended` is whether it names no length. `crc32c` and `md5` are those of the whole file, as far as announced.
    """

    skip: int
    open_ended: bool
    crc32c: int | None
    md5: bytes | None


def read_answer(response: FileResponse, file: ExportFile, described: str, first: int, last: int) -> FileAnswer:
    """Check status and headers of the answer to a request for the bytes `first` to `last` of a file."""
    headers = response.headers
    _check_status(response, file, described, first)
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ProtocolError(
            f"The host of the export's files sends them with Content-Encoding {encoding!r}, though the plain bytes "
            "were requested. A proxy in between may do that.",
            details=f"{described}, from {response.host}",
        )
    announced = checksum.from_storage_headers(headers.getlist("x-goog-hash"))
    # With another stored encoding, the host's checksums are of what it stores, not of what it sends.
    if headers.get("x-goog-stored-content-encoding", "identity").lower() != "identity":
        announced = {}
    crc32c = int.from_bytes(announced["crc32c"], "big") if "crc32c" in announced else None
    if response.status == 206:
        _check_range(headers.get("Content-Range", ""), file, described, first, last)
        return FileAnswer(0, open_ended=False, crc32c=crc32c, md5=None)
    length_text = headers.get("Content-Length", "")
    if length_text.strip().isdigit() and int(length_text) != file.size:
        raise IntegrityError(f"{described} has {int(length_text)} bytes at its host, {file.size} were announced.")
    content_md5 = checksum.from_base64(headers.get("Content-MD5", ""), 16)
    return FileAnswer(first, not length_text, crc32c, announced.get("md5") or content_md5)


def _check_status(response: FileResponse, file: ExportFile, described: str, first: int) -> None:
    status = response.status
    if status in REFUSALS:
        raise BrokenTransferError(f"{response.host} refused the URL", refused=status)
    if status in PASSING or status >= 500:
        raise BrokenTransferError(f"{response.host} answered HTTP {status}", retry_after=retry_after(response.headers))
    if status == 416:
        length = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        found = length[3] if length and length[3] != "*" else "fewer"
        raise IntegrityError(f"{described} has {found} bytes, {file.size} were announced (byte {first} was requested).")
    if status not in {200, 206}:
        raise ProtocolError(
            f"The host of the export's files answered HTTP {status}, which is not expected. Check the "
            "connection's 'proxy' and the network in between; redirects are not followed.",
            details=f"{described}, from {response.host}",
        )


def _check_range(text: str, file: ExportFile, described: str, first: int, last: int) -> None:
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None or match[1] is None:
        raise ProtocolError(f"{described}: a partial answer has Content-Range {text[:60]!r}.")
    if match[3] != "*" and int(match[3]) != file.size:
        raise IntegrityError(f"{described} has {match[3]} bytes at its host, {file.size} were announced.")
    if (int(match[1]), int(match[2])) != (first, last):
        raise IntegrityError(f"{described}: its bytes {first} to {last} were requested, {match[1]} to {match[2]} came.")
