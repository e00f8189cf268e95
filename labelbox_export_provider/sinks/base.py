"""The contract of a store that exports can be landed in.

An object appears whole or not at all, whatever is killed and when. Between `begin` and `complete` a reader of the store
sees nothing under the key (or what was there before); `abort` leaves nothing behind, and what a killed process left is
removed by the next `abort_open_uploads` of a prefix of its key. That call also fences the process, should it still run:
to fence a process is to make its parts and its completion fail from then on, so that it cannot publish late.

Prove a new store with `testing.sink_conformance.SinkConformance`; what it cannot keep goes into `lacks`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from labelbox_export_provider.domain.options.object_keys import key_fault
from labelbox_export_provider.errors import ConfigurationError, LabelboxExportError
from labelbox_export_provider.sinks.part_body import PartBody as PartBody  # noqa: PLC0414  a part of the contract
from labelbox_export_provider.sinks.refusals import wrong_size
from labelbox_export_provider.sinks.stored_upload import StoredUpload
from labelbox_export_provider.sinks.upload_rule import UploadRule

NDJSON = "application/x-ndjson"
GZIP = "application/gzip"
ZSTD = "application/zstd"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

EXPORT_ID = "labelbox-export-id"
STARTED_AT = "labelbox-export-started-at"
SOURCE_RANGE = "labelbox-source-range"
ENCODING = "labelbox-encoding"
CRC32C = "labelbox-crc32c"


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object to be written under `key`.

    With `create_only` the store must refuse the completion when something is there by then; a sink whose store cannot
    promise that without a race documents it. `metadata` is kept with the object where the store has room for it.
    `hold_small` lets a writer keep a part that is the whole object in memory and write it with one plain call in
    `complete`; without it every part goes to the store at once, so that of many open objects nothing is held.
    """

    key: str
    content_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    create_only: bool = False
    hold_small: bool = True


@dataclass(frozen=True, slots=True)
class ExpectedObject:
    """Size and CRC32C, as stored, that the parts of an object must add up to."""

    size: int
    crc32c: int


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """An object that is visible now."""

    key: str
    uri: str
    size: int
    crc32c: int
    etag: str | None
    version_id: str | None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store reports about an object that is there.

    `metadata` has lower-case names; it is None where the store keeps none, so that the origin is unknown.
    `crc32c` is None where the store does not report one of the whole object.
    """

    key: str
    size: int
    metadata: Mapping[str, str] | None
    etag: str | None
    version_id: str | None
    crc32c: int | None = None


@dataclass(frozen=True, slots=True)
class ListedObject:
    """What a listing reports about one object; None for what the store's listings do not hold.

    `modified_at` is the store's own time of the last write, in UTC.
    """

    key: str
    size: int
    etag: str | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an object: numbers count from 1 without holes, `offset` is the place of its first byte in the object.

    Sizes may differ from part to part; each but the last has at least `Sink.minimum_part_bytes`.
    """

    number: int
    offset: int
    body: PartBody
    last: bool


class ObjectWriter(ABC):
    """One object on its way.

    Parts are put about in the order of their numbers, several at once by several threads; the other calls come from one
    thread.
    """

    @abstractmethod
    def put_part(self, part: Part) -> None:
        """Store a part. Putting the same number again, with the same bytes, is a retry and replaces it.

        The memory of the body is reused as soon as this returns, except that of an object's only part.
        """

    @abstractmethod
    def complete(self, expected: ExpectedObject) -> WrittenObject:
        """Make the object visible, whole. Fails with `IntegrityError` when the parts are not what was expected.

        When an object is there and creation was asked for, fails with `ObjectExistsError`, unless what is there is this
        very object, completed by a call whose answer was lost.
        """

    @abstractmethod
    def abort(self) -> None:
        """Discard all parts. May be called at any time, also after a failed `complete`, and more than once."""

    def stored(self) -> StoredUpload | None:
        """Return what `Sink.resume` needs of the parts that are put; None where the store cannot resume this object.

        Of a part that is being put meanwhile by another thread, nothing that is said of it counts.
        """
        return None


