"""Options of the windows check as values: an address, sources by their names, moments, a grace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from labelbox_export_provider.domain.options.rendered_text import text_as_list
from labelbox_export_provider.domain.request.source_option import parse_source
from labelbox_export_provider.domain.windows.fields import as_utc
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.export_job import duration
from labelbox_export_provider.windows_check.address import StoreAddress
from labelbox_export_provider.windows_check.names import SourceKey


def read_grace(grace: float | timedelta | None, default: timedelta) -> timedelta:
    """Return how long a window may take to land: a timedelta, or seconds; may be nothing."""
    if grace is None:
        return default
    return timedelta(0) if grace in (0, timedelta(0)) and grace is not False else duration("grace", grace)


def read_address(prefix: object) -> StoreAddress:
    """Return the address of a prefix; a path must be absolute, since tasks run in a folder of Airflow's choice."""
    if not isinstance(prefix, str) or not ("://" in prefix or prefix.startswith("/")):
        raise ConfigurationError(
            f"prefix={prefix!r} must be an address, such as s3://bucket/prefix or gs://bucket/prefix, or an absolute "
            "path."
        )
    return StoreAddress.parse(prefix)


def read_sources(sources: Any) -> frozenset[SourceKey] | None:
    """Read the sources, after rendering; a task's output may be any sequence of them."""
    if sources is None:
        return None
    sources = text_as_list(sources)
    if isinstance(sources, (str, Mapping)) or not hasattr(sources, "__iter__"):
        raise ConfigurationError(
            f"sources={sources!r} must be a list of sources, such as [ProjectSource(project_id=...)] or "
            "['project:clp1']."
        )
    keys = frozenset(
        SourceKey.parse(each) if isinstance(each, str) and "{" not in each else SourceKey.of(parse_source(each))
        for each in sources
    )
    if not keys:
        raise ConfigurationError("sources= holds no source: leave it out for all that were landed below the prefix.")
    return keys


def read_moment(name: str, value: object) -> datetime | None:
    """Return an instant in UTC; one without an offset is refused."""
    if value is None:
        return None
    try:
        return as_utc(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}={value!r}: {error}") from None
