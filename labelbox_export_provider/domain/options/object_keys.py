"""The rules for the text of object keys, prefixes and paths, which are the same in every store."""

from __future__ import annotations

import re
import string

from labelbox_export_provider.errors import ConfigurationError

MAX_KEY_BYTES = 1024
"""The limit of S3 and of Google Cloud Storage, counted in UTF-8."""

_ADDRESS = re.compile(r"(?i)\A\s*([a-z][a-z0-9+.-]*)://([^/]*)/*(.*)\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0080-\u009f\u2028\u2029]")


def key_fault(key: str) -> str | None:
    """Return what is wrong with a key relative to its bucket or root; None for one that every store takes as it is."""
    if not key:
        return "it is empty"
    if found := control_character(key):
        return found
    for part in key.split("/"):
        if part in {".", ".."}:
            return f"it has a part {part!r}, which would leave the place that it seems to name"
        if not part:
            return "it has an empty part ('//', or a '/' at an end)"
    return None


def control_character(text: str) -> str | None:
    """Return the words for the first character that no name may hold: a newline, another control, half a character."""
    if found := _CONTROL.search(text):
        return f"it holds the control character {found[0]!r} at position {found.start()}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"it holds {text[error.start]!r} at position {error.start}, which is not a character"
    return None


def check_prefix(option: str, prefix: str, *, max_bytes: int = MAX_KEY_BYTES) -> None:
    """Refuse a prefix below which no object could be; one `/` at either end does not matter."""
    if prefix != "/":
        inside = prefix.removeprefix("/").removesuffix("/")
        _check(f"{option}=", prefix, key_fault(inside), len(inside.encode(errors="replace")), max_bytes)


def check_key_text(option: str, key: str, *, max_bytes: int = MAX_KEY_BYTES) -> None:
    """Refuse the text of an explicit key that no handle could fill to a good key; one `/` at its start does not matter.

    Its fields count as nothing here; `check_filled_key` knows how long they are.
    """
    inside = key.removeprefix("/")
    try:
        size = sum(len(text.encode(errors="replace")) for text, *_ in string.Formatter().parse(inside))
    except ValueError:
        return  # unbalanced braces, which the check of the fields reports
    _check(f"{option}=", key, key_fault(inside), size, max_bytes)


def check_filled_key(key: str, max_bytes: int | None) -> None:
    """Refuse the final key of an object, with its window and source filled in."""
    size = len(key.encode(errors="replace"))
    _check("The object's name ", key, key_fault(key), size, max_bytes if max_bytes is not None else size)


def check_no_address(option: str, value: str, advice: str) -> None:
    """Refuse a full address where a name is expected. `advice` is the hint, with the fields `{bucket}` and `{rest}`."""
    if found := _ADDRESS.match(value):
        hint = "of a web address only the name in it"
        if found[1].lower() not in {"http", "https"}:
            hint = advice.format(bucket=found[2], rest=found[3])
        raise ConfigurationError(f"{option}={value!r} is a full address, but a name is needed: {hint}.")


def _check(what: str, value: str, fault: str | None, size: int, max_bytes: int) -> None:
    shown = repr(value) if len(value) <= 200 else f"{value[:200]!r}…"
    if fault is not None:
        raise ConfigurationError(
            f"{what}{shown} cannot be used: {fault}. Names must be parts separated by single slashes, such as "
            "'labelbox/nightly', without '.' and '..', newlines and other control characters."
        )
    if size > max_bytes:
        raise ConfigurationError(f"{what}{shown} has {size} bytes; the store takes names of at most {max_bytes}.")
