"""The reader of a stream's bytes, from files that may break off, expire or differ from their announcement.

A transfer that breaks off is resumed at its byte. A refused URL is renewed by the same offset. A file that is shorter
or longer than announced is an `IntegrityError` with both numbers: nothing is ever padded, cut or skipped.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from labelbox_export_provider.cancellation import StoppedError
from labelbox_export_provider.client.retry import DEFAULT_RETRY, Budget, RetryPolicy
from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import IntegrityError, UnreachableError
from labelbox_export_provider.streaming.download.file_answer import AnnouncedChecksums, read_answer
from labelbox_export_provider.streaming.download.file_host import BrokenTransferError, FileHost, FileResponse
from labelbox_export_provider.streaming.download.file_index import FileIndex

logger = logging.getLogger(__name__)

CHUNK_BYTES = 512 * 1024
LOOKAHEAD_BYTES = 64 * 1024
"""Bytes beyond the wanted range that are requested at first, since the last row of a range ends a little behind it."""
MAX_EARLY_ENDS = 6
"""Tries without progress in which the host itself ends its answer, until the file counts as shorter than announced."""
MAX_REFUSALS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of the stream, all from one file; `offset` counts from the start of the stream.

    `starts_row`: a row ended at the border of the file before, and its newline is missing.
    """

    file: ExportFile
    offset: int
    data: bytes
    starts_row: bool = False


def newline_is_missing(before: ExportFile, after: ExportFile, last_byte: int, first_byte: int) -> bool:
    """Return whether a row ended at a file border without its newline.

    The file closes a JSON value, the next one opens one, and Labelbox counts a new row there. In all other cases the
    row continues over the border, and no byte is added. If this were wrong, the number of rows would differ from the
    total, which is an error.
    """
    joins = before.start != after.start and after.line_start == before.line_end + 1
    return joins and last_byte in b"}]" and first_byte in b"{["


