"""The settings of a connection to Labelbox: one frozen object for worker, trigger and script.

Airflow is not imported: a hook passes the plain parts of its connection to `ConnectionSettings.from_parts`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from labelbox_export_provider.client.addresses import is_plain_http_outside, split_proxy, tidy_endpoint, tidy_url
from labelbox_export_provider.client.api_key import IN_LOGIN, complaint_about
from labelbox_export_provider.errors import AccessError, ConnectionSettingsError, NotFoundError, ProtocolError
from labelbox_export_provider.redaction import scrub

DEFAULT_ENDPOINT = "https://api.labelbox.com/graphql"
DEFAULT_APP_URL = "https://app.labelbox.com"
EXTRA_KEYS = (
    "app_url",
    "timeout",
    "verify",
    "proxy",
    "allow_http",
    "min_bytes_per_second",
    "polls_per_minute",
    "max_running_exports",
    "deployment_id",
)

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_VALID = {
    "endpoint": "a full URL such as https://api.labelbox.com/graphql, or a bare host name; empty for the default",
    "app_url": "a full URL such as https://app.labelbox.com",
    "timeout": "a number of seconds above 0, such as 60",
    "verify": "true, false, or the path of a CA bundle",
    "allow_http": "true or false",
    "min_bytes_per_second": "a whole number of bytes, such as 1000, or 0 to allow any rate",
    "polls_per_minute": "a whole number of requests, at least 1, such as 60",
    "max_running_exports": "a whole number of exports, at least 1, such as 18",
    "deployment_id": "a word that names this Airflow, such as production",
}


def _flag(value: object) -> object:
    """Read a boolean as environment variables spell it; anything else is left to the type check."""
    if isinstance(value, str) and value.strip().lower() in (*_TRUE, *_FALSE):
        return value.strip().lower() in _TRUE
    if value in (0, 1):
        return bool(value)
    return value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")  # noqa: TRY004 - pydantic reports ValueError only
    return value


class ConnectionSettings(BaseModel):
    """The settings of a connection. `timeout` is in seconds and limits each request; `verify` may name a CA bundle.

    A download that brings fewer than `min_bytes_per_second`, on average over `timeout` seconds, is begun again.
    `polls_per_minute` limits the requests by which one triggerer polls the exports that wait with this connection.
    `max_running_exports` is up to how many exports run when a start is tried again that Labelbox refused at its limit.
    `deployment_id` distinguishes Airflows that start exports of the same names.

    `conn_id` is the Airflow connection that the settings come from, which errors name; None for settings from code.
    Neither the key nor the proxy, whose URL may hold a password, is shown by `repr`. Raises pydantic's
    `ValidationError` without the values; `from_parts` raises `ConnectionSettingsError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr
    endpoint: str = DEFAULT_ENDPOINT
    app_url: str = DEFAULT_APP_URL
    timeout: Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = 60.0
    verify: Annotated[bool | str, BeforeValidator(_flag)] = True
    proxy: Annotated[str | None, Field(repr=False)] = None
    allow_http: Annotated[bool, BeforeValidator(_flag)] = False
    min_bytes_per_second: Annotated[int, BeforeValidator(_number), Field(ge=0)] = 1000
    polls_per_minute: Annotated[int, BeforeValidator(_number), Field(ge=1)] = 60
    max_running_exports: Annotated[int, BeforeValidator(_number), Field(ge=1)] = 18
    deployment_id: Annotated[str, Field(max_length=200)] | None = None
    conn_id: str | None = None

    if TYPE_CHECKING:  # the key may be given as text, which the type of its field does not show

        def __init__(
            self,
            *,
            api_key: SecretStr | str,
            endpoint: str = ...,
            app_url: str = ...,
            timeout: float = ...,
            verify: bool | str = ...,
            proxy: str | None = ...,
            allow_http: bool = ...,
            min_bytes_per_second: int = ...,
            polls_per_minute: int = ...,
            max_running_exports: int = ...,
            deployment_id: str | None = ...,
            conn_id: str | None = ...,
        ) -> None: ...

    @field_validator("api_key")
    @classmethod
    def _key_is_plausible(cls, key: SecretStr) -> SecretStr:
        # A file that holds a secret often ends in a newline, and so does text that was copied from one.
        bare = key.get_secret_value().strip()
        if complaint := complaint_about(bare):
            raise ValueError(complaint)
        return SecretStr(bare)

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_tidy(cls, endpoint: str) -> str:
        return tidy_endpoint(endpoint)

    @field_validator("app_url")
    @classmethod
    def _app_url_is_tidy(cls, app_url: str) -> str:
        return tidy_url(app_url)

    @field_validator("verify")
    @classmethod
    def _bundle_exists(cls, verify: bool | str) -> bool | str:
        if isinstance(verify, str):
            try:
                Path(verify).stat()
            except OSError as error:
                raise ValueError(f"the CA bundle cannot be read on this machine: {error.strerror}") from None
        return verify

    @field_validator("proxy")
    @classmethod
    def _proxy_is_a_url(cls, proxy: str | None) -> str | None:
        if proxy is None or not proxy.strip():
            return None
        split_proxy(proxy)
        return proxy.strip().rstrip("/")

    @model_validator(mode="after")
    def _no_plain_http(self) -> ConnectionSettings:
        if not self.allow_http and is_plain_http_outside(self.endpoint):
            raise ValueError(f"{_http_refusal(self.endpoint)} The endpoint would be sent the API key in clear text.")
        return self

    @classmethod
    def from_parts(
        cls,
        *,
        host: str | None,
        password: str | None,
        extra: Mapping[str, object],
        login: str | None = None,
        port: int | None = None,
        schema: str | None = None,
        conn_id: str,
    ) -> ConnectionSettings:
        """Build settings from the parts of an Airflow connection.

        Unset and empty parts take the defaults; port 0 is what Airflow's form sends for an unset one. Every error is a
        `ConnectionSettingsError` that names the connection, the field, its value unless that may be secret, the valid
        values and what to do.
        """
        _refuse_unknown(extra, conn_id)
        given: dict[str, Any] = {key: value for key, value in extra.items() if value is not None and value != ""}
        given.update(api_key=password or "", conn_id=conn_id)
        if not given["api_key"].strip() and (login or "").strip():
            raise _wrong(conn_id, "api_key", None, IN_LOGIN)
        port = port or None
        if host and host.strip():
            try:
                given["endpoint"] = tidy_endpoint(host, port=port, scheme=_scheme(schema))
            except ValueError as error:
                raise _wrong(conn_id, "endpoint", host, str(error)) from None
        elif port not in (None, 443):
            raise _wrong(conn_id, "port", port, "a port is given but no host")
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            reason = first["ctx"]["error"] if "error" in first.get("ctx", {}) else first["msg"]
            field = str(first["loc"][0]) if first["loc"] else "endpoint"
            raise _wrong(conn_id, field, given.get(field), str(reason)) from None

    @contextmanager
    def naming_connection(self) -> Iterator[None]:
        """Prefix errors about the key, its permissions and the settings with the id of the connection."""
        try:
            yield
        except (AccessError, NotFoundError, ConnectionSettingsError) as error:
            if self.conn_id is not None:
                error.message = f"Connection {self.conn_id!r}: {error.message}"
                error.args = (error.message,)
            raise

    def check_file_url(self, url: str) -> None:
        """Refuse the signed URL of an export file that would be fetched in clear text, or is not an http(s) URL.

        The message shows only its scheme and host: whoever has the URL can read the rows.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ProtocolError("Labelbox gave a file URL that cannot be parsed.") from None
        if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
            raise ProtocolError(
                f"Labelbox gave a file URL of scheme {scrub(parts.scheme, limit=20)!r} and host {scrub(host or '')!r}; "
                "https://<host>/… was expected."
            )
        if not self.allow_http and is_plain_http_outside(url):
            raise ConnectionSettingsError(
                f"A file of the export: {_http_refusal(url)} Its rows would travel in clear text."
            )


def _http_refusal(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return (
        f"http://{host} is not encrypted, and plain http:// is allowed for loopback addresses only; use "
        'https://, or set the connection\'s extra "allow_http" to true if the network in between is trusted.'
    )


def _scheme(schema: str | None) -> str | None:
    """Read the schema field, which is the scheme of other HTTP connections and the path of a connection URI."""
    text = (schema or "").strip().strip("/").lower()
    if text in ("", "graphql"):
        return None
    if text in ("http", "https"):
        return text
    raise ValueError(f"the schema field is {scrub(text)!r}; leave it empty and write the full URL as host")


def _refuse_unknown(extra: Mapping[str, object], conn_id: str) -> None:
    for key in extra:
        if key in EXTRA_KEYS:
            continue
        close = difflib.get_close_matches(str(key), EXTRA_KEYS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "remove it."
        if "key" in str(key).lower() or "token" in str(key).lower():
            hint = "the API key belongs in the password field."
        raise ConnectionSettingsError(
            f"Connection {conn_id!r}: extra has an unknown key {scrub(str(key), limit=60)!r}; {hint} "
            f"Valid keys: {', '.join(EXTRA_KEYS)}."
        )


def _wrong(conn_id: str, field: str, value: object, reason: str) -> ConnectionSettingsError:
    if field in ("api_key", "proxy"):
        name = "password" if field == "api_key" else "extra 'proxy'"
        return ConnectionSettingsError(f"Connection {conn_id!r}, {name}: {reason}")
    name = "host" if field in ("endpoint", "port") else f"extra {field!r}"
    shown = "" if value is None else f" {_shown(field, value)}"
    return ConnectionSettingsError(
        f"Connection {conn_id!r}, {name}{shown}: {reason.rstrip('.')}. "
        f"It must be {_VALID.get(field, _VALID['endpoint'])}."
    )


def _shown(field: str, value: object) -> str:
    text = str(value)
    if field in ("endpoint", "app_url"):
        before, at, after = text.rpartition("@")
        text = f"{'***' if before else ''}{at}{after}"
        head, mark, _ = text.replace("#", "?").partition("?")
        text = f"{head}{mark}***" if mark else text
    return repr(scrub(text, limit=120))
