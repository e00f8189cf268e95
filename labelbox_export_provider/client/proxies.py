"""Selects the proxy of a request from the connection and the environment, for every HTTP library.

httpx and urllib3 each read the variables in their own way, fail on entries of NO_PROXY that other programs accept, and
quote an address that they cannot parse, password included.
"""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from labelbox_export_provider.client.addresses import ProxyAddress, split_proxy
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import ConnectionSettingsError

_PORTS = {"http": 80, "https": 443}
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>\d+)")


def proxy_for(settings: ConnectionSettings, url: str) -> ProxyAddress | None:
    """Return the proxy for requests to `url`: the connection's own, else that of the environment, else None.

    Raises `ConnectionSettingsError` when the address cannot be used. Its message names the variable and shows no
    part of the address, since any part may belong to a password.
    """
    if settings.proxy:
        return split_proxy(settings.proxy)
    parts = urlsplit(url)
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    address = proxies.get(kind)
    if not address or _is_exempt(proxies.get("no"), parts.scheme, parts.hostname or "", parts.port):
        return None
    try:
        return split_proxy(address if "://" in address else f"http://{address}")
    except ValueError as error:
        raise ConnectionSettingsError(
            f"{_source(kind)} cannot be used: {error} Correct it in the environment of every Airflow component, or set "
            "the connection's extra 'proxy', which is used instead."
        ) from None


def _source(kind: str) -> str:
    # urllib prefers the lower-case name, and takes the settings of the system where no variable is set.
    names = sorted((name for name in os.environ if name.lower() == f"{kind}_proxy" and os.environ[name]), reverse=True)
    return f"The environment variable {names[0]}" if names else "The proxy in the system's settings"


def _is_exempt(exemptions: str | None, scheme: str, host: str, port: int | None) -> bool:
    if exemptions is None:
        return bool(proxy_bypass(host))  # the exceptions in the system's settings
    host = host.lower().rstrip(".")
    return any(
        _matches(entry, scheme, host, port or _PORTS.get(scheme))
        for entry in re.split(r"[,\s]+", exemptions.lower())
        if entry
    )


def _matches(entry: str, scheme: str, host: str, port: int | None) -> bool:
    """Match one entry of NO_PROXY: `*`, a host with its subdomains, an address or network; with a port if it has one.

    An entry that cannot be parsed matches nothing.
    """
    if "://" in entry:
        wanted, _, entry = entry.partition("://")
        if wanted not in (scheme, "all"):
            return False
        entry = entry.rstrip("/")
    if with_port := _WITH_PORT.fullmatch(entry):
        if int(with_port["port"]) != port:
            return False
        entry = with_port["host"]
    if entry == "*":
        return True
    try:
        network = ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
        return ipaddress.ip_address(host) in network
    except ValueError:
        name = entry.lstrip("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