class StreamReader:
    """Reads any range of one stream. Threads may share it, each with an iterator of its own.

    `sleep` takes seconds and may raise to end the wait. `policy` bounds the tries without progress at one place. With
    `ahead` the next file is requested while the one before it is read, for callers that read as fast as they can.
    """

    def __init__(
        self,
        index: FileIndex,
        host: FileHost,
        *,
        size: int,
        label: str,
        sleep: Callable[[float], object] = time.sleep,
        policy: RetryPolicy = DEFAULT_RETRY,
        chunk_bytes: int = CHUNK_BYTES,
        ahead: bool = False,
    ) -> None:
        self._index = index
        self._host = host
        self._size = size
        self._label = label
        self._sleep = sleep
        self._policy = policy
        self._chunk_bytes = chunk_bytes
        self._asks_ahead = ahead
        self._ahead: dict[tuple[int, int], Callable[[], FileResponse]] = {}
        self._first_rows: dict[int, bytes] = {}
        """The bytes up to the first newline of the ranges that are read, by their start."""
        self.checksums = AnnouncedChecksums()

    def pieces(self, start: int, stop: int) -> Generator[Piece, None, None]:
        """Yield the stream from byte `start` on, to its end if the caller reads that far.

        Requests end a little behind `stop`; a caller that reads beyond it causes further ones, of growing size, but for
        the first row behind it, where another iterator has read that. With `ahead` that row is requested in time where
        a file begins with it.
        """
        lookahead = LOOKAHEAD_BYTES
        asked_to = stop + lookahead
        position = start
        before: tuple[ExportFile, int] | None = None
        while position < self._size:
            file = self._index.file_holding(position)
            end = _end_of_request(file, asked_to)
            if self._asks_ahead and (end < stop or (position < end == stop and stop not in self._first_rows)):
                self.request_ahead(end, stop)
            row = self._first_rows.get(stop) if position == stop and (stop, end) not in self._ahead else None
            for data in [row] if row else self.read(file, position, end):
                if position == start:
                    self._first_rows[start] = data[: data.find(b"\n") + 1]
                starts_row = before is not None and newline_is_missing(before[0], file, before[1], data[0])
                yield Piece(file, position, data, starts_row)
                position += len(data)
                before = file, data[-1]
            if position >= asked_to:
                lookahead *= 4
                asked_to = position + lookahead

    def request_ahead(self, start: int, stop: int) -> None:
        """Send the first request of `pieces(start, stop)`, which takes its answer, if the file of `start` is known.

        So that nobody waits for a first byte who could read meanwhile.
        """
        file = self._index.known_file(start)
        if file is not None:
            end = _end_of_request(file, stop + LOOKAHEAD_BYTES)
            self._ahead[start, end] = self._begin_request(file, start, end)

    def close(self) -> None:
        """Close the answers that were requested ahead and are not read any more, since the work is over."""
        while self._ahead:
            with contextlib.suppress(BrokenTransferError, StoppedError):
                self._ahead.popitem()[1]().close()

    def forget_before(self, offset: int) -> None:
        """Drop what is known of files and rows before `offset`, which is not needed any more."""
        self._index.forget_before(offset)
        for start in [start for start in list(self._first_rows) if start < offset]:
            del self._first_rows[start]

    def read(self, file: ExportFile, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes `start` to `stop` (not included) of the stream, which are all in `file`.

        Fails with `IntegrityError` when the file is not as announced, and with `UnreachableError` when the policy is
        used up by tries without progress. Bytes are progress if they come, with all waits for them, at the least rate
        of the connection; slower ones are kept, but a host that sends a few with each try is given up, too.
        """
        position = before = start
        budget, refusals = Budget(self._policy), 0
        while position < stop:
            waited = 0.0
            broken: BrokenTransferError | None = None
            begun = time.monotonic()
            try:
                for data in self._attempt(file, position, stop):
                    # Only the host's time counts, not what the caller does with the bytes.
                    waited += time.monotonic() - begun
                    position += len(data)
                    yield data
                    begun = time.monotonic()
            except BrokenTransferError as error:
                broken = error
            # Handled outside of the handler, so that errors raised here are not chained to this one.
            budget.spend(waited + time.monotonic() - begun)
            if position - before > self._host.min_bytes_per_second * budget.seconds:
                before, budget, refusals = position, Budget(self._policy), 0
                budget.spend(0)
            if broken is None:
                continue
            if broken.refused is None:
                self._wait_or_give_up(file, position, budget, broken)
            else:
                refusals += 1
                file = self._renewed(file, position, refusals, broken.refused)

    def _attempt(self, file: ExportFile, start: int, stop: int) -> Iterator[bytes]:
        first, last = start - file.start, stop - 1 - file.start
        whole = _is_whole(file, start, stop)
        begun = self._ahead.pop((start, stop), None) or self._begin_request(file, start, stop)
        response = begun()
        try:
            answer = read_answer(response, file, self._describe(file), first, last)
            if answer.crc32c is not None:
                self.checksums.record(file, answer.crc32c, self._label)
            # Where no CRC32C is announced, which costs less; a file that is not read in one go has none.
            md5 = hashlib.md5(usedforsecurity=False) if whole and answer.md5 and answer.crc32c is None else None
            skip, missing = answer.skip, stop - start
            while skip:
                skip -= len(self._chunk(response, skip))
            while missing:
                data = self._chunk(response, missing)
                missing -= len(data)
                if md5 is not None:
                    md5.update(data)
                yield data
            if answer.open_ended and stop == file.end + 1 and response.read(1):
                raise IntegrityError(f"{self._describe(file)} is longer than the {file.size} bytes announced.")
            if md5 is not None and md5.digest() != answer.md5:
                found, announced = (base64.b64encode(each).decode() for each in (md5.digest(), answer.md5 or b""))
                raise IntegrityError(f"{self._describe(file)} has MD5 {found}, its host announced {announced}.")
        finally:
            response.close()

    def _begin_request(self, file: ExportFile, start: int, stop: int) -> Callable[[], FileResponse]:
        if _is_whole(file, start, stop):
            return self._host.begin_get(file.url)
        return self._host.begin_get(file.url, first=start - file.start, last=stop - 1 - file.start)

    def _chunk(self, response: FileResponse, wanted: int) -> bytes:
        data = response.read(min(wanted, self._chunk_bytes))
        if not data:
            raise BrokenTransferError(f"{response.host} ended its answer {wanted} bytes early", ended=True)
        return data

    def _wait_or_give_up(self, file: ExportFile, position: int, budget: Budget, broken: BrokenTransferError) -> None:
        seconds = budget.wait(broken.retry_after, MAX_EARLY_ENDS if broken.ended else None)
        if seconds is not None:
            logger.info("%s: broke off at byte %d (%s); resuming there.", self._describe(file), position, broken)
            self._host.resumed += 1
            self._sleep(seconds)
            return
        got = position - file.start
        if broken.ended:
            raise IntegrityError(
                f"{self._describe(file)} ended after {got} bytes, {file.size} were announced ({budget.tries} tries)."
            )
        raise UnreachableError(
            f"The export's files could not be read to the end: {budget.tries} tries without progress in "
            f"{budget.seconds:.0f} s. Retrying may help.",
            details=f"{self._describe(file)} ended at {got} of its {file.size} bytes; the last failure was: {broken}",
            retry_after=broken.retry_after,
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
            self._sleep(self._policy.wait_before(refusals, None))
        return self._index.renew(file)

    def _describe(self, file: ExportFile) -> str:
        return f"{self._label}: the file of bytes {file.start} to {file.end}"


def _is_whole(file: ExportFile, start: int, stop: int) -> bool:
    return start == file.start and stop == file.end + 1


def _end_of_request(file: ExportFile, asked_to: int) -> int:
    end = file.end + 1
    return asked_to if end > asked_to + LOOKAHEAD_BYTES else end
