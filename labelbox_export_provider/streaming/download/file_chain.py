"""The chain of a stream's files: which file holds which bytes, as far as is known. No threads, no requests.

Files must cover [0, total size) without hole or overlap (next start = previous end + 1). Those further ahead can be
guessed, by offsets that lie in them if they are about as large as those before. A file that fits waits beyond the chain
until the files before it are known; one that does not is dropped, so the next one of the chain must be followed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection

from labelbox_export_provider.client.types import ExportFile
from labelbox_export_provider.errors import IntegrityError


class FileChain:
    """The files of one stream of `size` bytes. `label` names export and stream in errors.

    With `first_offset` the chain begins with the file that holds that byte, and nothing before it is available.
    """

    def __init__(self, size: int, *, label: str, first_offset: int = 0) -> None:
        self.end = first_offset
        """The offset behind the last file."""
        self._size = size
        self._label = label
        self._starts: list[int] = []
        self._files: list[ExportFile] = []
        self._begins = 0
        self._joined = 0
        """Number of files that were ever in the chain."""
        self._loose: dict[int, ExportFile] = {}
        """Files beyond the chain, by their start."""
        self._guess_failed = False
        """Whether a guess did not fit. Then the chain must be followed before the next guess."""

    def file_holding(self, offset: int) -> ExportFile | None:
        """Return the file of a byte; None beyond the chain."""
        return self._files[bisect_right(self._starts, offset) - 1] if offset < self.end else None

    def append(self, link: int, file: ExportFile) -> None:
        """Append the answer to a request for `link`, the end of the chain at that time.

        Fails with `IntegrityError`, with the numbers, when the files do not tile the stream.
        """
        joins = file.start == link if self._joined or not link else file.start <= link <= file.end
        if not joins:
            kind = "hole" if file.start > link else "overlap"
            raise IntegrityError(
                f"{self._label}: the files do not join ({kind}). The next one must start at byte {link}; Labelbox "
                f"returned {_describe(file)}."
            )
        if file.end < file.start:
            raise IntegrityError(f"{self._label}: {_describe(file)} ends before it starts.")
        if file.end >= self._size:
            raise IntegrityError(
                f"{self._label}: {_describe(file)} goes beyond the announced total of {self._size} bytes."
            )
        self._guess_failed = False
        if self.end == link:
            self._join(file)

    def add_guess(self, offset: int, file: ExportFile | None) -> None:
        """Put the answer to a guess where it belongs; None stands for a request that failed."""
        if file is None or not self.end <= file.start <= offset <= file.end < self._size:
            self._guess_failed = self._guess_failed or file is None or offset >= self.end
        elif file.start == self.end:
            self._join(file)
        else:
            self._loose[file.start] = file

    def replace(self, file: ExportFile, fresh: ExportFile) -> None:
        """Put in `fresh`, which has a new URL; fail with `IntegrityError` when it is not the same file."""
        if _numbers(fresh) != _numbers(file):
            raise IntegrityError(
                f"{self._label}: asked again for offset {file.start}, Labelbox returned another file: "
                f"{_describe(fresh)} instead of {_describe(file)}."
            )
        place = bisect_right(self._starts, file.start) - 1
        if place >= 0 and self._starts[place] == file.start:
            self._files[place] = fresh

    def forget_before(self, offset: int) -> None:
        """Drop the files that end before `offset`, which are not needed any more."""
        done = max(0, bisect_right(self._starts, offset) - 1)
        del self._starts[:done]
        del self._files[:done]

    def probably_holds(self, offset: int, link: int) -> bool:
        """Return whether the file of `offset` is probably the one that starts at `link`."""
        return link <= offset < link + (self._usual() if self._joined else 1)

    def files_beyond(self, offset: int) -> int:
        """Return how many known files are behind the one that holds `offset`."""
        return len(self._files) - bisect_right(self._starts, offset) + len(self._loose)

    def next_guess(self, asked: Collection[int], limit: int) -> int | None:
        """Return the first offset below `limit` whose file is neither known nor `asked` for; None without one."""
        # The size of files can be guessed only from the first one.
        if not self._joined or self._guess_failed:
            return None
        limit = min(self._size, limit)
        usual = self._usual()
        asking = sorted(asked)
        gap = self.end
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

    def _usual(self) -> int:
        """Return the mean size of a file, in bytes; there must be one in the chain."""
        return max(1, (self.end - self._begins) // self._joined)

    def _join(self, file: ExportFile | None) -> None:
        """Append a file to the chain, and behind it the loose ones that fit."""
        while file is not None:
            if not self._joined:
                self._begins = file.start
            self._starts.append(file.start)
            self._files.append(file)
            self._joined += 1
            self.end = file.end + 1
            file = self._loose.pop(self.end, None)
        for start in [start for start in self._loose if start < self.end]:
            del self._loose[start]


def _numbers(file: ExportFile) -> tuple[int, int, int, int]:
    return file.start, file.end, file.line_start, file.line_end


def _describe(file: ExportFile) -> str:
    return f"a file of bytes {file.start} to {file.end}, rows {file.line_start} to {file.line_end}"
