"""Exports that were started in Labelbox's app or with its SDK, and all forms of `export=`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError, field_validator

from labelbox_export_provider.domain.options.rendered_text import HOW_AS_TEXT, text_as_mapping
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.records.handle import ExportHandle, ExportId, Record, SourceName, Text, shown
from labelbox_export_provider.errors import HandleError

WRITE_EXTERNAL = 'export={"export_id": "...", "source": {"kind": "project", "id": "..."}}'
"""How to name an export that no task of this package started."""

_ANY = {"export_id": "later", "source": {"kind": "project", "id": "later"}, "labelbox_conn_id": "later"}


class ExternalExport(Record):
    """An export by its id and its source.

    `source` is None for a bare id, which can be waited for but not landed: names of objects contain the source.
    """

    export_id: ExportId
    source: SourceName | None = None
    labelbox_conn_id: Text | None = None

    @field_validator("source")
    @classmethod
    def _names_one(cls, source: SourceName | None) -> SourceName | None:
        if source is not None and (is_template(source.id) or any(letter.isspace() for letter in source.id)):
            raise ValueError("an id is needed, as it stands in the web app's address: text without spaces")
        if source is not None and source.kind == "catalog" and source.id != "all":
            raise ValueError("there is one catalog; its id is 'all'")
        return source

    @property
    def source_text(self) -> str | None:
        """The source as messages name it."""
        return None if self.source is None else f"{self.source.kind} {self.source.id}"

    @property
    def user_id(self) -> None:
        """None: it is unknown whose key started it."""

    @property
    def started_at(self) -> None:
        """None: only Labelbox knows when it was started."""


def parse_export(value: object) -> ExportHandle | ExternalExport:
    """Read `export=`: a handle, the id and source of an external export, or its bare id.

    Text that holds one of the two mappings is parsed. Raises `HandleError`, which names what to pass instead.
    """
    value = text_as_mapping(value)
    if isinstance(value, ExternalExport):
        return value
    if isinstance(value, str):
        return _bare_id(value)
    if isinstance(value, Mapping) and "export_id" in value:
        if not value.keys() - {"v", "export_id", "labelbox_conn_id", "totals"}:
            raise HandleError(
                f"export={shown(dict(value))} names an export by its id alone, without the source that names of "
                f"objects contain. Pass export=start.output; for an export that no task here started, write "
                f"{WRITE_EXTERNAL} in the sensor and in the transfer."
            )
        if is_external(value):
            return _external(value)
    return ExportHandle.parse(value)


def check_export(value: object) -> None:
    """Check `export=` while a DAG is parsed, as far as it is neither a template nor the output of another task."""
    value = text_as_mapping(value)
    if isinstance(value, Mapping) and is_external(value):
        value = _filled(value, _ANY)
    if isinstance(value, (list, tuple)) or not is_template(value):
        parse_export(value)


def is_external(value: object) -> bool:
    """Return whether `export=` is known to name an export that no task of this package started."""
    value = text_as_mapping(value)
    return isinstance(value, Mapping) and "export_id" in value and not value.keys() & {"v", "fingerprint"}


def _filled(value: Mapping[str, Any], stand_ins: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without templates, so that the rest can be checked."""
    filled: dict[str, Any] = {}
    for name, item in value.items():
        stand_in = stand_ins.get(name, "later")
        if isinstance(item, Mapping):
            filled[name] = _filled(item, stand_in if isinstance(stand_in, Mapping) else {})
        else:
            filled[name] = stand_in if is_template(item) else item
    return filled


def _bare_id(text: str) -> ExternalExport:
    try:
        if text != "None":
            return ExternalExport(export_id=text)
    except ValidationError:
        pass
    how = f" {HOW_AS_TEXT}" if text.strip().startswith("{") else ""
    raise HandleError(
        f"export={shown(text)} is neither a handle nor the id of an export task. Pass export=start.output, or the task "
        f"id as Labelbox shows it (letters and digits).{how}"
    )


def _external(value: Mapping[str, Any]) -> ExternalExport:
    try:
        return ExternalExport.model_validate(dict(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        fault = str(first["msg"]).removeprefix("Value error, ")
        raise HandleError(f"export= is not valid at {where!r}: {fault}. Write {WRITE_EXTERNAL}.") from None
