"""The faults of the fake: what goes wrong, where, after how many occasions and how often.

``fake.faults.add(RateLimited(operation="createdTasks", retry_after=2, times=3))``; over HTTP the same is
``POST /_fake/faults`` with ``{"fault": "RateLimited", "operation": "createdTasks", "retry_after": 2, "times": 3}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

StreamName = Literal["RESULT", "ERRORS"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault that happens `times` times (None: always), after `after` matching occasions without it.

    `every` spreads it: 20 lets it happen at one of twenty matching occasions.
    """

    times: int | None = 1
    after: int = 0
    every: int = 1


@dataclass(frozen=True, kw_only=True)
class RequestFault(Fault):
    """A fault of one GraphQL request.

    `operation` is the name of any field that the request asks for (`exportDataRowsInProject`, `createdTasks`,
    `exportFileFromOffset`, ...) or its operation name; None means every request. `stream` narrows it to requests with
    this `streamType` among their variables.
    """

    operation: str | None = None
    stream: StreamName | None = None


@dataclass(frozen=True, kw_only=True)
class RateLimited(RequestFault):
    """HTTP 429, nothing carried out. `retry_after` is in seconds; None sends no such header."""

    retry_after: float | None = 1.0
    retry_after_as_date: bool = False
    as_html: bool = False


@dataclass(frozen=True, kw_only=True)
class ErrorStatus(RequestFault):
    """A gateway's plain-text answer with an error status; nothing is carried out."""

    status: int = 502
    body: str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"


@dataclass(frozen=True, kw_only=True)
class HtmlAnswer(RequestFault):
    """A page of HTML instead of an answer; nothing is carried out."""

    status: int = 200
    body: str = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in to continue</body></html>"


@dataclass(frozen=True, kw_only=True)
class GraphQLErrorAnswer(RequestFault):
    """An entry in `errors` with this code; nothing is carried out."""

    code: str = "INTERNAL_SERVER_ERROR"
    message: str = "Something went wrong"
    exception_status: int | None = None
    status: int = 200


@dataclass(frozen=True, kw_only=True)
class LostAnswer(RequestFault):
    """The connection breaks instead of an answer, with the request carried out or not."""

    carried_out: bool = True


@dataclass(frozen=True, kw_only=True)
class SlowAnswer(RequestFault):
    """The answer takes this long, in real time; the request is carried out first. It combines with other faults."""

    seconds: float = 1.0


@dataclass(frozen=True, kw_only=True)
class NullHeader(Fault):
    """`exportMetadataHeader` of a COMPLETE export is null although the stream has rows. Each read is an occasion."""

    stream: StreamName | None = None


@dataclass(frozen=True, kw_only=True)
class NullFile(Fault):
    """`exportFileFromOffset` is null although there are bytes at that offset."""

    stream: StreamName | None = None


@dataclass(frozen=True, kw_only=True)
class ExportFault(Fault):
    """A fault that an export gets when it starts. `source_id` narrows it to one project, dataset, ..."""

    source_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailedExport(ExportFault):
    """The export ends FAILED."""


@dataclass(frozen=True, kw_only=True)
class CanceledExport(ExportFault):
    """The export ends CANCELED, as if it was canceled in the web app."""


@dataclass(frozen=True, kw_only=True)
class SlowExport(ExportFault):
    """The export runs this long, whatever `Behaviour.seconds_per_export` is."""

    seconds: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class UnknownStatus(ExportFault):
    """While it runs, the export answers with a status that no client knows."""

    status: str = "PAUSED"


@dataclass(frozen=True, kw_only=True)
class ErrorRows(ExportFault):
    """The export has an error stream with these lines."""

    lines: tuple[str, ...] = ('{"error": "data row could not be exported"}',)


@dataclass(frozen=True, kw_only=True)
class WrongTotals(ExportFault):
    """The stream's header disagrees with its files by this many bytes and lines."""

    stream: StreamName = "RESULT"
    bytes_by: int = 0
    lines_by: int = 0


@dataclass(frozen=True, kw_only=True)
class WrongRanges(ExportFault):
    """The file with this index states wrong offsets or lines: its ends differ by these numbers."""

    stream: StreamName = "RESULT"
    file_index: int = 0
    offsets_by: int = 0
    lines_by: int = 0


@dataclass(frozen=True, kw_only=True)
class HiddenExport(ExportFault):
    """The export is missing from `createdTasks` for this many seconds and look-ups; by id too if `by_id`."""

    seconds: float = 0.0
    looks: int = 0
    by_id: bool = False


@dataclass(frozen=True, kw_only=True)
class FileFault(Fault):
    """A fault of one file request, narrowed to a stream and the file with an index."""

    stream: StreamName | None = None
    file_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class TruncatedFile(FileFault):
    """The file is a complete HTTP answer but ends after `keep` of its bytes."""

    keep: int = 1


@dataclass(frozen=True, kw_only=True)
class BrokenFile(FileFault):
    """The connection is reset after this many bytes of the answer."""

    after_bytes: int = 1


@dataclass(frozen=True, kw_only=True)
class LongerFile(FileFault):
    """The file continues after its end."""

    extra: str = '{"data_row": {"id": "not-in-the-offsets"}}\n'


@dataclass(frozen=True, kw_only=True)
class CorruptFile(FileFault):
    """One byte of the file is changed; with `hash_agrees` the announced hash is that of the corrupt bytes."""

    position: int = 0
    hash_agrees: bool = False


@dataclass(frozen=True, kw_only=True)
class RefusedFile(FileFault):
    """The file server answers with this status."""

    status: int = 403


@dataclass(frozen=True, kw_only=True)
class ExpiredFile(FileFault):
    """The file server treats the signed URL as expired: status 400, code ExpiredToken."""


@dataclass(frozen=True, kw_only=True)
class SlowFile(FileFault):
    """The file starts only after this long, in real time."""

    seconds: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DrippingFile(FileFault):
    """After this many bytes the rest of the answer comes byte by byte, with so many seconds before each."""

    after_bytes: int = 1
    seconds_per_byte: float = 0.5


ANSWERING: tuple[type[RequestFault], ...] = (RateLimited, ErrorStatus, HtmlAnswer, GraphQLErrorAnswer, LostAnswer)
KINDS: Mapping[str, type[Fault]] = {
    kind.__name__: kind
    for kind in (
        *ANSWERING,
        SlowAnswer,
        NullHeader,
        NullFile,
        FailedExport,
        CanceledExport,
        SlowExport,
        UnknownStatus,
        ErrorRows,
        WrongTotals,
        WrongRanges,
        HiddenExport,
        TruncatedFile,
        BrokenFile,
        LongerFile,
        CorruptFile,
        RefusedFile,
        ExpiredFile,
        SlowFile,
        DrippingFile,
    )
}
