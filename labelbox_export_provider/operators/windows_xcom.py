"""The snapshot as a value for XCom: of one that is too large, the newest windows, and the address of all of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from labelbox_export_provider.errors import StorageDeniedError
from labelbox_export_provider.sinks.base import JSON, NewObject, Sink
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.check import WindowsReport
from labelbox_export_provider.windows_check.fill import Fill
from labelbox_export_provider.windows_check.snapshot import MAX_BYTES, json_size, snapshot, whole_snapshot

_KEPT = ("version", "checked_at", "prefix", "all_landed")
logger = logging.getLogger(__name__)


def fit_for_xcom(
    report: WindowsReport,
    fills: Sequence[Fill],
    sink: Sink,
    address: StoreAddress,
    *,
    landing_dag_id: str | None = None,
) -> dict[str, Any]:
    """Return a snapshot below `MAX_BYTES`.

    Where windows are left out, all of it is written below `_windows/`, and the value has its address as `snapshot_uri`;
    None where the store does not let this identity write. Where not even the names of the sources fit, the value has
    the address and no sources.
    """
    made = snapshot(report, fills, str(address), landing_dag_id=landing_dag_id)
    too_large = json_size(made) >= MAX_BYTES
    if not too_large and made["windows_since"] is None:
        return made
    moment = "".join(letter for letter in str(made["checked_at"]) if letter.isalnum())
    key = f"{address.prefix}/_windows/{moment}.json".lstrip("/")
    whole = whole_snapshot(report, fills, str(address), landing_dag_id=landing_dag_id)
    content = json.dumps(whole, separators=(",", ":")).encode()
    uri = None
    try:
        uri = sink.put(NewObject(key, JSON), content).uri
    except StorageDeniedError as error:
        logger.warning("The snapshot is too large for an XCom, and it may not be written as an object: %s", error)
    return {**({name: made[name] for name in _KEPT} if too_large else made), "snapshot_uri": uri}
