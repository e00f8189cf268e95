"""What landings leave of objects that are stored and not visible: receipts and open uploads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from labelbox_export_provider.domain.records.receipt import Receipt, read_receipt
from labelbox_export_provider.testing.sink_conformance import Store


def receipts_in(seen: Mapping[str, bytes]) -> dict[str, Receipt]:
    """All receipts that are there, by their keys; each must be sound."""
    found = {key: read_receipt(content) for key, content in seen.items() if "_staging/" in key and "/." not in key}
    assert None not in found.values(), found
    return {key: receipt for key, receipt in found.items() if receipt is not None}


def unnamed_uploads(store: Store) -> list[str]:
    """The open uploads (of buckets by key, of directories by name of file) that no receipt names."""
    receipts = receipts_in(store.visible()).values()
    named = {name for each in receipts for name in (each.key, each.upload)}
    uploads = Counter(store.litter())
    return [name for name, count in uploads.items() if count > 1 or not {name, name.rpartition("/")[2]} & named]
