"""The exports of the campaign of faults, and what a store must hold after a landing."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import google_crc32c
from support.stores.faulty_sink import Area, KilledError, area_of
from support.streaming.exports import LandingClient
from support.streaming.fault_cases import (
    Landing,
    StoreName,
)

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.testing.sink_conformance import Store


@dataclass
class FaultScene:
    """Two exports, one of them of a window, and what landings of them without faults leave."""

    landing_client: LandingClient
    whole: ExportHandle
    windowed: ExportHandle
    expected: dict[Landing, dict[str, bytes]] = field(default_factory=dict)
    calls: dict[Landing, Counter[tuple[str, Area]]] = field(default_factory=dict)
    wire_calls: dict[tuple[StoreName, Landing], Counter[tuple[str, Area]]] = field(default_factory=dict)

    def handle(self, landing: Landing) -> ExportHandle:
        return self.windowed if landing.trimmed else self.whole

    def land(self, landing: Landing, sink: Any) -> None:
        self.landing_client.land(self.handle(landing), sink, **landing.options)


def land_or_fail(scene: FaultScene, landing: Landing, sink: Any) -> bool:
    try:
        scene.land(landing, sink)
    except (LabelboxExportError, KilledError):
        return False
    return True


def _difference(key: str, content: bytes, expected: bytes) -> str:
    """Keep both objects for whoever reads the failure, and return whether rows differ or their coding only."""
    kept = Path(mkdtemp(prefix="labelbox-differs-"))
    for name, each in (("found", content), ("expected", expected)):
        (kept / name).write_bytes(each)
    if not key.endswith(".gz"):
        return f"its rows differ; both are in {kept}"
    try:
        same = gzip.decompress(content) == gzip.decompress(expected)
    except (OSError, EOFError, zlib.error) as error:
        return f"it does not unpack ({error}); both are in {kept}"
    return f"its {'coding differs, its rows are the same' if same else 'rows differ'}; both are in {kept}"


def check_store(expected: dict[str, bytes], store: Store, *, landed: bool) -> None:
    """Compare what a reader sees with what a landing without faults leaves."""
    seen = {key: content for key, content in store.visible().items() if area_of(key) != "receipts"}
    uris = {store.sink.uri(key): key for key in seen}
    assert set(seen) <= set(expected)
    for key, content in seen.items():
        if area_of(key) in {"data", "errors"}:
            assert content == expected[key], f"{key} is not whole: {_difference(key, content, expected[key])}"
    manifests = [Manifest.model_validate_json(seen[key]) for key in seen if area_of(key) == "manifests"]
    assert len(manifests) == 1 or not landed
    for manifest in manifests:
        named = {uris[entry.uri]: entry for entry in manifest.objects}
        assert set(named) == {key for key in expected if area_of(key) == "data"}
        for key, entry in named.items():
            assert (entry.bytes, entry.crc32c) == (len(seen[key]), f"{google_crc32c.value(seen[key]):08x}")
        assert manifest.errors.uri in uris
