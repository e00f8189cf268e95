"""GET requests for export files: the settings of the connection, and nothing that could leak the key or the URL.

No Authorization header and no cookies go to file hosts. urllib3's own retries and redirects are off. What it raises is
replaced by text of ours, since its errors quote URLs.
"""

from __future__ import annotations

import ssl
import threading
from http.client import HTTPException
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, IncompleteRead, ReadTimeoutError

from labelbox_export_provider.labelbox.connection import ConnectionSettings
from labelbox_export_provider.labelbox.drivers import create_ssl_context
from labelbox_export_provider.spec.errors import ConnectionSettingsError
from labelbox_export_provider.streaming import scrub


class BrokenTransferError(Exception):
    """A request or its body broke off; another request may go on where it ended. `ended` says that the host hung up."""

    def __init__(self, message: str, *, ended: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.ended = ended
        self.retry_after = retry_after


class FileResponse:
    """The answer to one GET. Close it; a connection whose answer was read to its end is used again."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str) -> None:
        self._response = response
        self.host = host
        self.status = response.status
        self.headers = response.headers

    def read(self, amount: int) -> bytes:
        """Read up to `amount` bytes as they are on the wire; empty at the end. Fails with `BrokenTransferError`."""
        failure: BrokenTransferError
        try:
            with scrub.file_request():
                return self._response.read(amount, decode_content=False)
        except IncompleteRead as error:
            failure = BrokenTransferError(f"{self.host} hung up {error.expected} bytes before the end", ended=True)
        except (HTTPError, HTTPException, OSError) as error:
            ended = isinstance(error.__context__, IncompleteRead) or isinstance(error.__cause__, IncompleteRead)
            failure = BrokenTransferError(f"{self.host}: {_told(error)}", ended=ended)
        raise failure

    def close(self) -> None:
        """Give the connection back where the answer was read to its end, else close it."""
        with scrub.file_request():
            self._response.close()


class FileHost:
    """Connections to file hosts, shared by threads."""

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        user_agent: str,
        connections: int = 16,
    ) -> None:
        scrub.install()
        self._settings = settings
        self._headers = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._connections = connections
        self._ssl_context: ssl.SSLContext | None = None
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def get(self, url: str, *, first: int | None = None, last: int | None = None) -> FileResponse:
        """Send a GET for a whole file, or for its bytes `first` to `last`, both included.

        Fails with `BrokenTransferError` when no answer came, and with the error of `check_file_url` before anything is
        sent to an address that may not be used.
        """
        self._settings.check_file_url(url)
        headers = dict(self._headers)
        if first is not None:
            headers["Range"] = f"bytes={first}-{last}"
        parts = urlsplit(url)
        host = parts.hostname or ""
        manager = self._manager(parts.scheme, parts.netloc)
        failure: BrokenTransferError
        try:
            with scrub.file_request():
                response = manager.request(
                    "GET",
                    url,
                    headers=headers,
                    preload_content=False,
                    decode_content=False,
                    retries=False,
                    redirect=False,
                    timeout=urllib3.Timeout(connect=self._settings.timeout, read=self._settings.timeout),
                )
            return FileResponse(response, host)
        except (HTTPError, HTTPException, OSError) as error:
            failure = BrokenTransferError(f"{host}: {_told(error)}")
        raise failure

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()

    def _manager(self, scheme: str, netloc: str) -> urllib3.PoolManager:
        kind = (scheme, self._proxy(scheme, netloc))
        with self._lock:
            if kind not in self._managers:
                self._managers[kind] = self._create_manager(*kind)
            return self._managers[kind]

    def _proxy(self, scheme: str, netloc: str) -> str:
        if self._settings.proxy:
            return self._settings.proxy
        proxies = getproxies()
        if proxy_bypass(netloc.rpartition("@")[2]):
            return ""
        return proxies.get(scheme) or proxies.get("all") or ""

    def _create_manager(self, scheme: str, proxy: str) -> urllib3.PoolManager:
        # Loading certificates takes a while, so it is left where nothing is encrypted.
        if self._ssl_context is None and (scheme == "https" or proxy):
            self._ssl_context = create_ssl_context(self._settings, used_by="urllib3")
        if not proxy:
            return urllib3.PoolManager(maxsize=self._connections, ssl_context=self._ssl_context)
        try:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            user = unquote(parts.username or "")
            login = f"{user}:{unquote(parts.password or '')}" if user else None
            return urllib3.ProxyManager(
                address,
                proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
                maxsize=self._connections,
                ssl_context=self._ssl_context,
                proxy_ssl_context=self._ssl_context,
            )
        except (HTTPError, ValueError):
            pass
        raise ConnectionSettingsError(
            "The proxy for export files cannot be used. Legal are http://<host>:<port> and https://<host>:<port>, in "
            "the connection's extra 'proxy' or in the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."
        )


def _told(error: Exception) -> str:
    """Say what went wrong without quoting the library, whose texts hold URLs."""
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
