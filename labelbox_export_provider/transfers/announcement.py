"""The report of a landed export: its lines in the log, the link, metrics, and events on the assets of the task."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.windows.resolved import describe_window
from labelbox_export_provider.execution.failures import web_url
from labelbox_export_provider.links.manifest_page import MANIFEST_LINK_KEY
from labelbox_export_provider.metrics import Metrics

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from labelbox_export_provider.streaming.landing.options import LandedExport


@dataclass(frozen=True, slots=True)
class Landing:
    """One landing of a task, for its links, its metrics and its lineage.

    `page` is where people see the manifest, None for a store without a console. `resumed` counts the downloads that
    broke off and were resumed.
    """

    export: LandedExport
    explicit_key: str | None
    seconds: float
    page: str | None = None
    resumed: int = 0

    @property
    def folder(self) -> str:
        """The address of the folder with the rows of the source, by which assets and lineage name it."""
        return rows_folder(self.export.manifest_uri, self.explicit_key)


def announce(task: BaseOperator, context: Context, landing: Landing) -> None:
    """Tell people, alerts and other DAGs of a landing."""
    task.log.info("%s", "\n".join([landing_line(landing.export, landing.seconds), *_facts(landing)]))
    if landing.page is not None:
        context["ti"].xcom_push(key=MANIFEST_LINK_KEY, value=landing.page)
    _send_metrics(task, landing)
    send_asset_events(task.outlets, context, landing)


def _facts(landing: Landing) -> list[str]:
    manifest = landing.export.manifest
    handle = manifest.export
    # By Labelbox's clock and this one, of which either may be ahead.
    waited = None if manifest.exported_at is None else max(timedelta(0), manifest.exported_at - manifest.started_at)
    how = "adopted" if handle.adopted else "started"
    facts = {
        "source": f"{handle.source.kind} {handle.source.id}",
        "link": web_url(handle),
        "window": "none" if handle.window is None else describe_window(handle.window),
        "export": f"{handle.export_id}, {how} {iso_utc(handle.started_at)}",
        "took": None if waited is None else f"{waited.total_seconds():.0f} s in Labelbox, {landing.seconds:.1f} s here",
        "rows": manifest.objects[0].uri if manifest.objects else "none",
        "errors": manifest.errors.uri,
        "manifest": landing.page,
    }
    return [f"  {name + ':':<10} {value}" for name, value in facts.items() if value]


def _send_metrics(task: BaseOperator, landing: Landing) -> None:
    manifest = landing.export.manifest
    metrics = Metrics.of_task(task, manifest.export.source)
    if landing.export.moved:
        metrics.count("rows", manifest.rows_landed)
        metrics.count("error_rows", manifest.errors.rows)
        metrics.count("bytes", sum(each.bytes for each in manifest.objects))
        metrics.count("resumed", landing.resumed)
        metrics.time("landing", timedelta(seconds=landing.seconds))
    if manifest.export.window is not None:
        end = manifest.export.window.end
        metrics.gauge("window_end", end.timestamp())
        metrics.gauge("window_age", (datetime.now(timezone.utc) - end).total_seconds())


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


def send_asset_events(outlets: Iterable[object], context: Context, landing: Landing) -> None:
    """Put the short form of the manifest on the events of the task's assets, for DAGs that are scheduled on them.

    An alias gets an event of the folder that holds the rows, since the asset behind it is known only now.
    """
    summary = landing.export.summary.model_dump(mode="json")
    for outlet in outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra = summary
        elif isinstance(outlet, AssetAlias):
            asset = Asset(landing.folder)
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
