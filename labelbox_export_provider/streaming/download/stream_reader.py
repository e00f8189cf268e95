"""The reader of a stream's bytes, from files that may break off, expire or differ from their announcement.

A transfer that breaks off is resumed at its byte. A refused URL is renewed by the same offset. A file that is shorter
or longer than announced is an `IntegrityError` with both numbers: nothing is ever padded, cut or skipped.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import IntegrityError, ProtocolError, UnreachableError
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost, FileResponse
from labelbox_export_provider.streaming.download.file_index import FileIndex

logger = logging.getLogger(__name__)

CHUNK_BYTES = 512 * 1024
LOOKAHEAD_BYTES = 64 * 1024
"""Bytes beyond the wanted range that are requested at first, since the last row of a range ends a little behind it."""

REFUSALS = frozenset({400, 401, 403, 404, 410})
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_FAILURES = 6
MAX_REFUSALS = 4
MAX_WAIT = 20.0
_CONTENT_RANGE = re.compile(r"\s*bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the stream, all from one file; `offset` counts from the start of the stream."""

    file: ExportFile
    offset: int
    data: bytes


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

    def pop(self, file: ExportFile) -> int | None:
        """Remove and return the announcement of a file; None where its host made none."""
        with self._lock:
            return self._values.pop(file.start, None)


