"""The target of a transfer, as far as it is known before there is an export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, SourceName
from labelbox_export_provider.domain.records.object_names import check_key
from labelbox_export_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.records.manifest import Rerun
    from labelbox_export_provider.execution.start import ExportStart

_UNKNOWN = "not-started-yet-not-known"
"""As long as Labelbox's own ids, so that names that hold one have their final length."""


def check_one_target(options: Mapping[str, Any], *, rerun: Rerun, replace: bool) -> None:
    """Refuse a target that is none or two; `options` are the one for the layout's prefix and the one for a key."""
    (prefix_option, prefix), (key_option, key) = options.items()
    if (prefix is None) == (key is None):
        given = "both are given" if key is not None else "neither is"
        raise ConfigurationError(
            f"Exactly one of {prefix_option}= (the layout with data/, errors/, manifests/ below it) and "
            f"{key_option}= (one explicit object) is needed; {given}."
        )
    if prefix == "":
        raise ConfigurationError(
            f"{prefix_option}='' is not treated as the root, since it may be a mistake: write '/' for the root."
        )
    if key is not None and rerun != "add":
        raise ConfigurationError(
            f"rerun={rerun!r} belongs to {prefix_option}=, whose names hold the export's generation. With "
            f"{key_option}= there is one object: replace=False refuses what another export put there, replace=True "
            "overwrites it."
        )
    if key is None and replace:
        raise ConfigurationError(
            f"replace=True belongs to {key_option}=. Below {prefix_option}= names hold the export's generation, so "
            "nothing is ever overwritten by another export; rerun='replace' removes older generations."
        )
    if key is not None and isinstance(key, str) and not is_template(key):
        check_key(key)


def handle_before_start(start: ExportStart, context: Context) -> ExportHandle:
    """Return a handle that names objects as the export's own will, but for its id; no task returns it.

    Fails with `WindowError` where the run has no window.
    """
    window = start.resolve(context)
    return ExportHandle(
        export_id=_UNKNOWN,
        source=SourceName(kind=start.source.kind, id=start.source.id),
        filters_digest=f"sha256:{0:064}",
        labelbox_conn_id=start.hook.labelbox_conn_id,
        window=None if window is None else HandleWindow.of(window),
        user_id=_UNKNOWN,
        organization_id=_UNKNOWN,
        fingerprint=f"sha256:{0:064}",
        started_at=start.now(),
    )
