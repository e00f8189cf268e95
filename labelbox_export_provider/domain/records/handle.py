"""The export handle: what a start passes to sensors and transfers, small enough for XCom and free of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from typing_extensions import Self

from labelbox_export_provider.domain.options.dates import iso_utc, whole_second
from labelbox_export_provider.domain.windows.windows import MARGIN, ResolvedWindow, TrimRule, WindowField
from labelbox_export_provider.errors import HandleError

Text = Annotated[str, StringConstraints(min_length=1, max_length=400, pattern=r"^[^\x00-\x1f]+$")]
ExportId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
UtcText = Annotated[AwareDatetime, PlainSerializer(iso_utc, return_type=str)]


Version = Annotated[int, Field(ge=1)]
"""The version of a record. A newer one is read as far as it is known, and its unknown members are ignored."""


class Record(BaseModel):
    """Base of records that other programs read: frozen, without unknown members."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TolerantRecord(Record):
    """A record of which unknown members are ignored: of a fleet that is upgraded, an old worker reads a newer one's."""

    model_config = ConfigDict(extra="ignore")


class SourceName(TolerantRecord):
    """The exported source, in the two words that object names use."""

    kind: Literal["project", "dataset", "slice", "catalog", "model_run", "data_rows"]
    id: Text


class HandleWindow(TolerantRecord):
    """The window of the run, as asked for (`start`, `end`) and as sent (`queried_*`)."""

    field: WindowField
    start: UtcText
    end: UtcText
    queried_start: UtcText | None
    queried_end: UtcText
    trim: bool

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        # A trimmed window leaves out rows between its end and the queried end: an edited handle must not add to them.
        if not self.start < self.end <= self.queried_end <= whole_second(self.end, "end") + MARGIN:
            raise ValueError("start < end <= queried_end does not hold, or queried_end is more than a second later")
        if self.queried_start is not None and self.queried_start > self.start:
            raise ValueError("queried_start is after start")
        if self.trim and self.field == "label_created_at":
            raise ValueError("a label_created_at window cannot be trimmed")
        return self

    @classmethod
    def of(cls, window: ResolvedWindow) -> HandleWindow:
        """Return the record of a resolved window."""
        return cls(**{name: getattr(window, name) for name in cls.model_fields})

    def trim_rule(self) -> TrimRule | None:
        """Return the rule by which the rows in a margin are left out, or None where nothing is trimmed."""
        if not self.trim:
            return None
        return TrimRule(self.start, self.end, self.queried_start, self.queried_end)


class ExportHandle(TolerantRecord):
    """One started export: its id, what was asked, by whom, through which connection.

    It is validated wherever it is read, since an XCom can be edited by hand. `adopted` is True when a try found this
    export running instead of starting it. `query` is the request, for the manifest, with long id lists condensed.
    Of an export that no task of this package started, `filters_digest`, `fingerprint` and `user_id` are None.
    """

    v: Version = 1
    export_id: ExportId
    source: SourceName
    filters_digest: Digest | None
    labelbox_conn_id: Text
    window: HandleWindow | None
    user_id: Text | None
    organization_id: Text
    fingerprint: Digest | None
    started_at: UtcText
    adopted: bool = False
    query: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _started_here_or_not(self) -> Self:
        known = {self.filters_digest is None, self.fingerprint is None, self.user_id is None}
        if len(known) > 1 or (self.external and self.window is not None):
            raise ValueError("filters_digest, fingerprint and user_id belong together, and a window to all three")
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the plain form that goes into XCom, manifest and task state."""
        return self.model_dump(mode="json")

    @classmethod
    def parse(cls, value: object) -> ExportHandle:
        """Read a handle; raises `HandleError`, which names what was given and what to pass instead."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise HandleError(
                f"export= takes the handle that an export operator returns (export=start.output), not {shown(value)}. "
                "If the start task was skipped or its XCom deleted, clear it with downstream."
            )
        try:
            return cls.model_validate(dict(value))  # without totals, which a sensor adds for people
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "handle"
            fault = str(first["msg"]).removeprefix("Value error, ")
            raise HandleError(
                f"The export handle is not valid at {where!r}: {fault}. {_why_invalid(value.get('v'))} or clear the "
                "start task with downstream to get a new one."
            ) from None

    @property
    def external(self) -> bool:
        """Whether no task of this package started this export, so that it is unknown what was asked."""
        return self.filters_digest is None

    @property
    def question(self) -> tuple[object, ...]:
        """What was asked, and of whom: of two exports of one question the later may take the place of the earlier.

        What was asked for an external export is unknown, so it has the question of no other.
        """
        return (self.source, self.organization_id, self.window, self.filters_digest or self.export_id)

    @property
    def order(self) -> tuple[datetime, str]:
        """The order of exports, the newest last; never the same for two of them, so that all agree on it."""
        return (self.started_at, self.export_id)

    def describe(self) -> str:
        """Return the export's name in one line for logs and errors."""
        window = "no window" if self.window is None else f"[{iso_utc(self.window.start)}, {iso_utc(self.window.end)})"
        return f"export {self.export_id} of {self.source.kind} {self.source.id}, {window}"


def _why_invalid(version: object) -> str:
    if isinstance(version, int) and version > 1:
        return (
            f"A newer version of this package wrote it (v {version}), and this one reads v 1: upgrade the package on "
            "this worker. Otherwise pass export=start.output unchanged,"
        )
    return "Handles are not meant to be edited: pass export=start.output unchanged,"


def started_at_or_window_start(handle: ExportHandle) -> datetime:
    """Return the moment that dates the objects of an export."""
    return handle.started_at if handle.window is None else handle.window.start


def shown(value: object) -> str:
    """Return a value as Python writes it, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
