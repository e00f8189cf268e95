"""How messages name the connection to a store: by its id, and by its endpoint where that is not the cloud's own."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

AWS_HOSTS = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
GOOGLE_HOSTS = ("googleapis.com",)


def with_endpoint(connection: str, endpoint: object, own: Sequence[str]) -> str:
    """Append host and port of an endpoint that is not one of the cloud's `own`; never its user, path or query."""
    host = urlsplit(str(endpoint or "")).netloc.rpartition("@")[2]
    name = host.partition(":")[0]
    if not host or any(name == domain or name.endswith(f".{domain}") for domain in own):
        return connection
    return f"{connection} (endpoint {host})"
