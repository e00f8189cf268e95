"""The User-Agent of this package, so that operators of Labelbox and of proxies can identify its requests."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "airflow-provider-labelbox-export"


@cache
def provider_version() -> str:
    """Return this distribution's version; `0` when it is imported from a folder without being installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0"


def user_agent(*others: str) -> str:
    """Return the names of this package, of `others` that it runs in (`Airflow/3.3.0`), and of Python."""
    return " ".join([f"{DISTRIBUTION}/{provider_version()}", *others, f"Python/{platform.python_version()}"])
