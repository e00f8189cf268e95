"""The addresses of a connection: their forms, their normalization, and where plain http is allowed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

DEFAULT_PATH = "/graphql"
PROXY_FORM = "http://[<user>:<password>@]<host>[:<port>] or https://[<user>:<password>@]<host>[:<port>]"


@dataclass(frozen=True)
class ProxyAddress:
    """A proxy's URL without the login, which a library may quote in its errors, and the login."""

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)


def tidy_endpoint(text: str, *, port: int | None = None, scheme: str | None = None) -> str:
    """Convert a full URL or a bare host name to the GraphQL endpoint; `port` and `scheme` complete a bare host name.

    Raises `ValueError` with a message for users: it shows no user name, password or query.
    """
    bare = "://" not in text
    written = text.strip()
    if bare and written.count(":") > 1 and not written.startswith("["):
        written = f"[{written}]"  # an IPv6 address
    parts = split_url(f"{scheme or 'https'}://{written}" if bare else written)
    if port is not None and parts.port not in (None, port):
        raise ValueError(f"the host names port {parts.port} and the port field {port}; leave the port field empty")
    if not bare and scheme and scheme != parts.scheme:
        raise ValueError(
            f"the host starts with {parts.scheme}:// and the schema field holds {scheme!r}; leave that field empty"
        )
    return _joined(parts, parts.port or port, parts.path.rstrip("/") or DEFAULT_PATH)


def tidy_url(text: str) -> str:
    """Remove the slash at the end of a full URL. Raises `ValueError` as `tidy_endpoint` does."""
    parts = split_url(text.strip())
    return _joined(parts, parts.port, parts.path.rstrip("/"))


def split_url(text: str) -> SplitResult:
    """Split an http(s) URL that names a host and holds neither credentials nor query nor fragment."""
    if _has_odd_letters(text):
        raise ValueError("the URL holds white space, a control character or a backslash")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the URL cannot be parsed; it must be https://<host>[:<port>][/<path>]") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"the URL starts with {parts.scheme}://; it must start with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("the URL holds a user name or password before an '@'; leave them out")
    if "?" in text or "#" in text:
        raise ValueError("the URL holds a query or fragment ('?' or '#'); leave it out")
    if not host:
        raise ValueError("the URL names no host")
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("the host in the URL is not a host name: a part of it is empty or too long") from None
    return parts


def _has_odd_letters(text: str) -> bool:
    return any(letter.isspace() or not letter.isprintable() for letter in text) or "\\" in text


def split_proxy(text: str) -> ProxyAddress:
    """Split a proxy's address. Raises `ValueError` with a message that shows no part of it."""
    parts = _proxy_parts(text.strip())
    if parts is None:
        raise ValueError(
            f"it is not of the form {PROXY_FORM}. In user and password, write / as %2F, # as %23, ? as %3F, "
            "@ as %40 and % as %25. The value is not shown, since it may hold a password."
        )
    login = (unquote(parts.username or ""), unquote(parts.password or "")) if "@" in parts.netloc else None
    return ProxyAddress(_joined(parts, parts.port, ""), login)


def _proxy_parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        split_url(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    except ValueError:
        return None
    # A path, query or fragment is the rest of a password that was not percent-encoded.
    rest = text.partition("://")[2].removeprefix(parts.netloc)
    return parts if rest in ("", "/") and not _has_odd_letters(text) else None


def is_plain_http_outside(url: str) -> bool:
    """Return whether a request to this URL would cross a network in clear text; a loopback address does not."""
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
