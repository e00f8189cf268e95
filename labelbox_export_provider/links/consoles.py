"""Pages of stores in the consoles of their clouds; a store that is not the cloud's own has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from labelbox_export_provider.sinks.connection_names import AWS_HOSTS, GOOGLE_HOSTS, foreign_host

_AWS_DOMAINS = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}


class Console(Protocol):
    """Where people see the objects of one store."""

    def page_of(self, uri: str) -> str:
        """Return the address of an object's page."""


@dataclass(frozen=True, slots=True)
class S3Console:
    """The S3 console of one partition of AWS."""

    domain: str
    region: str

    @classmethod
    def of(cls, client: Any) -> S3Console | None:
        """Return the console of a boto3 client; None for an endpoint that is not AWS, and for a closed partition."""
        meta = client.meta
        domain = _AWS_DOMAINS.get(meta.partition)
        if domain is None or foreign_host(meta.endpoint_url, AWS_HOSTS):
            return None
        return cls(domain, meta.region_name)

    def page_of(self, uri: str) -> str:
        """Return the address of an object's page, for `s3://bucket/key`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        where = {"region": self.region, "prefix": key}
        return f"https://console.{self.domain}/s3/object/{bucket}?{urlencode(where, safe='/', quote_via=quote)}"


@dataclass(frozen=True, slots=True)
class GoogleConsole:
    """The console of Google Cloud."""

    @classmethod
    def of(cls, client: Any) -> GoogleConsole | None:
        """Return the console of a `google.cloud.storage.Client`; None for an endpoint that is not Google's."""
        return None if foreign_host(getattr(client, "api_endpoint", ""), GOOGLE_HOSTS) else cls()

    def page_of(self, uri: str) -> str:
        """Return the address of an object's page, for `gs://bucket/name`."""
        return f"https://console.cloud.google.com/storage/browser/_details/{quote(uri.removeprefix('gs://'))}"


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A directory, whose files have an address and no page."""

    def page_of(self, uri: str) -> str:
        """Return the file's own address."""
        return uri