class StreamReader:
    """Reads any range of one stream. Threads may share it, each with an iterator of its own.

    `sleep` takes seconds and may raise to end the wait; `jitter` returns a factor for waits.
    """

    def __init__(
        self,
        index: FileIndex,
        host: FileHost,
        *,
        size: int,
        label: str,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # noqa: S311  spreads waits, guards nothing
        chunk_bytes: int = CHUNK_BYTES,
        lookahead_bytes: int = LOOKAHEAD_BYTES,
    ) -> None:
        self._index = index
        self._host = host
        self._size = size
        self._label = label
        self._sleep = sleep
        self._jitter = jitter
        self._chunk_bytes = chunk_bytes
        self._lookahead_bytes = lookahead_bytes
        self.checksums = AnnouncedChecksums()

    def pieces(self, start: int, stop: int) -> Generator[Piece, None, None]:
        """Yield the stream from byte `start` on, to its end if the caller reads that far.

        Requests end a little behind `stop`; a caller that reads beyond it causes further ones, of growing size.
        """
        lookahead = self._lookahead_bytes
        asked_to = stop + lookahead
        position = start
        while position < self._size:
            file = self._index.file_holding(position)
            end = file.end + 1
            if end > asked_to + self._lookahead_bytes:
                end = asked_to
            for data in self.read(file, position, end):
                yield Piece(file, position, data)
                position += len(data)
            if position >= asked_to:
                lookahead *= 4
                asked_to = position + lookahead

    def exactly(self, start: int, stop: int) -> Generator[Piece, None, None]:
        """Yield the bytes `start` to `stop` (not included) of the stream, with one request for each file."""
        position = start
        while position < stop:
            file = self._index.file_holding(position)
            for data in self.read(file, position, min(file.end + 1, stop)):
                yield Piece(file, position, data)
                position += len(data)

    def read(self, file: ExportFile, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes `start` to `stop` (not included) of the stream, which are all in `file`.

        Fails with `IntegrityError` when the file is not as announced, and with `UnreachableError` after a bounded
        number of tries without progress.
        """
        position = start
        failures = refusals = 0
        while position < stop:
            broken: BrokenTransferError | None = None
            refused: int | None = None
            try:
                for data in self._attempt(file, position, stop):
                    position += len(data)
                    failures = refusals = 0
                    yield data
            except BrokenTransferError as error:
                broken = error
            except _RefusedUrlError as error:
                refused = error.status
            # Handled outside of the handlers, so that errors raised here are not chained to these.
            if broken is not None:
                failures += 1
                self._wait_or_give_up(file, position, failures, broken)
            elif refused is not None:
                refusals += 1
                file = self._renewed(file, position, refusals, refused)

    def _attempt(self, file: ExportFile, start: int, stop: int) -> Iterator[bytes]:
        first, last = start - file.start, stop - 1 - file.start
        whole = first == 0 and stop == file.end + 1
        response = self._host.get(file.url) if whole else self._host.get(file.url, first=first, last=last)
        try:
            skip, open_ended = self._accept(response, file, first, last)
            while skip:
                skip -= len(self._chunk(response, skip))
            missing = stop - start
            while missing:
                data = self._chunk(response, missing)
                missing -= len(data)
                yield data
            if open_ended and stop == file.end + 1 and response.read(1):
                raise IntegrityError(f"{self._describe(file)} is longer than the {file.size} bytes announced.")
        finally:
            response.close()

    def _chunk(self, response: FileResponse, wanted: int) -> bytes:
        data = response.read(min(wanted, self._chunk_bytes))
        if not data:
            raise BrokenTransferError(f"{response.host} ended its answer {wanted} bytes early", ended=True)
        return data

    def _accept(self, response: FileResponse, file: ExportFile, first: int, last: int) -> tuple[int, bool]:
        """Check status and headers; return how many leading bytes to skip, and whether the length is unknown."""
        status, headers = response.status, response.headers
        if status in REFUSALS:
            raise _RefusedUrlError(status)
        if status in PASSING or status >= 500:
            raise BrokenTransferError(
                f"{response.host} answered HTTP {status}", retry_after=_seconds(headers.get("Retry-After"))
            )
        if status == 416:
            length = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
            found = length[3] if length and length[3] != "*" else "fewer"
            raise IntegrityError(
                f"{self._describe(file)} has {found} bytes, {file.size} were announced (byte {first} was requested)."
            )
        if status not in {200, 206}:
            raise ProtocolError(
                f"The host of the export's files answered HTTP {status}, which is not expected. Check the "
                "connection's 'proxy' and the network in between; redirects are not followed.",
                details=f"{self._describe(file)}, from {response.host}",
            )
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise ProtocolError(
                f"The host of the export's files sends them with Content-Encoding {encoding!r}, though the plain bytes "
                "were requested. A proxy in between may do that.",
                details=f"{self._describe(file)}, from {response.host}",
            )
        self._note_checksum(response, file)
        if status == 206:
            self._check_range(file, headers.get("Content-Range", ""), first, last)
            return 0, False
        length_text = headers.get("Content-Length", "")
        if length_text.strip().isdigit() and int(length_text) != file.size:
            raise IntegrityError(
                f"{self._describe(file)} has {int(length_text)} bytes at its host, {file.size} were announced."
            )
        return first, not length_text

    def _check_range(self, file: ExportFile, text: str, first: int, last: int) -> None:
        match = _CONTENT_RANGE.fullmatch(text)
        if match is None or match[1] is None:
            raise ProtocolError(f"{self._describe(file)}: a partial answer has Content-Range {text[:60]!r}.")
        if match[3] != "*" and int(match[3]) != file.size:
            raise IntegrityError(
                f"{self._describe(file)} has {match[3]} bytes at its host, {file.size} were announced."
            )
        if (int(match[1]), int(match[2])) != (first, last):
            raise IntegrityError(
                f"{self._describe(file)}: its bytes {first} to {last} were requested, {match[1]} to {match[2]} came."
            )

    def _note_checksum(self, response: FileResponse, file: ExportFile) -> None:
        # With another stored encoding, the host's checksum is of what it stores, not of what it sends.
        if response.headers.get("x-goog-stored-content-encoding", "identity").lower() != "identity":
            return
        announced = checksum.from_storage_header(response.headers.getlist("x-goog-hash"))
        if announced is not None:
            self.checksums.record(file, announced, self._label)

    def _wait_or_give_up(self, file: ExportFile, position: int, failures: int, broken: BrokenTransferError) -> None:
        if failures < MAX_FAILURES:
            wait = min(MAX_WAIT, 0.5 * 2**failures) * self._jitter()
            if broken.retry_after is not None:
                wait = max(wait, min(broken.retry_after, 3 * MAX_WAIT))
            logger.info("%s: broke off at byte %d (%s); resuming there.", self._describe(file), position, broken)
            self._sleep(wait)
            return
        got = position - file.start
        if broken.ended:
            raise IntegrityError(
                f"{self._describe(file)} ended after {got} bytes, {file.size} were announced ({failures} tries)."
            )
        raise UnreachableError(
            f"The export's files could not be read to the end: {failures} tries without progress. Retrying may help.",
            details=f"{self._describe(file)} ended at {got} of its {file.size} bytes; the last failure was: {broken}",
        )

    def _renewed(self, file: ExportFile, position: int, refusals: int, status: int) -> ExportFile:
        if refusals >= MAX_REFUSALS:
            raise UnreachableError(
                f"The host of the export's files refuses them (HTTP {status}), though each of {refusals} URLs was "
                "fresh from Labelbox. Retrying may help; a proxy that blocks the file host answers like this, too.",
                details=f"{self._describe(file)}, of which {position - file.start} of {file.size} bytes were read",
            )
        logger.info("%s: its URL is refused (HTTP %d); requesting a new one.", self._describe(file), status)
        if refusals > 1:
            self._sleep(min(MAX_WAIT, 0.5 * 2**refusals) * self._jitter())
        return self._index.renew(file)

    def _describe(self, file: ExportFile) -> str:
        return f"{self._label}: the file of bytes {file.start} to {file.end}"


class _RefusedUrlError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.strip().isdigit() else None
