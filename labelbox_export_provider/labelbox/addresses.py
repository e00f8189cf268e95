"""The addresses of a connection: what may be written, how it is tidied, and where plain http is let through."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

DEFAULT_PATH = "/graphql"


def tidy_endpoint(text: str, *, port: int | None = None, scheme: str | None = None) -> str:
    """Turn a full URL or a bare host name into the GraphQL endpoint; `port` and `scheme` complete a bare host name.

    Raises `ValueError` with a sentence that is fit for a user: it shows no user name, password or query.
    """
    bare = "://" not in text
    written = text.strip()
    if bare and written.count(":") > 1 and not written.startswith("["):
        written = f"[{written}]"  # an IPv6 address
    parts = split_url(f"{scheme or 'https'}://{written}" if bare else written)
    if port is not None and parts.port not in (None, port):
        raise ValueError(f"the host names port {parts.port} and the port field {port}; leave the port field empty")
    if not bare and scheme and scheme != parts.scheme:
        raise ValueError(f"the host starts with {parts.scheme}:// and the schema field says {scheme!r}; leave it empty")
    return _joined(parts, parts.port or port, parts.path.rstrip("/") or DEFAULT_PATH)


def tidy_url(text: str) -> str:
    """Turn a full URL into one without a slash at its end. Raises `ValueError` as `tidy_endpoint` does."""
    parts = split_url(text.strip())
    return _joined(parts, parts.port, parts.path.rstrip("/"))


def split_url(text: str) -> SplitResult:
    """Split an http(s) URL that names a host and holds neither credentials nor query nor fragment."""
    if any(letter.isspace() or not letter.isprintable() for letter in text) or "\\" in text:
        raise ValueError("the URL holds white space, a control character or a backslash")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the URL cannot be read; legal is https://<host>[:<port>][/<path>]") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"the URL starts with {parts.scheme}://; legal are https:// and http://")
    if "@" in parts.netloc:
        raise ValueError("the URL holds a user name or password before an '@'; leave them out")
    if "?" in text or "#" in text:
        raise ValueError("the URL holds a query or fragment ('?' or '#'); leave it out")
    if not host:
        raise ValueError("the URL names no host")
    return parts


def is_plain_http_outside(url: str) -> bool:
    """Say whether a URL would send its request in clear text over a network, which a loopback address does not."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _joined(parts: SplitResult, port: int | None, path: str) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}{path}"
