"""The index of a stream's files: which file holds which bytes, requested ahead of the downloads.

The chain of files (next start = previous end + 1) must cover [0, total size) without hole or overlap. A chain can only
be followed link by link, each a round trip. So files further ahead are requested at the same time, by offsets that lie
in them if they are about as large as those before. An answer is put where it belongs, gaps are requested, and what does
not fit is dropped: the thread that needs the file then requests it by the chain, and gets it, or the error.

Files come with signed URLs that expire, so only a few are requested ahead, and a refused URL is renewed by the same
offset.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import IntegrityError, LabelboxExportError

MAX_CALLS = 8
"""Requests for files ahead that run at once."""


class FileIndex:
    """The files of one stream, in a chain without holes. Threads may share it.

    `ask` returns the file that holds an offset; several threads call it at once. At most `ahead_bytes` and
    `ahead_files` are requested beyond the furthest byte that was needed. `label` names export and stream in errors.
    With `first_offset` the chain begins with the file that holds that byte, and nothing before it is available.
    """

    def __init__(
        self,
        ask: Callable[[int], ExportFile],
        totals: StreamTotals,
        *,
        label: str,
        ahead_bytes: int = 256 * 1024**2,
        ahead_files: int = 32,
        first_offset: int = 0,
    ) -> None:
        self._ask = ask
        self._size = totals.size
        self._label = label
        self._ahead_bytes = ahead_bytes
        self._ahead_files = ahead_files
        self._starts: list[int] = []
        self._files: list[ExportFile] = []
        self._end = first_offset
        self._joined = 0
        """Number of files that were ever in the chain."""
        self._first_offset = first_offset
        self._begins = 0
        self._loose: dict[int, ExportFile] = {}
        """Files beyond the chain, by their start."""
        self._asking: set[int] = set()
        self._furthest = first_offset
        self._guess_failed = False
        """Whether a request ahead failed or did not fit. Then the chain must grow before the next guess."""
        self._changed = threading.Condition()
        self._executor = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="labelbox-index")
        self._closed = False

    def file_holding(self, offset: int) -> ExportFile:
        """Return the file of a byte, after requesting the files up to it.

        Fails with `IntegrityError`, with the numbers, when the files do not tile the stream.
        """
        while True:
            with self._changed:
                self._furthest = max(self._furthest, offset)
                self._request_ahead()
                if offset < self._end:
                    return self._files[bisect_right(self._starts, offset) - 1]
                link = self._end
                if self._is_coming(link):
                    self._changed.wait()
                    continue
                self._asking.add(link)
            self._follow(link)

    def renew(self, file: ExportFile) -> ExportFile:
        """Request a file again because its URL is no longer accepted; it must be the same file."""
        fresh = self._ask(file.start)
        if _numbers(fresh) != _numbers(file):
            raise IntegrityError(
                f"{self._label}: asked again for offset {file.start}, Labelbox returned another file: "
                f"{_describe(fresh)} instead of {_describe(file)}."
            )
        with self._changed:
            place = bisect_right(self._starts, file.start) - 1
            if place >= 0 and self._starts[place] == file.start:
                self._files[place] = fresh
        return fresh

    def forget_before(self, offset: int) -> None:
        """Drop the files that end before `offset`, which are not needed any more."""
        with self._changed:
            done = max(0, bisect_right(self._starts, offset) - 1)
            del self._starts[:done]
            del self._files[:done]

    def close(self) -> None:
        """Stop requesting files."""
        with self._changed:
            self._closed = True
            # A thread would wait without end for a request that is cancelled before it begins.
            self._asking.clear()
            self._changed.notify_all()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _is_coming(self, link: int) -> bool:
        """Return whether the file that starts at `link` is probably being requested; for the lock's holder.

        Where the guess hits another file, the thread that waited for it follows the chain.
        """
        reach = self._usual() if self._joined else 1
        return any(link <= each < link + reach for each in self._asking)

    def _usual(self) -> int:
        """Return the mean size of a file, in bytes; there must be one in the chain."""
        return max(1, (self._end - self._begins) // self._joined)

    def _follow(self, link: int) -> None:
        """Request the next file of the chain."""
        try:
            file = self._ask(link)
            self._check(link, file)
            with self._changed:
                self._guess_failed = False
                if self._end == link:
                    self._join(file)
        finally:
            with self._changed:
                self._asking.discard(link)
                self._changed.notify_all()

    def _join(self, file: ExportFile | None) -> None:
        """Append a file to the chain, and behind it the loose ones that fit."""
        while file is not None:
            if not self._joined:
                self._begins = file.start
            self._starts.append(file.start)
            self._files.append(file)
            self._joined += 1
            self._end = file.end + 1
            file = self._loose.pop(self._end, None)
        for start in [start for start in self._loose if start < self._end]:
            del self._loose[start]

    def _check(self, start: int, file: ExportFile) -> None:
        joins = file.start == start if self._joined or not start else file.start <= start <= file.end
        if not joins:
            kind = "hole" if file.start > start else "overlap"
            raise IntegrityError(
                f"{self._label}: the files do not join ({kind}). The next one must start at byte {start}; Labelbox "
                f"returned {_describe(file)}."
            )
        if file.end < file.start:
            raise IntegrityError(f"{self._label}: {_describe(file)} ends before it starts.")
        if file.end >= self._size:
            raise IntegrityError(
                f"{self._label}: {_describe(file)} goes beyond the announced total of {self._size} bytes."
            )

    def _request_ahead(self) -> None:
        """Request files that will be needed soon; for the lock's holder."""
        # The size of files can be guessed only from the first one.
        while self._joined and not (self._closed or self._guess_failed) and len(self._asking) < MAX_CALLS:
            beyond = len(self._files) - bisect_right(self._starts, self._furthest)
            if beyond + len(self._loose) + len(self._asking) >= self._ahead_files:
                return
            offset = self._next_guess()
            if offset is None:
                return
            self._asking.add(offset)
            self._executor.submit(self._ask_ahead, offset)

    def _next_guess(self) -> int | None:
        """Return the first offset whose file is neither known nor being requested; None beyond the limit."""
        limit = min(self._size, self._furthest + self._ahead_bytes)
        usual = self._usual()
        asking = sorted(self._asking)
        gap = self._end
        for stop in (*sorted(self._loose), limit):
            guess = gap
            while guess < min(stop, limit):
                taken = next((each for each in asking if guess - usual // 2 <= each < guess + usual), None)
                if taken is None:
                    return guess
                # Guesses aim at the middle of files, so that small errors add up to a wrong file later.
                guess = max(taken, guess) + (usual if taken != gap else usual + usual // 2)
            if stop in self._loose:
                gap = self._loose[stop].end + 1
        return None

    def _ask_ahead(self, offset: int) -> None:
        fits = False
        try:
            file = self._ask(offset)
            with self._changed:
                fits = self._end <= file.start <= offset <= file.end < self._size
                if fits and file.start == self._end:
                    self._join(file)
                elif fits:
                    self._loose[file.start] = file
                else:
                    fits = offset < self._end
        except LabelboxExportError:
            # The thread that needs this file requests it again and gets the error, or the file.
            return
        finally:
            with self._changed:
                self._guess_failed = self._guess_failed or not fits
                self._asking.discard(offset)
                self._request_ahead()
                self._changed.notify_all()


def _numbers(file: ExportFile) -> tuple[int, int, int, int]:
    return file.start, file.end, file.line_start, file.line_end


def _describe(file: ExportFile) -> str:
    return f"a file of bytes {file.start} to {file.end}, rows {file.line_start} to {file.line_end}"
