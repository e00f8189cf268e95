"""The snapshot as a value for XCom: one that is too large becomes an object, and the value has its address."""

from __future__ import annotations

import json
import logging
from typing import Any

from labelbox_export_provider.errors import StorageDeniedError
from labelbox_export_provider.sinks.base import JSON, NewObject, Sink
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.snapshot import MAX_BYTES

_KEPT = ("version", "checked_at", "prefix", "all_landed")
logger = logging.getLogger(__name__)


def fit_for_xcom(made: dict[str, Any], sink: Sink, address: StoreAddress) -> dict[str, Any]:
    """Return a snapshot below `MAX_BYTES` as it is; else write it below `_windows/` and return its `snapshot_uri`.

    The address is None where the store does not let this identity write.
    """
    content = json.dumps(made, separators=(",", ":")).encode()
    if len(content) < MAX_BYTES:
        return made
    moment = "".join(letter for letter in str(made["checked_at"]) if letter.isalnum())
    key = f"{address.prefix}/_windows/{moment}.json".lstrip("/")
    uri = None
    try:
        uri = sink.put(NewObject(key, JSON), content).uri
    except StorageDeniedError as error:
        logger.warning("The snapshot is too large for an XCom, and it may not be written as an object: %s", error)
    return {**{name: made[name] for name in _KEPT}, "snapshot_uri": uri}
