"""The trusted certificates, as the connection or the environment names them."""

from __future__ import annotations

import functools
import os
import re
import ssl
from pathlib import Path
from typing import Literal

import httpx

from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.errors import ConnectionSettingsError

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""The names under which OpenSSL finds certificates in a directory."""


def create_ssl_context(
    settings: ConnectionSettings, *, used_by: Literal["httpx", "urllib3"] = "httpx"
) -> ssl.SSLContext:
    """Load the certificates that `verify` names; takes tens of milliseconds, so share the context between clients.

    Clients of different libraries never share one: urllib3 changes the checks of the context that it is given, which
    must not affect connections that carry the key.

    Raises `ConnectionSettingsError`, which names the setting or the variable whose certificates cannot be used.
    """
    if settings.verify is False:
        return httpx.create_ssl_context(verify=False)
    if isinstance(settings.verify, str):
        named = f"The connection's extra 'verify' is {settings.verify!r}"
        advice = "It must be true, false, or the path of a file of PEM certificates or of a directory of hashed ones."
        if Path(settings.verify).is_dir():
            return _trusting_directories(settings.verify, named, advice)
        return _trusting_file(settings.verify, named, advice)
    if path := os.environ.get("SSL_CERT_FILE"):
        return _trusting_file(path, *_of_variable("SSL_CERT_FILE", path, "a file of PEM certificates"))
    if path := os.environ.get("SSL_CERT_DIR"):
        return _trusting_directories(path, *_of_variable("SSL_CERT_DIR", path, "a directory of hashed certificates"))
    return _usual_ssl_context(used_by)


@functools.cache
def _usual_ssl_context(used_by: str) -> ssl.SSLContext:  # noqa: ARG001  a context for each
    """Return the context of the certificates that httpx ships, which do not change while the process runs."""
    try:
        return httpx.create_ssl_context(verify=True, trust_env=False)
    except OSError as error:
        raise _unusable_key_log(error) from None


def _of_variable(variable: str, value: str, wanted: str) -> tuple[str, str]:
    advice = (
        f"It must name {wanted}: correct it or unset it for every Airflow component, or name the certificates in the "
        "connection's extra 'verify', which is used instead."
    )
    return f"The environment variable {variable} is {value!r}", advice


def _trusting_file(path: str, named: str, advice: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        if error.filename is not None:
            raise _unusable_key_log(error) from None
        reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
    raise ConnectionSettingsError(f"{named}, which cannot be used: {reason}. {advice}")


def _trusting_directories(paths: str, named: str, advice: str) -> ssl.SSLContext:
    # OpenSSL accepts several directories and ignores missing ones, so that in the end it trusts no certificate.
    if not any(_HASHED.fullmatch(name) for path in paths.split(os.pathsep) for name in _names_in(path)):
        raise ConnectionSettingsError(
            f"{named}, which cannot be used: it holds no certificate named by its hash, as `openssl rehash` "
            f"makes them. {advice}"
        )
    try:
        return ssl.create_default_context(capath=paths)
    except OSError as error:
        raise _unusable_key_log(error) from None


def _names_in(path: str) -> list[str]:
    try:
        return [each.name for each in Path(path).iterdir()]
    except OSError:
        return []


def _unusable_key_log(error: OSError) -> ConnectionSettingsError:
    # Python writes TLS session secrets to this file whenever the variable is set.
    return ConnectionSettingsError(
        f"The environment variable SSLKEYLOGFILE names {error.filename!r}, which cannot be written: {error.strerror}. "
        "Unset it for every Airflow component, or name a file that can be written."
    )
