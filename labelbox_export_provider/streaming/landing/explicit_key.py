"""The decision about an object that is already at an explicit key."""

from __future__ import annotations

from dataclasses import dataclass

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import ObjectNames
from labelbox_export_provider.errors import ObjectExistsError
from labelbox_export_provider.sinks.base import ENCODING, EXPORT_ID, Sink
from labelbox_export_provider.streaming.landing.manifests import Landed, own_manifest


@dataclass(frozen=True, slots=True)
class OverwriteDecision:
    """`landed` when there is nothing to do; `create_only` when the store must refuse what appears meanwhile."""

    landed: Landed | None
    create_only: bool


def decide_overwrite(
    sink: Sink, names: ObjectNames, handle: ExportHandle, *, encoding: str, replace: bool
) -> OverwriteDecision:
    """Decide, before bytes move, whether to write at the key; fail with `ObjectExistsError` if that is not allowed.

    The same export and encoding make the same bytes, so an object of both may be written again, and counts as done when
    its manifest is there. In the layout every export has names of its own, so nothing is read.
    """
    key = names.explicit_key
    if key is None or replace:
        return OverwriteDecision(None, create_only=False)
    there = sink.head(key)
    if there is None:
        return OverwriteDecision(None, create_only=True)
    landed = own_manifest(sink, names)
    same_encoding = there.metadata is None or there.metadata.get(ENCODING) == encoding
    if landed is not None and same_encoding and _names(landed.manifest, sink.uri(key), there.size, handle):
        return OverwriteDecision(landed, create_only=False)
    if there.metadata is None:
        # The store keeps no metadata; it compares the bytes before it makes the object visible.
        return OverwriteDecision(None, create_only=True)
    origin = there.metadata.get(EXPORT_ID)
    if origin == handle.export_id and there.metadata.get(ENCODING) == encoding:
        return OverwriteDecision(None, create_only=False)
    whose = f"An object of export {origin}" if origin else "An object that is not of this package"
    if origin == handle.export_id:
        whose = "An object of this export, landed with other options"
    raise ObjectExistsError(
        f"{whose} is at this key ({there.size} bytes), and replace=False. No bytes were moved and nothing was changed. "
        "Remove the object, choose a key that names the window (for instance {window_start:%Y-%m-%d}), or set "
        "replace=True.",
        details=f"{sink.uri(key)}, for {handle.describe()}",
    )


def _names(manifest: Manifest, uri: str, size: int, handle: ExportHandle) -> bool:
    return manifest.export.export_id == handle.export_id and any(
        landed.uri == uri and landed.bytes == size for landed in manifest.objects
    )
