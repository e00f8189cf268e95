"""GET requests for export files: the settings of the connection, and nothing that could leak the key or the URL.

No Authorization header and no cookies go to file hosts. urllib3's own retries and redirects are off. Its exceptions are
replaced, since their texts quote URLs.
"""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, IncompleteRead, ReadTimeoutError

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.client.addresses import ProxyAddress
from labelbox_export_provider.client.certificates import create_ssl_context
from labelbox_export_provider.client.proxies import proxy_for
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.sockets import OpenSockets
from labelbox_export_provider.redaction import file_request, install_log_filter
from labelbox_export_provider.streaming.download.arrivals import LeastRate, connection_pools


class BrokenTransferError(Exception):
    """A request or its body broke off; another request may resume there.

    `ended` is whether the host hung up, `refused` the status with which it no longer accepts the URL.
    """

    def __init__(
        self, message: str, *, ended: bool = False, retry_after: float | None = None, refused: int | None = None
    ) -> None:
        super().__init__(message)
        self.ended = ended
        self.retry_after = retry_after
        self.refused = refused


class FileResponse:
    """The answer to one GET. Close it; a connection whose answer was read to its end is used again."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str, token: CancelToken) -> None:
        self._response = response
        self._token = token
        self.host = host
        self.status = response.status
        self.headers = response.headers

    def read(self, amount: int) -> bytes:
        """Return up to `amount` bytes as they are on the wire, what comes within a moment; empty at the end.

        Fails with `BrokenTransferError` once all that came before is returned.
        """
        failure: BrokenTransferError
        try:
            with file_request():
                return self._response.read1(amount, decode_content=False)
        except IncompleteRead as error:
            failure = BrokenTransferError(f"{self.host} hung up {error.expected} bytes before the end", ended=True)
        except (HTTPError, HTTPException, OSError) as error:
            ended = isinstance(error.__context__, IncompleteRead) or isinstance(error.__cause__, IncompleteRead)
            failure = BrokenTransferError(f"{self.host}: {_describe(error)}", ended=ended)
        self._token.check()
        raise failure

    def close(self) -> None:
        """Return the connection to its pool where the answer was read to its end, else close it."""
        with file_request():
            self._response.close()


class FileHost:
    """Connections to file hosts, shared by threads. With `token` all requests end; they raise `StoppedError` then."""

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        user_agent: str,
        connections: int = 48,
        token: CancelToken | None = None,
    ) -> None:
        install_log_filter()
        self._token = token or CancelToken()
        self._sockets = OpenSockets()
        self._forget = self._token.call_on_cancel(self._sockets.shut_down)
        self.min_bytes_per_second = settings.min_bytes_per_second
        self.resumed = 0  # by its readers, for a metric: threads may lose a count
        self._pools = connection_pools(self._sockets, LeastRate(settings.min_bytes_per_second, settings.timeout))
        self._settings = settings
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._connections = connections
        self._ssl_context: ssl.SSLContext | None = None
        self._managers: dict[tuple[str, ProxyAddress | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def get(self, url: str, *, first: int | None = None, last: int | None = None) -> FileResponse:
        """Send a GET for a whole file, or for its bytes `first` to `last`, both included.

        Fails with `BrokenTransferError` when no answer came, and with the error of `check_file_url` before anything is
        sent to an address that must not be used.
        """
        return self.begin_get(url, first=first, last=last)()

    def begin_get(self, url: str, *, first: int | None = None, last: int | None = None) -> Callable[[], FileResponse]:
        """Send such a GET, and return what waits for the answer, as `get` does; to be called once."""
        with self._settings.naming_connection():
            self._settings.check_file_url(url)
            manager = self._manager(url)
        headers = dict(self._headers)
        if first is not None:
            headers["Range"] = f"bytes={first}-{last}"
        host = urlsplit(url).hostname or ""
        answer = self._token.begin(lambda: self._request(manager, url, headers))

        def wait() -> FileResponse:
            failure: BrokenTransferError
            try:
                return FileResponse(answer(), host, self._token)
            except (HTTPError, HTTPException, OSError) as error:
                failure = BrokenTransferError(f"{host}: {_describe(error)}")
            self._token.check()
            raise failure

        return wait

    def _request(self, manager: urllib3.PoolManager, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        with file_request():
            return manager.request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                decode_content=False,
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(connect=self._settings.timeout, read=self._settings.timeout),
            )

    def close(self) -> None:
        """Close all connections; requests of other threads end."""
        self._forget()
        self._sockets.shut_down()
        with self._lock:
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()

    def _manager(self, url: str) -> urllib3.PoolManager:
        scheme = urlsplit(url).scheme
        proxy = proxy_for(self._settings, url)
        with self._lock:
            if (scheme, proxy) not in self._managers:
                self._managers[scheme, proxy] = self._create_manager(scheme, proxy)
            return self._managers[scheme, proxy]

    def _create_manager(self, scheme: str, proxy: ProxyAddress | None) -> urllib3.PoolManager:
        # Loading certificates takes a while, so it is done only where something is encrypted.
        encrypted = scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
        if self._ssl_context is None and encrypted:
            self._ssl_context = create_ssl_context(self._settings, used_by="urllib3")
        if proxy is None:
            manager = urllib3.PoolManager(maxsize=self._connections, ssl_context=self._ssl_context)
        else:
            manager = urllib3.ProxyManager(
                proxy.url,
                proxy_headers=_proxy_headers(proxy),
                maxsize=self._connections,
                ssl_context=self._ssl_context,
                proxy_ssl_context=self._ssl_context,
            )
        manager.pool_classes_by_scheme = self._pools
        return manager


def _proxy_headers(proxy: ProxyAddress) -> dict[str, str] | None:
    if proxy.login is None:
        return None
    # urllib3's own helper takes Latin-1 only, and quotes a password that is not.
    return {"proxy-authorization": "Basic " + base64.b64encode(":".join(proxy.login).encode()).decode("ascii")}


def _describe(error: Exception) -> str:
    """Return what went wrong without quoting the library, whose texts hold URLs."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message}); see the connection's extra 'verify'"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)):
        return "timed out"
    return f"the connection broke ({type(error).__name__})"