class Sink(ABC):
    """A store with one bucket or root; keys are relative to it and use `/`."""

    minimum_part_bytes: int = 1
    """Smallest part that may be followed by another."""
    maximum_part_bytes: int = 5 * 1024**3
    maximum_parts: int = 10_000
    maximum_object_bytes: int | None = 5 * 1024**4
    """Largest object, as S3 and Google Cloud Storage have it; None where the store names no limit of its own."""
    put_leaves_nothing: bool = False
    """Whether a killed `put` leaves nothing for `abort_open_uploads` to find, since it is one call of the store."""
    heads_without_list: bool = False
    """Whether `head` says for certain that there is no object, also where listing is not permitted."""
    maximum_key_bytes: int | None = None
    """Longest key in UTF-8; None where the store names no limit of its own."""
    connections: int | None = None
    """How many calls the store's client can have open at once; None where that is not limited."""
    resumes: bool = False
    """Whether `resume`, and `keep` of `abort_open_uploads`, do what they promise, so that a retry resumes a landing."""
    more_connections: str | None = None
    """How to raise `connections` to `{count}`, for a message: the rest of a sentence; None where nobody can."""

    @abstractmethod
    def uri(self, key: str) -> str:
        """Return the address that readers of the store use."""

    def check_writable(self, key: str) -> None:
        """Fail with the error that writing an object under `key` would fail with; leave nothing and show nothing.

        Operators call it before they start an export, so that a missing bucket or permission does not cost the export.
        What is under the key stays; the key may also be one that is never written. Override it where `begin` does not
        call the store.
        """
        self.begin(NewObject(key, NDJSON, hold_small=False)).abort()

    @abstractmethod
    def begin(self, new: NewObject) -> ObjectWriter:
        """Start an object; nothing is visible until its writer completes it."""

    def resume(self, new: NewObject, stored: StoredUpload, expected: ExpectedObject) -> ObjectWriter | None:  # noqa: ARG002  a store may have it
        """Return a writer of an object whose parts another process has stored; `expected` is what they add up to.

        The store is asked whether it has exactly these parts, or the whole object if that process completed it. None
        where it has neither, or cannot resume. With `stored.more` these are the first parts: what follows them in the
        store does not count, and the writer takes the parts behind them.
        """
        return None

    def upload_rule(self, key: str) -> UploadRule | None:  # noqa: ARG002  a store may have one
        """Return the rule by which the store removes, before all others, an unfinished upload under `key`.

        None where there is none. Fails with a `StorageError` where that may not be read, or cannot be asked.
        """
        return None

    @abstractmethod
    def put(self, new: NewObject, content: bytes) -> WrittenObject:
        """Write a small object in one go, as all-or-nothing as any."""

    @abstractmethod
    def read(self, key: str, *, limit: int) -> bytes | None:
        """Return at most `limit` bytes of an object; None when there is none.

        Where reading is denied, `read` and `head` return None with a warning if the store can grant writing alone, so
        that such an identity can land (S3, GCS); else they raise `StorageDeniedError` (a directory).
        """

    @abstractmethod
    def head(self, key: str) -> StoredObject | None:
        """Return what the store knows of the object under `key`; None when there is none, or as `read` does."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Yield all objects whose keys start with `prefix`, in any order; "" is the whole store.

        Like a plain string, a prefix need not end at a `/`. Objects that are not complete are not among them.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object under `key`; that there is none is no error."""

    def remove_wrong(self, key: str, *, found: int, sent: int) -> LabelboxExportError:
        """Remove an object of another size than was sent, and return the error to raise, with the reason if known."""
        return wrong_size(self.uri(key), lambda: self.delete(key), found=found, sent=sent)

    @abstractmethod
    def abort_open_uploads(self, prefix: str, *, exact: bool = False, keep: Callable[[str], bool] | None = None) -> int:
        """Remove what killed tries left below a prefix, with one listing; fence them, and return how many there were.

        With `exact`, only under this key: `rows` is also a prefix of `rows.2`, another task's. "" is refused. `keep` is
        asked about the name of each open upload whether it stays; only a store that `resumes` is given it.
        """


def check_relative_key(key: str) -> str:
    """Refuse a key that could leave the bucket or root, or that stores normalise differently."""
    if fault := key_fault(key):
        raise ConfigurationError(
            f"{key!r} cannot be an object's key: {fault}. It must be relative, in parts separated by single slashes. "
            "Check the prefix or key option of the transfer."
        )
    return key
