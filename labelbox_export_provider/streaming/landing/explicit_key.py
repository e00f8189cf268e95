"""What to do about an object that is at an explicit key already."""

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
    """`landed` when there is nothing to do; `create_only` when the store is to refuse what appears meanwhile."""

    landed: Landed | None
    create_only: bool


def decide_overwrite(
    sink: Sink, names: ObjectNames, handle: ExportHandle, *, encoding: str, replace: bool
) -> OverwriteDecision:
    """Decide, before bytes move, what may be done at the key. Fails with `ObjectExistsError` when nothing may.

    The same export and encoding give the same bytes, so an object of both may be written again, and with its manifest
    there counts as done. In the layout every export has names of its own and nothing has to be looked at.
    """
    key = names.explicit_key
    if key is None or replace:
        return OverwriteDecision(None, create_only=False)
    there = sink.head(key)
    if there is None:
        return OverwriteDecision(None, create_only=True)
    landed = own_manifest(sink, names)
    same_recipe = there.metadata is None or there.metadata.get(ENCODING) == encoding
    if landed is not None and same_recipe and _names(landed.manifest, sink.uri(key), there.size, handle):
        return OverwriteDecision(landed, create_only=False)
    if there.metadata is None:
        # The store keeps no metadata; it compares the bytes before it gives the object its name.
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
