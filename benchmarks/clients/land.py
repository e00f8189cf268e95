"""This package: lands an export the way in which its transfer operators do, without a scheduler around it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from benchmarks.clients.common import Notes, gcs_bucket, s3_client
from benchmarks.dataset import MARGIN, WINDOW_END, WINDOW_START
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.polling import require_complete
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, SourceName
from labelbox_export_provider.domain.records.manifest import Versions
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.sinks import Sink
from labelbox_export_provider.streaming.landing.land import LandedExport, LandingOptions, land_export

VERSIONS = Versions(provider="benchmark", airflow="none")
_DIGEST = f"sha256:{0:064x}"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return the options of a program that lands an export."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--graphql", required=True)
    parser.add_argument("--export", required=True)
    parser.add_argument("--store", choices=("s3", "gcs"), default="s3")
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--compression", choices=("none", "gzip", "zstd"), required=True)
    parser.add_argument("--trim", action="store_true")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--object-bytes", type=int, help="max_object_bytes; its default")
    return parser


def labelbox_client(given: argparse.Namespace) -> LabelboxClient:
    """Return a client of Labelbox, to be closed."""
    return LabelboxClient(ConnectionSettings(api_key="bench", endpoint=given.graphql, allow_http=True))


def landing(given: argparse.Namespace, sink: Sink) -> dict[str, Any]:
    """Return what every step of a landing takes, but for the client."""
    options: dict[str, Any] = {"compression": None if given.compression == "none" else given.compression}
    if given.workers:
        options["workers"] = given.workers
    if given.object_bytes:
        options["max_object_bytes"] = given.object_bytes
    handle = _handle(given.export, trim=given.trim)
    return {
        "handle": handle,
        "names": layout_names(handle, given.prefix, options["compression"]),
        "sink": sink,
        "options": LandingOptions(**options),
    }


def ended(handle: ExportHandle) -> Callable[[LabelboxClient], datetime | None]:
    """Return what a landing asks first, as a transfer does: whether the export has ended."""
    return lambda client: client.run(require_complete(handle.export_id, handle.user_id)).updated_at


def described(landed: LandedExport) -> dict[str, Any]:
    """Return what the measuring process has to know of a landing."""
    result = landed.manifest.result
    return {
        "objects": [each.uri for each in landed.manifest.objects],
        "bytes": sum(each.bytes for each in landed.manifest.objects),
        "rows": result.rows,
        "rows_trimmed": result.rows_trimmed,
    }


def main() -> None:
    """Land one export."""
    given = arguments(__doc__).parse_args()
    job = landing(given, sink_of(given))
    with labelbox_client(given) as client:
        notes = Notes()
        landed = land_export(client=client, **job, versions=VERSIONS, ended=ended(job["handle"]))
    notes.write(**described(landed), awscrt=_has_awscrt())


def _handle(export_id: str, *, trim: bool) -> ExportHandle:
    return ExportHandle(
        export_id=export_id,
        source=SourceName(kind="project", id="bench"),
        filters_digest=_DIGEST,
        labelbox_conn_id="labelbox_default",
        window=HandleWindow(
            field="last_activity_at",
            start=WINDOW_START,
            end=WINDOW_END,
            queried_start=WINDOW_START - MARGIN,
            queried_end=WINDOW_END + MARGIN,
            trim=trim,
        ),
        user_id="user1",
        organization_id="org1",
        fingerprint=_DIGEST,
        started_at=datetime(2026, 11, 23, 2, tzinfo=timezone.utc),
    )


def sink_of(given: argparse.Namespace) -> Sink:
    """Return the store that is asked for."""
    if given.store == "gcs":
        from labelbox_export_provider.sinks import GCSSink

        return GCSSink(gcs_bucket(given.bucket, given.endpoint).client, given.bucket)
    from labelbox_export_provider.sinks import S3Sink

    return S3Sink(s3_client(given.endpoint), given.bucket)


def _has_awscrt() -> bool:
    from importlib.util import find_spec

    return find_spec("awscrt") is not None


if __name__ == "__main__":
    main()
