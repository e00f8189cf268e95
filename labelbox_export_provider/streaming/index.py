"""Which file of a stream holds which bytes: asked for ahead of the downloads, believed only as far as it tiles.

The chain of files (next start = previous end + 1) has to cover [0, total size) without hole or overlap. Files come with
signed URLs that expire, so only a little is asked for ahead, and a refused URL is asked for anew by the same offset.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from labelbox_export_provider.labelbox.model import ExportFile, StreamTotals
from labelbox_export_provider.spec.errors import IntegrityError, LabelboxExportError


class FileIndex:
    """The files of one stream, found by following the chain. Threads may share it.

    `ask` gives the file that holds an offset. Further files are found one after the other, at most `ahead_bytes` and
    `ahead_files` beyond the furthest that was needed. `where` names export and stream in errors. With
    `first_offset` the chain begins with the file that holds that byte, and nothing before it can be asked for.
    """

    def __init__(
        self,
        ask: Callable[[int], ExportFile],
        totals: StreamTotals,
        *,
        where: str,
        ahead_bytes: int = 256 * 1024**2,
        ahead_files: int = 32,
        first_offset: int = 0,
    ) -> None:
        self._ask = ask
        self._size = totals.size
        self._where = where
        self._ahead_bytes = ahead_bytes
        self._ahead_files = ahead_files
        self._starts: list[int] = []
        self._files: list[ExportFile] = []
        self._end = first_offset
        self._joined = first_offset == 0
        self._furthest = 0
        self._known = threading.Lock()
        self._asking = threading.Lock()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="labelbox-index")
        self._ahead: Future[None] | None = None
        self._closed = False

    def file_holding(self, offset: int) -> ExportFile:
        """Give the file of a byte, after asking for what is missing up to it.

        Fails with `IntegrityError`, with the numbers, when the files do not tile the stream.
        """
        while True:
            with self._known:
                self._furthest = max(self._furthest, offset)
                if offset < self._end:
                    file = self._files[bisect_right(self._starts, offset) - 1]
                    break
            self._extend(offset)
        self._look_ahead()
        return file

    def renew(self, file: ExportFile) -> ExportFile:
        """Ask for a file again because its URL is no longer accepted; it has to be the same file."""
        fresh = self._ask(file.start)
        if _numbers(fresh) != _numbers(file):
            raise IntegrityError(
                f"{self._where}: asked again for offset {file.start}, Labelbox describes another file: "
                f"{_described(fresh)} instead of {_described(file)}."
            )
        with self._known:
            place = bisect_right(self._starts, file.start) - 1
            if place >= 0 and self._starts[place] == file.start:
                self._files[place] = fresh
        return fresh

    def forget_before(self, offset: int) -> None:
        """Drop the files that end before `offset`: nobody will need them again."""
        with self._known:
            done = max(0, bisect_right(self._starts, offset) - 1)
            del self._starts[:done]
            del self._files[:done]

    def close(self) -> None:
        """Ask for nothing further."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _extend(self, offset: int) -> None:
        with self._asking:
            with self._known:
                start = self._end
            if offset < start:
                return
            file = self._ask(start)
            self._check(start, file)
            with self._known:
                self._starts.append(file.start)
                self._files.append(file)
                self._end = file.end + 1
                self._joined = True

    def _check(self, start: int, file: ExportFile) -> None:
        joins = file.start == start if self._joined else file.start <= start <= file.end
        if not joins:
            kind = "hole" if file.start > start else "overlap"
            raise IntegrityError(
                f"{self._where}: the files do not join ({kind}). The next one has to start at byte {start}; Labelbox "
                f"gives {_described(file)}."
            )
        if file.end < file.start:
            raise IntegrityError(f"{self._where}: {_described(file)} ends before it starts.")
        if file.end >= self._size:
            raise IntegrityError(
                f"{self._where}: {_described(file)} goes beyond the announced total of {self._size} bytes."
            )

    def _look_ahead(self) -> None:
        with self._known:
            running = self._ahead is not None and not self._ahead.done()
            if running or self._closed or not self._wanted():
                return
            self._ahead = self._executor.submit(self._run_ahead)

    def _run_ahead(self) -> None:
        try:
            while not self._closed:
                with self._known:
                    if not self._wanted():
                        return
                    offset = self._end
                self._extend(offset)
        except LabelboxExportError:
            # Whoever needs that file asks for it again and gets the error, or the file.
            return

    def _wanted(self) -> bool:
        waiting = len(self._files) - bisect_right(self._starts, self._furthest)
        return self._end < min(self._size, self._furthest + self._ahead_bytes) and waiting < self._ahead_files


def _numbers(file: ExportFile) -> tuple[int, int, int, int]:
    return file.start, file.end, file.line_start, file.line_end


def _described(file: ExportFile) -> str:
    return f"a file of bytes {file.start} to {file.end}, rows {file.line_start} to {file.line_end}"
