"""The report of a landed export: a line in the log, and events on the assets of the task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.streaming.landing.options import LandedExport


def landing_line(landed: LandedExport, seconds: float) -> str:
    """Return the line for the log: objects, bytes, rows, trimmed rows and time."""
    manifest = landed.manifest
    if not landed.moved:
        return f"Export {manifest.export.export_id} was landed before, no bytes were moved: {landed.manifest_uri}"
    trimmed = manifest.result.rows_trimmed
    parts = [
        f"{manifest.rows_landed} rows in {_counted(len(manifest.objects), 'object')}",
        f"{sum(each.bytes for each in manifest.objects)} bytes",
        *([f"{_counted(trimmed, 'row')} trimmed (outside of the window)"] if trimmed else []),
        *([_counted(manifest.errors.rows, "error row")] if manifest.errors.rows else []),
        f"{seconds:.1f} s",
    ]
    return f"Landed export {manifest.export.export_id}: {', '.join(parts)}. Manifest: {landed.manifest_uri}"


def send_asset_events(
    outlets: Iterable[object], context: Context, landed: LandedExport, explicit_key: str | None
) -> None:
    """Put the short form of the manifest on the events of the task's assets, for DAGs that are scheduled on them.

    An alias gets an event of the folder that holds the rows, since the asset behind it is known only now.
    """
    summary = landed.summary.model_dump(mode="json")
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra = summary
        elif isinstance(outlet, AssetAlias):
            asset = Asset(rows_folder(landed.manifest_uri, explicit_key))
            context["outlet_events"][outlet].add(asset, extra=summary)


def rows_folder(manifest_uri: str, explicit_key: str | None) -> str:
    """Return the address of the folder with the rows of a source, the same for all windows.

    With the layout it is `<prefix>/data/source=<kind>/id=<id>`, with an explicit key the folder before its first field.
    """
    folder = manifest_uri.rpartition("/")[0]
    if explicit_key is None:
        head, _, source = folder.rpartition("/manifests/")
        folder = f"{head}/data/{source}"
    else:
        folder = folder.removesuffix("/_manifests")
        folders = explicit_key.split("/")[:-1]
        dynamic = next((place for place, each in enumerate(folders) if "{" in each), len(folders))
        for _ in folders[dynamic:]:
            folder = folder.rpartition("/")[0]
    # Airflow stores addresses as ASCII.
    return re.sub(r"[^ -~]", lambda found: quote(found[0]), folder)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
