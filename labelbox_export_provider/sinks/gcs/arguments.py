"""The limits of GCS uploads, and the `sink_args` of a GCS transfer: properties of the objects that it creates."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.errors import ConfigurationError

MIN_PART_BYTES = 5 * 1024**2
MAX_PART_BYTES = 5 * 1024**3
PREDEFINED_ACLS = (
    "authenticatedRead",
    "bucketOwnerFullControl",
    "bucketOwnerRead",
    "private",
    "projectPrivate",
    "publicRead",
)
"""Those of objects; "publicReadWrite" is for buckets."""
_XML_ACLS = {name: re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", name) for name in PREDEFINED_ACLS}
"""The same in the XML API, whose names are taken too."""
_HEADERS = {
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "content_language": "Content-Language",
    "custom_time": "x-goog-custom-time",
    "kms_key_name": "x-goog-encryption-kms-key-name",
    "predefined_acl": "x-goog-acl",
    "storage_class": "x-goog-storage-class",
}
_KMS_KEY = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+")
_WHY_NOT = {
    "content_encoding": "it is never set, since readers would decompress twice; use compression=",
    "content_type": "it follows from the content",
    "metadata": "export id, byte range and checksum are recorded there",
    "if_generation_match": "use replace=",
    "chunk_size": "use part_bytes=",
    "user_project": "use the operator's user_project=",
    "encryption_key": "the key would be readable in the rendered fields; use kms_key_name, or the "
    "bucket's default encryption",
}


def parse(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are set; fail with `ConfigurationError` on names and values that GCS does not take.

    They are named as in Google's client library. `custom_time` may be text in ISO 8601 with an offset, so that a
    template can set it.
    """
    for name in given:
        if name not in _HEADERS:
            near = difflib.get_close_matches(str(name), _HEADERS, n=1)
            reason = f" ({_WHY_NOT[name]})" if name in _WHY_NOT else ""
            hint = f" Did you mean {near[0]!r}?" if near and not reason else ""
            raise ConfigurationError(
                f"sink_args: {name!r} cannot be set{reason}.{hint} It must be one of {', '.join(_HEADERS)}."
            )
    return {name: _checked(name, value) for name, value in given.items() if value is not None}


def check_literals(given: Mapping[str, Any]) -> None:
    """Refuse wrong names, and wrong values as far as they are known while a DAG is parsed."""
    parse({name: None if is_template(value) else value for name, value in given.items()})


def headers(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return parsed arguments as the headers of a request that opens a multipart upload."""
    as_text: dict[str, Callable[[Any], str]] = {
        "custom_time": datetime.isoformat,
        "predefined_acl": _XML_ACLS.__getitem__,
    }
    return {_HEADERS[name]: as_text.get(name, str)(value) for name, value in arguments.items()}


def _checked(name: str, value: Any) -> Any:
    wanted = datetime if name == "custom_time" else str
    if wanted is datetime and isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise ConfigurationError(
                f"sink_args: {name}={value!r} is not a time in ISO 8601 such as '2026-11-22T02:00:00+00:00'."
            ) from None
    if not isinstance(value, wanted):
        raise ConfigurationError(f"sink_args: {name} must be a {wanted.__name__}, not {type(value).__name__}.")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ConfigurationError(f"sink_args: {name}={value.isoformat()!r} has no offset; write it with '+00:00'.")
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        raise ConfigurationError(f"sink_args: {name}={value!r} must be printable ASCII, since it becomes a header.")
    if name == "predefined_acl":
        value = next((each for each, xml in _XML_ACLS.items() if xml == value), value)
        if value not in PREDEFINED_ACLS:
            raise ConfigurationError(f"sink_args: {name}={value!r} must be one of {', '.join(PREDEFINED_ACLS)}.")
    if name == "kms_key_name" and _KMS_KEY.fullmatch(value) is None:
        raise ConfigurationError(
            f"sink_args: {name}={value!r} must be the full name of a key, "
            "'projects/P/locations/L/keyRings/R/cryptoKeys/K'."
        )
    return value
