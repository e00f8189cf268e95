"""How messages name the connection to a store: by its id, and by its endpoint where that is not the cloud's own."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

AWS_HOSTS = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
GOOGLE_HOSTS = ("googleapis.com",)


def foreign_host(endpoint: object, own: Sequence[str]) -> str:
    """Return host and port of an endpoint, never its user, path or query; "" for one of the cloud's `own`."""
    host = urlsplit(str(endpoint or "")).netloc.rpartition("@")[2]
    name = host.partition(":")[0]
    return "" if any(name == domain or name.endswith(f".{domain}") for domain in own) else host


def with_endpoint(connection: str, endpoint: object, own: Sequence[str]) -> str:
    """Append the host of an endpoint that is not one of the cloud's `own`."""
    host = foreign_host(endpoint, own)
    return f"{connection} (endpoint {host})" if host else connection
