"""Exports as the names of their manifests and error rows show them.

The state of a manifest is in its name, so empty windows are known without reading anything. An export with more error
rows than `max_error_rows` leaves error rows and no manifest: it was rejected. Names of another form are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, NamedTuple, get_args
from urllib.parse import quote

from labelbox_export_provider.domain.records.handle import SourceName
from labelbox_export_provider.domain.records.object_names import NAME_ENDS, State
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import ListedObject

SOURCE_KINDS: tuple[str, ...] = get_args(SourceName.model_fields["kind"].annotation)
ExportState = Literal["ok", "empty", "errors", "rejected"]

_MOMENT = r"\d{8}T\d{6}(?:\.\d{6})?Z"
_EXPORT = rf"(?P<start>{_MOMENT})(?:_(?P<end>{_MOMENT}))?\.(?P<generation>g[0-9a-f]{{8}})"
_SOURCE = rf"source=(?P<kind>{'|'.join(SOURCE_KINDS)})/id=(?P<id>[^/]+)"
_MANIFEST = re.compile(rf"manifests/{_SOURCE}/{_EXPORT}\.(?P<state>{'|'.join(get_args(State))})\.json", re.ASCII)
_ERRORS = re.compile(
    rf"errors/{_SOURCE}/dt=(?P<day>\d{{4}}-\d{{2}}-\d{{2}})/{_EXPORT}\.{NAME_ENDS['errors']}", re.ASCII
)


class SourceKey(NamedTuple):
    """A source as names of objects have it. The id of a catalog is that of its organization."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> SourceKey:
        """Read the form `project:clp1`."""
        kind, colon, name = text.partition(":")
        if kind not in SOURCE_KINDS or not colon or not name or "/" in name:
            raise ConfigurationError(
                f"{text!r} is not a source. It must be a kind and an id, as in project:clp1; the kinds are "
                f"{', '.join(SOURCE_KINDS)}. The id of a catalog is that of its organization."
            )
        return cls(kind, name)

    @classmethod
    def of(cls, source: Source) -> SourceKey:
        """Return the key of a source; fails where names hold the organization too, which a source does not know."""
        if source.kind in ("catalog", "data_rows"):
            raise ConfigurationError(
                f"The names of a {source.kind} export hold the id of the organization: write the source as text, "
                f"'{source.kind}:' and what follows id= in the names below manifests/."
            )
        return cls(source.kind, quote(source.id, safe="-_."))


@dataclass(frozen=True, slots=True)
class NamedExport:
    """One export of a source: `end` is None where it has no window, and `start` is then when it was started.

    `rows` are those landed, where the manifest was read.
    """

    source: SourceKey
    start: datetime
    end: datetime | None
    generation: str
    state: ExportState
    key: str
    modified_at: datetime | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The exports in a listing, and how many names in it are not of this form.

    `unread` counts manifests of explicit keys, whose names do not hold the window.
    """

    exports: tuple[NamedExport, ...]
    ignored: int = 0
    unread: int = 0


def read_names(listed: Iterable[ListedObject], prefix: str = "") -> Names:
    """Return the exports that objects below `manifests/` and `errors/` of a prefix belong to.

    Error rows of an export that has a manifest are left out. Never fails on a name.
    """
    head = prefix.strip("/")
    head = f"{head}/" if head else ""
    landed: list[NamedExport] = []
    errors: list[NamedExport] = []
    ignored = 0
    for each in listed:
        found = _read(each, head)
        if found is None:
            ignored += 1
        else:
            (errors if found.state == "rejected" else landed).append(found)
    have_manifest = {_export(each) for each in landed}
    return Names((*landed, *(each for each in errors if _export(each) not in have_manifest)), ignored)


def _export(each: NamedExport) -> tuple[SourceKey, datetime, datetime | None, str]:
    return each.source, each.start, each.end, each.generation


def _read(listed: ListedObject, head: str) -> NamedExport | None:
    if not listed.key.startswith(head):
        return None
    name = listed.key[len(head) :]
    found = _MANIFEST.fullmatch(name)
    errors = found is None
    if found is None:
        found = _ERRORS.fullmatch(name)
    if found is None:
        return None
    start = _moment(found["start"])
    end = _moment(found["end"]) if found["end"] else None
    if start is None or (found["end"] and (end is None or end <= start)):
        return None
    if errors and found["day"] != f"{start:%Y-%m-%d}":
        return None
    source = SourceKey(found["kind"], found["id"])
    state: ExportState = "rejected" if errors else found["state"]  # type: ignore[assignment]  # one of State's words
    return NamedExport(source, start, end, found["generation"], state, listed.key, listed.modified_at)


def _moment(text: str) -> datetime | None:
    try:
        return datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[9:11]),
            int(text[11:13]),
            int(text[13:15]),
            int(text[16:22]) if len(text) > 16 else 0,
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None
