"""Multipart uploads by the XML API of Google Cloud Storage, over the HTTP session of Google's client library.

The library has these calls too, but its parts are read from a file. They are few and public, so this module makes them
itself and sends parts from the buffers that their bytes are in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.redaction import install_log_filter
from labelbox_export_provider.sinks import checksum
from labelbox_export_provider.sinks.base import NewObject, Part, PartBody
from labelbox_export_provider.sinks.connection_names import GOOGLE_HOSTS, with_endpoint
from labelbox_export_provider.sinks.gcs.arguments import headers as as_headers
from labelbox_export_provider.sinks.gcs.errors import (
    is_store_error,
    is_worth_another_call,
    read_error,
    read_response,
    refusal_error,
)
from labelbox_export_provider.sinks.multipart import BucketCalls
from labelbox_export_provider.sinks.refusals import Refusal
from labelbox_export_provider.sinks.uncopied_body import UncopiedBody

_TIMEOUT = (61.0, 60.0)  # seconds to connect and between bytes, as in the client library
_TIMEOUT_OF_COMPLETION = (61.0, 300.0)  # Google documents several minutes


class XmlApi(BucketCalls[str]):
    """The multipart uploads of one bucket through one client. Every failure is one of this package's errors.

    It uses two private names of the client: `_http`, the HTTP session with the connection's credentials, and
    `_connection`, which knows the address; the library's own multipart uploads use both. All calls may be repeated: an
    upload that was opened twice is found and aborted when the second one ends, and a completion whose answer was lost
    is answered with "no such upload".
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        arguments: Mapping[str, Any],
        user_project: str | None,
        retry_timeout: float,
        *,
        connection: str,
    ) -> None:
        from google.cloud.storage.retry import DEFAULT_RETRY

        # The libraries log the addresses of upload sessions, which are secret, at DEBUG.
        install_log_filter()
        self._client = client
        self._name = bucket
        self._arguments = arguments
        self._billed = {"x-goog-user-project": user_project} if user_project else {}
        self._bucket = client.bucket(bucket, user_project=user_project)
        self._retry = DEFAULT_RETRY.with_timeout(retry_timeout)
        self._connection = with_endpoint(connection, getattr(client, "api_endpoint", ""), GOOGLE_HOSTS)
        self._unanswered = set()

    def create_upload(self, new: NewObject) -> str:
        """Open a multipart upload and return its id."""
        own = {f"x-goog-meta-{name}": value for name, value in new.metadata.items()}
        headers = {"Content-Type": new.content_type, **own, **as_headers(self._arguments)}
        answer = self._send("upload", new.key, "POST", "uploads", headers=headers)
        return self._text(self._parse(answer, new.key), "UploadId", new.key)

    def upload_part(self, key: str, upload: str, part: Part, crc32c: int) -> str:
        """Upload a part, whose checksum the service compares, and return its ETag."""
        headers = {"x-goog-hash": f"crc32c={checksum.base64_text(crc32c)}"}
        query = urlencode({"partNumber": part.number, "uploadId": upload})
        answer = self._send("upload", key, "PUT", query, part.body, headers)
        if "ETag" not in answer.headers:
            raise self._malformed("took a part without naming it", key)
        return str(answer.headers["ETag"])

    def _complete(self, key: str, upload: str, etags: Mapping[int, str]) -> Mapping[str, str]:
        """Make the object of all parts, over what is there, and return the headers of the answer."""
        root = ElementTree.Element("CompleteMultipartUpload")
        for number in sorted(etags):
            part = ElementTree.SubElement(root, "Part")
            ElementTree.SubElement(part, "PartNumber").text = str(number)
            ElementTree.SubElement(part, "ETag").text = etags[number]
        query, typed = urlencode({"uploadId": upload}), {"Content-Type": "application/xml"}
        body = ElementTree.tostring(root)
        answer = self._send("complete", key, "POST", query, body, typed, _TIMEOUT_OF_COMPLETION)
        self.abort_unanswered(key)
        headers: Mapping[str, str] = answer.headers
        return headers

    def abort_upload(self, key: str, upload: str) -> bool:
        """Abort an upload with all its parts; return whether there was one."""
        query = urlencode({"uploadId": upload})
        aborted = self._send("abort", key, "DELETE", query, missing="NoSuchUpload")
        self.abort_unanswered(key)
        return aborted is not None

    def open_uploads(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield key and id of the open uploads whose keys start with `prefix`, page by page."""
        marker: dict[str, str] = {}
        while True:
            query = urlencode({"prefix": prefix, **marker}, quote_via=quote)
            page = self._parse(self._send("list uploads", "", "GET", f"uploads&{query}"), prefix)
            for upload in page.iterfind("{*}Upload"):
                yield self._text(upload, "Key", prefix), self._text(upload, "UploadId", prefix)
            if page.findtext("{*}IsTruncated") != "true":
                return
            before, names = marker, {"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}
            marker = {name: self._text(page, element, prefix) for name, element in names.items()}
            if marker == before:
                raise self._malformed("listed the same open uploads again", prefix)

    def name_of(self, upload: str) -> str:
        """Return the id of an upload."""
        return upload

    def stored_parts(self, key: str, name: str) -> tuple[str, dict[int, tuple[str, int]]] | None:
        """Return an open upload, with ETag and size of each part by its number; None where there is none."""
        parts: dict[int, tuple[str, int]] = {}
        marker = "0"
        while True:
            query = urlencode({"uploadId": name, "part-number-marker": marker})
            answer = self._send("list parts", key, "GET", query, missing="NoSuchUpload")
            if answer is None:
                return None
            page = self._parse(answer, key)
            for part in page.iterfind("{*}Part"):
                number, etag, size = (self._text(part, each, key) for each in ("PartNumber", "ETag", "Size"))
                parts[int(number)] = (etag, int(size))
            if page.findtext("{*}IsTruncated") != "true":
                return name, parts
            before, marker = marker, self._text(page, "NextPartNumberMarker", key)
            if marker == before:
                raise self._malformed("listed the same parts again", key)

    # --- requests and answers

    def _send(  # noqa: PLR0917  each is named where it is not plain
        self,
        operation: str,
        key: str,
        method: str,
        query: str,
        body: PartBody | bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = _TIMEOUT,
        *,
        missing: str | None = None,
    ) -> Any:
        """Return the answer; None for the service's answer `missing`. Repeats what it is too busy for, or leaves."""

        def send() -> Any:
            path = "/".join(quote(each, safe="~") for each in (self._name, key) if each)
            base = self._client._connection.get_api_base_url_for_mtls()  # noqa: SLF001  see the class
            try:
                answer = self._client._http.request(  # noqa: SLF001  see the class
                    method,
                    f"{base}/{path}?{query}",
                    data=UncopiedBody.of(body) if isinstance(body, PartBody) else body,
                    headers={**self._billed, **(headers or {})},
                    timeout=timeout,
                    allow_redirects=False,
                )
            except Exception as error:
                if not (is_store_error(error) or isinstance(error, OSError)):
                    raise
                refusal = read_error(error, self._called(operation, key))
            else:
                # A completion that takes long may begin its answer before it fails.
                if answer.status_code < 300 and b"<Error>" not in answer.content[:500]:
                    return answer
                refusal = read_response(answer, self._called(operation, key))
                if refusal.code == missing:
                    return None
            if query == "uploads" and is_worth_another_call(refusal):
                self._unanswered.add(key)
            raise refusal_error(refusal)

        failure: StorageError
        try:
            return self._retry.with_predicate(lambda error: type(error) is StorageUnavailableError)(send)()
        except Exception as error:
            # The policy's own error, when its time is over, holds the last one.
            last = getattr(error, "cause", None) or error
            if not isinstance(last, StorageError):
                raise
            failure = last
        raise failure

    def _called(self, operation: str, key: str) -> Refusal:
        return Refusal(operation, f"gs://{self._name}/{key}", self._name, self._connection)

    def _parse(self, answer: Any, key: str) -> ElementTree.Element:
        try:
            return ElementTree.fromstring(answer.content)  # noqa: S314  the service itself wrote it
        except ElementTree.ParseError:
            raise self._malformed("sent no XML", key) from None

    def _text(self, element: ElementTree.Element, name: str, key: str) -> str:
        text = element.findtext(f"{{*}}{name}")
        if not text:
            raise self._malformed(f"sent no {name}", key)
        return text

    def _malformed(self, what: str, key: str) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"Cloud Storage {what}. Retrying may help; if not, check the proxy and the endpoint of {self._connection}.",
            details=f"gs://{self._name}/{key}",
        )
