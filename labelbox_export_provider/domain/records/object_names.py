"""The names of one export's objects. Only data rows are under `data/`, because readers read whole prefixes.

::

    <prefix>/data/source=project/id=clp1/dt=2026-11-22/20261122T020000Z_20261123T020000Z.g7f3a9c12.00000.ndjson.gz
    <prefix>/errors/source=project/id=clp1/dt=2026-11-22/20261122T020000Z_20261123T020000Z.g7f3a9c12.ndjson.gz
    <prefix>/uris/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.txt
    <prefix>/manifests/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12.ok.json
    <prefix>/_staging/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g7f3a9c12/00000.json

All names are a function of the handle alone: a retry of the same export writes the same names, another export adds
new ones. Data objects are numbered by the part of the source that their rows come from, so a number whose rows were all
trimmed is missing. The id of a catalog is that of its organization, that of single data rows begins with it: two
organizations that share a prefix must not have the same names.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, get_args
from urllib.parse import quote

from labelbox_export_provider.domain.records.handle import ExportHandle, started_at_or_window_start
from labelbox_export_provider.errors import ConfigurationError

Compression = Literal["gzip", "zstd"]
State = Literal["ok", "empty", "errors"]
Kind = Literal["manifests", "uris", "data", "errors"]
_SUFFIX: dict[Compression | None, str] = {None: "", "gzip": ".gz", "zstd": ".zst"}
_NDJSON = rf"ndjson(?:{'|'.join(re.escape(suffix) for suffix in _SUFFIX.values())})"
NAME_ENDS: dict[Kind, str] = {
    "manifests": rf"(?:{'|'.join(get_args(State))})\.json",
    "uris": "txt",
    "data": rf"\d{{5,}}\.{_NDJSON}",
    "errors": _NDJSON,
}


EXPLICIT_RECEIPTS = "_manifests/_staging/"
"""Where the receipts of explicit keys are, in the folder of a key."""


def generation(export_id: str) -> str:
    """Return the short name of one export inside a window: `g` and eight hex digits."""
    return f"g{hashlib.sha256(export_id.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class WindowNames:
    """The names of all generations of one source and window, or at one explicit key, to find them in a listing.

    Without a window, exports that were started on the same day (in UTC) count as the same. Only names of this
    package's form are recognised, so another program's object is never treated as a generation.
    """

    folders: Mapping[Kind, str]
    _stem_head: str
    _stem: str

    def prefix(self, kind: Kind) -> str:
        """Return the prefix under which a listing has all objects of this kind, and possibly others."""
        return f"{self.folders[kind]}/{self._stem_head}"

    def generation_of(self, kind: Kind, key: str) -> str | None:
        """Return the generation that a key belongs to; None when it is not of this source and window."""
        folder, _, leaf = key.rpartition("/")
        found = re.fullmatch(rf"{self._stem}\.(g[0-9a-f]{{8}})\.{NAME_ENDS[kind]}", leaf, re.ASCII)
        return found[1] if found is not None and folder == self.folders[kind] else None


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """The keys of one export's objects, relative to the bucket or root.

    `window` names them and those of other exports that may be beside them. Every object of the export, in whatever
    form, has a key that starts with the prefix of its kind in `own`; with an explicit key the data object is that key
    itself, and there are no `uris`.
    """

    generation: str
    errors: str
    uris: str | None
    explicit_key: str | None
    window: WindowNames
    own: Mapping[Kind, str]
    staging: str
    """The prefix of the receipts of what is stored and not visible."""
    _data_head: str
    _manifest_head: str
    _suffix: str

    def data(self, number: int = 0) -> str:
        """Return the key of one data object; numbers count from 0. An explicit key is one object."""
        return self.explicit_key or f"{self._data_head}.{number:05d}.ndjson{self._suffix}"

    def receipt(self, number: int) -> str:
        """Return the key of the receipt of one data object, or of one range of that at an explicit key."""
        return f"{self.staging}{number:05d}.json"

    @property
    def removal(self) -> str:
        """The key of what is there while a refused try removes what other tries of its export have left.

        It is beside the receipts and not among them, since a landing removes those while it looks for this.
        """
        return f"{self.staging.removesuffix('/')}.removal.txt"

    def receipt_number(self, key: str) -> int | None:
        """Return the number of the data object, or range, whose receipt has this key; None for any other key."""
        found = re.fullmatch(r"(\d{5,})\.json", key.removeprefix(self.staging), re.ASCII)
        return int(found[1]) if found is not None and key.startswith(self.staging) else None

    def manifest(self, state: State) -> str:
        """Return the key of the manifest, whose name holds its state, for readers that only list."""
        return f"{self._manifest_head}.{state}.json"


def layout_names(handle: ExportHandle, prefix: str, compression: Compression | None) -> ObjectNames:
    """Return the keys below a prefix."""
    head = prefix.strip("/")
    head = f"{head}/" if head else ""
    source = f"source={handle.source.kind}/id={source_id(handle)}"
    moment = started_at_or_window_start(handle)
    name = generation(handle.export_id)
    day = moment.astimezone(timezone.utc)
    if handle.window is None:
        stem = _compact(moment)
        stem_head, pattern = f"{day:%Y%m%d}T", rf"{day:%Y%m%d}T\d{{6}}(?:\.\d{{6}})?Z"
    else:
        stem = f"{_compact(handle.window.start)}_{_compact(handle.window.end)}"
        stem_head, pattern = f"{stem}.g", re.escape(stem)
    stem = f"{stem}.{name}"
    suffix = _SUFFIX[compression]
    dated = f"{source}/dt={day:%Y-%m-%d}"
    folders: dict[Kind, str] = {
        "manifests": f"{head}manifests/{source}",
        "uris": f"{head}uris/{source}",
        "data": f"{head}data/{dated}",
        "errors": f"{head}errors/{dated}",
    }
    return ObjectNames(
        generation=name,
        errors=f"{folders['errors']}/{stem}.ndjson{suffix}",
        uris=f"{folders['uris']}/{stem}.txt",
        explicit_key=None,
        window=WindowNames(folders, stem_head, pattern),
        own={kind: f"{folder}/{stem}." for kind, folder in folders.items()},
        staging=f"{head}_staging/{source}/{stem}/",
        _data_head=f"{folders['data']}/{stem}",
        _manifest_head=f"{folders['manifests']}/{stem}",
        _suffix=suffix,
    )


def explicit_names(handle: ExportHandle, key: str, compression: Compression | None) -> ObjectNames:
    """Return the keys around one explicit object: manifest and errors go to `_manifests/` and `_errors/` beside it.

    Receipts go to `_manifests/_staging/`, a prefix of their own, so that a lifecycle rule can remove them alone.
    """
    filled = fill_key(handle, key)
    folder, _, leaf = filled.rpartition("/")
    folder = f"{folder}/" if folder else ""
    name = generation(handle.export_id)
    folders: dict[Kind, str] = {"manifests": f"{folder}_manifests", "errors": f"{folder}_errors"}
    return ObjectNames(
        generation=name,
        errors=f"{folders['errors']}/{leaf}.{name}.ndjson{_SUFFIX[compression]}",
        uris=None,
        explicit_key=filled,
        window=WindowNames(folders, f"{leaf}.g", re.escape(leaf)),
        own={kind: f"{place}/{leaf}.{name}." for kind, place in folders.items()},
        staging=f"{folder}{EXPLICIT_RECEIPTS}{leaf}.{name}/",
        _data_head="",
        _manifest_head=f"{folders['manifests']}/{leaf}.{name}",
        _suffix="",
    )


def source_id(handle: ExportHandle) -> str:
    """Return the id of the source as names of objects hold it: one that no other organization has."""
    given = quote(handle.source.id, safe="-_.")
    organization = quote(handle.organization_id, safe="-_.")
    return {"catalog": organization, "data_rows": f"{organization}-{given}"}.get(handle.source.kind, given)


KEY_FIELDS = (
    "window_start",
    "window_end",
    "started_at",
    "export_id",
    "generation",
    "source_kind",
    "source_id",
)


_TIME_FIELDS = ("window_start", "window_end", "started_at")
_TIME_FORMAT = re.compile(r"(?:[^%{}]|%%|%-?[YymdHMSfjGVUWuw])*", re.ASCII)


def check_key(key: str) -> None:
    """Refuse an explicit key that cannot be filled, while the DAG is parsed."""
    try:
        fields = [(name, spec or "", how) for _, name, spec, how in string.Formatter().parse(key) if name is not None]
    except ValueError as error:
        raise ConfigurationError(f"The key {key!r} has unbalanced braces ({error}). {_valid_fields()}") from None
    for name, spec, conversion in fields:
        if name not in KEY_FIELDS:
            raise ConfigurationError(f"The key {key!r} has a field {{{name}}} that does not exist. {_valid_fields()}")
        if conversion is not None:
            raise ConfigurationError(f"The key {key!r} converts {name} with !{conversion}. {_valid_fields()}")
        if name not in _TIME_FIELDS and spec:
            raise ConfigurationError(f"The key {key!r} has a format {spec!r} for {name}. {_valid_fields()}")
        # Without a directive all windows would be written to one key.
        if spec and (_TIME_FORMAT.fullmatch(spec) is None or "%" not in spec.replace("%%", "")):
            raise ConfigurationError(
                f"The key {key!r} has a format {spec!r} for {name} that is not valid. Valid directives: "
                "%Y %y %m %d %H %M %S %f %j %G %V %U %W %u %w, as in {window_start:%Y-%m-%d}."
            )
    if not key.strip("/") or key.endswith("/"):
        raise ConfigurationError(f"The key {key!r} must name one object, not a folder.")


def fill_key(handle: ExportHandle, key: str) -> str:
    """Fill the fields of an explicit key from the handle; fails if it names a window and the export has none."""
    check_key(key)
    values: dict[str, datetime | str] = {
        "started_at": handle.started_at,
        "export_id": handle.export_id,
        "generation": generation(handle.export_id),
        "source_kind": handle.source.kind,
        "source_id": source_id(handle),
    }
    if handle.window is not None:
        values |= {"window_start": handle.window.start, "window_end": handle.window.end}
    filled = _Filler(key).vformat(key, (), values)
    return filled.lstrip("/")


class _Filler(string.Formatter):
    def __init__(self, key: str) -> None:
        self._key = key

    def get_value(self, key: int | str, args: object, kwargs: Mapping[str, object]) -> object:  # noqa: ARG002  the base class's signature
        if key not in kwargs:
            raise ConfigurationError(
                f"The key {self._key!r} names {{{key}}}, but this export has no window. "
                "Use {started_at:%Y-%m-%d} or {export_id}, or give the start operator a window=."
            )
        value = kwargs[key]  # type: ignore[index]  # names only: positional fields were refused by check_key
        return value.astimezone(timezone.utc) if isinstance(value, datetime) else value

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, datetime):
            return value.strftime(format_spec) if format_spec else _compact(value)
        return str(value)


def _valid_fields() -> str:
    return (
        f"Valid fields: {', '.join(f'{{{name}}}' for name in KEY_FIELDS)}; times take a format, "
        "{window_start:%Y-%m-%d}. Braces that are meant as text are written twice."
    )


def _compact(moment: datetime) -> str:
    utc = moment.astimezone(timezone.utc)
    return utc.strftime("%Y%m%dT%H%M%SZ") if not utc.microsecond else utc.strftime("%Y%m%dT%H%M%S.%fZ")
