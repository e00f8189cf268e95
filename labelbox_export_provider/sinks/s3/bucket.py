"""A bucket behind a client: one way to call it, and one to read its listings."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.connection_names import AWS_HOSTS, foreign_host, with_endpoint
from labelbox_export_provider.sinks.refusals import Refusal
from labelbox_export_provider.sinks.s3 import checksums
from labelbox_export_provider.sinks.s3.errors import is_missing, is_store_error, read_refusal, refusal_error
from labelbox_export_provider.sinks.s3.unknown_headers import Fact

_WORDS = re.compile(r"(?<!^)(?=[A-Z])")
_LISTINGS = {"ListObjectsV2", "ListMultipartUploads"}
_WITHOUT_KEY = {"GetBucketLifecycleConfiguration"}
_UPLOADS = {"PutObject", "CreateMultipartUpload", "UploadPart"}


class S3Bucket:
    """Turns every failure of the client into one of this package's errors."""

    def __init__(self, client: Any, name: str, connection: str) -> None:
        endpoint = client.meta.endpoint_url
        self._client = client
        self._name = name
        self._connection = with_endpoint(connection, endpoint, AWS_HOSTS)
        self._facts = {Fact.UNSIGNED} if str(endpoint).startswith("https://") else set[Fact]()
        self.is_aws = not foreign_host(endpoint, AWS_HOSTS)
        self.sends_checksums = checksums.sends_checksums(client)
        if self.sends_checksums:
            checksums.leave_bodies_unsigned(client)

    def uri(self, key: str) -> str:
        """Return the `s3://` address."""
        return f"s3://{self._name}/{key}"

    def call(self, operation: str, key: str, /, **arguments: Any) -> Any:
        """Return the client's answer; None where there is no such object or upload."""
        answer = self.attempt(operation, key, **arguments)
        if not isinstance(answer, Refusal):
            return answer
        if is_missing(answer):
            return None
        raise refusal_error(answer)

    def attempt(self, operation: str, key: str, /, **arguments: Any) -> Any:
        """Return the client's answer, or the `Refusal`; `limit` reads so many bytes of the answer's body instead."""
        method: Callable[..., Any] = getattr(self._client, _WORDS.sub("_", operation).lower())
        target = {} if operation in _WITHOUT_KEY else {"Prefix" if operation in _LISTINGS else "Key": key}
        limit = arguments.pop("limit", None)
        try:
            answer = method(Bucket=self._name, **target, **arguments)
            if limit is not None:
                with contextlib.closing(answer["Body"]) as body:
                    answer = body.read(limit)
        except Exception as error:
            if not is_store_error(error):
                raise
            facts = self._facts_of(operation, arguments)
            return read_refusal(error, Refusal(operation, self.uri(key), self._name, self._connection, facts=facts))
        self._facts.add(Fact.ACCEPTED)
        return answer

    def _facts_of(self, operation: str, arguments: Mapping[str, Any]) -> frozenset[Fact]:
        facts = set(self._facts)
        if operation in _UPLOADS and not self.is_aws and any(name.startswith("Checksum") for name in arguments):
            facts.add(Fact.CHECKSUM)
        if "IfNoneMatch" in arguments:
            facts.add(Fact.CONDITION)
        return frozenset(facts)

    def pages(
        self, operation: str, prefix: str, tokens: Mapping[str, str], arguments: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of a listing; `tokens` maps arguments of the next call to names in the answer.

        A page that has a next one but does not say where, or says so twice, is an error: the rest must not be treated
        as missing, and a listing must end.
        """
        more: dict[str, Any] = {}
        asked: set[tuple[str, ...]] = set()
        while True:
            page = self.call(operation, prefix, **more, **arguments)
            if page is None:
                return
            yield page
            if not page.get("IsTruncated"):
                return
            more = {argument: page[name] for argument, name in tokens.items() if page.get(name)}
            following = tuple(map(str, more.values()))
            if not more or following in asked:
                fault = "names a page again that it has given" if more else "has more pages but no token for the next"
                raise StorageError(
                    f"The store's listing {fault}, so what is there is not known. Nothing was changed. Upgrade the "
                    "store, or report this to its maker.",
                    details=f"{operation} of {self.uri(prefix)} through {self._connection}",
                )
            asked.add(following)
