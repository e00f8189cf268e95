"""The index of a stream's files for many threads, which requests them ahead of the downloads.

A chain can only be followed link by link, each a round trip. So files further ahead are requested at the same time,
where `FileChain` guesses them. What does not fit is dropped: the thread that needs the file then requests it by the
chain, and gets it, or the error. Files come with signed URLs that expire, so only a few are requested ahead, and a
refused URL is renewed by the same offset.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client.types import ExportFile, StreamTotals
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.streaming.download.file_chain import FileChain

MAX_CALLS = 8
"""Requests for files ahead that run at once."""


class FileIndex:
    """The files of one stream, in a chain without holes. Threads may share it.

    `ask` returns the file that holds an offset; several threads call it at once. At most `ahead_bytes` and
    `ahead_files` are requested beyond the furthest byte that was needed. With `first_offset` nothing before the file
    that holds that byte is available. When `token` is cancelled or the index is closed, nothing is requested any more,
    and who waits gets `StoppedError`.
    """

    def __init__(
        self,
        ask: Callable[[int], ExportFile],
        totals: StreamTotals,
        *,
        label: str,
        token: CancelToken | None = None,
        ahead_bytes: int = 256 * 1024**2,
        ahead_files: int = 32,
        first_offset: int = 0,
    ) -> None:
        self._ask = ask
        self._chain = FileChain(totals.size, label=label, first_offset=first_offset)
        self._ahead_bytes = ahead_bytes
        self._ahead_files = ahead_files
        self._asking: set[int] = set()
        self._furthest = first_offset
        self._changed = threading.Condition()
        self._executor = ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="labelbox-index")
        self._closed = False
        self._forget = (token or CancelToken()).call_on_cancel(self._stop)

    def file_holding(self, offset: int) -> ExportFile:
        """Return the file of a byte, after requesting the files up to it.

        Fails with `IntegrityError`, with the numbers, when the files do not tile the stream.
        """
        while True:
            with self._changed:
                self._furthest = max(self._furthest, offset)
                self._request_ahead()
                if (file := self._chain.file_holding(offset)) is not None:
                    return file
                self._check_open()
                link = self._chain.end
                # Where the guess hits another file, the thread that waited for it follows the chain.
                if any(self._chain.probably_holds(each, link) for each in self._asking):
                    self._changed.wait()
                    continue
                self._asking.add(link)
            self._follow(link)

    def known_file(self, offset: int) -> ExportFile | None:
        """Return the file of a byte, or None if it is not known yet."""
        with self._changed:
            return self._chain.file_holding(offset)

    def renew(self, file: ExportFile) -> ExportFile:
        """Request a file again because its URL is no longer accepted; it must be the same file."""
        self._check_open()
        fresh = self._ask(file.start)
        with self._changed:
            self._chain.replace(file, fresh)
        return fresh

    def forget_before(self, offset: int) -> None:
        """Drop the files that end before `offset`, which are not needed any more."""
        with self._changed:
            self._chain.forget_before(offset)

    def close(self) -> None:
        """Stop requesting files; who waits for one gets `StoppedError`. Answers on their way are dropped."""
        self._forget()
        self._stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _stop(self) -> None:
        with self._changed:
            self._closed = True
            # A request that is cancelled before it begins would be waited for without end.
            self._asking.clear()
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise StoppedError

    def _follow(self, link: int) -> None:
        """Request the next file of the chain."""
        try:
            file = self._ask(link)
            with self._changed:
                self._chain.append(link, file)
        finally:
            self._end_request(link)

    def _request_ahead(self) -> None:
        """Request files that will be needed soon; for the lock's holder."""
        while not self._closed and len(self._asking) < MAX_CALLS:
            if self._chain.files_beyond(self._furthest) + len(self._asking) >= self._ahead_files:
                return
            offset = self._chain.next_guess(self._asking, self._furthest + self._ahead_bytes)
            if offset is None:
                return
            self._asking.add(offset)
            self._executor.submit(self._ask_ahead, offset)

    def _ask_ahead(self, offset: int) -> None:
        file: ExportFile | None = None
        try:
            self._check_open()
            file = self._ask(offset)
        except (LabelboxExportError, StoppedError):
            # The thread that needs this file requests it again and gets the error, or the file.
            return
        finally:
            with self._changed:
                self._chain.add_guess(offset, file)
            self._end_request(offset)

    def _end_request(self, offset: int) -> None:
        with self._changed:
            self._asking.discard(offset)
            self._request_ahead()
            self._changed.notify_all()
