"""The export that every benchmark moves: made by a formula, so that each machine has the same bytes.

Rows look like Labelbox's (about 3.8 KiB, boxes and classifications, some with non-ASCII text, some escaped), and gzip
at its fastest makes about 0.18 of them. The last one in a hundred rows was active in the second after the window's end,
where trimming drops it, so trimming reads every row and drops few.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

WINDOW_START = datetime(2026, 11, 22, tzinfo=timezone.utc)
WINDOW_END = datetime(2026, 11, 23, tzinfo=timezone.utc)
MARGIN = timedelta(seconds=1)
_RECIPE = 1
"""Counts changes of the formula, so that files of an older one are made again."""
_DROPPED_EVERY = 100
_CLASSES = ("car", "truck", "person", "traffic sign", "bicycle", "näive süß データ")


@dataclass(frozen=True)
class DataFile:
    """One file of the export."""

    name: str
    size: int
    lines: int
    first_row: int


@dataclass(frozen=True)
class Stream:
    """The expected content of the store after a transfer."""

    size: int
    lines: int
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """Files in a directory, and the expected result of a transfer of them."""

    directory: Path
    files: tuple[DataFile, ...]

    @classmethod
    def read(cls, directory: Path) -> Dataset:
        """Read what `make` wrote."""
        found = json.loads((directory / "index.json").read_text())
        return cls(directory, tuple(DataFile(**file) for file in found["files"]))

    @classmethod
    def make(cls, root: Path, files: int, file_bytes: int) -> Dataset:
        """Make the files below `root`, or take those that are there."""
        directory = root / f"{files}x{file_bytes}-{_RECIPE}"
        if not (directory / "index.json").exists():
            directory.mkdir(parents=True, exist_ok=True)
            written = list(_write(directory, files, file_bytes))
            (directory / "index.json").write_text(json.dumps({"files": [asdict(file) for file in written]}))
        return cls.read(directory)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def size_of(self, files: int) -> int:
        """Bytes of an export of so many files, which come round again."""
        return sum(self.files[number % len(self.files)].size for number in range(files))

    def joined(self, files: int) -> Path:
        """Return one local file with the bytes of the first so many files, for programs that upload a local file."""
        path = self.directory / f"joined-{files}.ndjson"
        if not path.exists():
            part = path.with_suffix(".part")
            with part.open("wb") as target:
                for file in self.files[:files]:
                    target.write((self.directory / file.name).read_bytes())
            part.rename(path)
        return path

    def expected_rows(self, files: int, *, trimmed: bool) -> Stream:
        """Return what a transfer of so many files, which come round again, must land: all rows or those kept."""
        return _truth(self, files, trimmed=trimmed)


@cache
def _truth(dataset: Dataset, files: int, *, trimmed: bool) -> Stream:
    digest, size, lines = hashlib.sha256(), 0, 0
    for position in range(files):
        file = dataset.files[position % len(dataset.files)]
        content = (dataset.directory / file.name).read_bytes()
        if trimmed:
            rows = enumerate(content.splitlines(keepends=True), file.first_row)
            content = b"".join(row for number, row in rows if not _in_margin(number))
        digest.update(content)
        size += len(content)
        lines += content.count(b"\n")
    return Stream(size, lines, digest.hexdigest())


def _in_margin(number: int) -> bool:
    return number % _DROPPED_EVERY == _DROPPED_EVERY - 1


def _write(directory: Path, files: int, file_bytes: int) -> Iterator[DataFile]:
    tails = _tails()
    number = 0
    for index in range(files):
        name, first, size = f"part-{index:05d}.ndjson", number, 0
        rows: list[bytes] = []
        while size < file_bytes:
            row = _row(number, tails[number * 7919 % len(tails)])
            rows.append(row)
            size += len(row)
            number += 1
        (directory / name).write_bytes(b"".join(rows))
        yield DataFile(name, size, len(rows), first)


def _row(number: int, tail: bytes) -> bytes:
    """Join what is a row's own with a tail; few thousand tails are far more than any compressor looks back."""
    mixed = number * 2654435761 % 2**64
    moment = WINDOW_START + timedelta(milliseconds=mixed % 86_400_000)
    if _in_margin(number):
        moment = WINDOW_END + timedelta(milliseconds=mixed % 1000)
    active = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+00:00"
    head = (
        f'{{"data_row": {{"id": "cm{mixed:020d}aaa", "global_key": "img-{number:09d}", '
        f'"row_data": "https://storage.example.com/images/{mixed:016x}{number:08x}.jpg", "details": '
        f'{{"dataset_id": "cm0000000000000000dataset", "dataset_name": "street scenes", '
        f'"created_at": "2026-10-02T03:04:05.678+00:00", "updated_at": "{active}", "last_activity_at": "{active}", '
        f'"created_by": "someone@example.com"}}}}, '
    )
    return head.encode() + tail


def _tails() -> list[bytes]:
    random_numbers = random.Random(20261122)
    return [_tail(random_numbers, ascii_only=index % 2 == 0) for index in range(4000)]


def _tail(numbers: random.Random, *, ascii_only: bool) -> bytes:
    objects = [_box(numbers) for _ in range(numbers.randrange(2, 16))]
    label = {
        "label_kind": "Default",
        "version": "1.0.0",
        "id": _identifier(numbers),
        "label_details": {
            "created_at": "2026-11-02T03:04:05.000+00:00",
            "created_by": "someone@example.com",
            "content_last_updated_at": "2026-11-12T03:04:05.000+00:00",
            "reviews": [],
        },
        "performance_details": {"seconds_to_create": numbers.randrange(900), "skipped": False},
        "annotations": {"objects": objects, "classifications": [], "relationships": []},
    }
    details = {"ontology_id": "cm000000000000000ontology", "task_name": "Done", "priority": 5, "workflow_history": []}
    row = {
        "media_attributes": {"height": 1080, "width": 1920, "mime_type": "image/jpeg", "asset_type": "image"},
        "projects": {
            "cm0000000000000000project": {"name": "boxes", "labels": [label], "project_details": details},
        },
    }
    return json.dumps(row, ensure_ascii=ascii_only).encode()[1:] + b"\n"


def _box(numbers: random.Random) -> dict[str, object]:
    kind = numbers.randrange(len(_CLASSES))
    return {
        "feature_id": _identifier(numbers),
        "feature_schema_id": f"cm00000000000000schema{kind:03d}",
        "name": _CLASSES[kind],
        "value": _CLASSES[kind].replace(" ", "_"),
        "annotation_kind": "ImageBoundingBox",
        "classifications": [],
        "bounding_box": {
            "top": round(numbers.random() * 1080, 10),
            "left": round(numbers.random() * 1920, 10),
            "height": round(numbers.random() * 400, 10),
            "width": round(numbers.random() * 400, 10),
        },
    }


def _identifier(numbers: random.Random) -> str:
    return "cm" + "".join(numbers.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=23))
