"""The address of a prefix of a store: `s3://bucket/prefix`, `gs://bucket/prefix`, `file:///directory` or a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import unquote, urlsplit

from labelbox_export_provider.domain.options.object_keys import key_fault
from labelbox_export_provider.errors import ConfigurationError

Scheme = Literal["s3", "gs", "file"]
_VALID = (
    "It must be s3://bucket/prefix, gs://bucket/prefix, file:///directory or the path of a directory: the place that "
    "holds manifests/, errors/ and data/."
)


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A bucket or directory, and the prefix in it that exports were landed under; a directory is its own prefix."""

    scheme: Scheme
    root: str
    prefix: str

    def __str__(self) -> str:
        if self.scheme == "file":
            return self.root
        return f"{self.scheme}://{self.root}/{self.prefix}".rstrip("/")

    @classmethod
    def parse(cls, text: str) -> StoreAddress:
        """Read an address; fails with `ConfigurationError` on one that no store has."""
        scheme, mark, rest = text.strip().partition("://")
        if not mark:
            return cls._of_path(text, text)
        if scheme == "file":
            parts = urlsplit(text.strip())
            if parts.netloc not in ("", "localhost"):
                raise ConfigurationError(f"{text!r} names another host. {_VALID}")
            return cls._of_path(unquote(parts.path), text)
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.strip("/")
        if scheme not in ("s3", "gs") or not bucket or "@" in bucket:
            raise ConfigurationError(f"{text!r} is not an address of a store. {_VALID}")
        if prefix and (fault := key_fault(prefix)):
            raise ConfigurationError(f"The prefix of {text!r} cannot be one of exports: {fault}. {_VALID}")
        return cls(cast("Scheme", scheme), bucket, prefix)

    @classmethod
    def _of_path(cls, path: str, text: str) -> StoreAddress:
        if not path.strip() or "\0" in path:
            raise ConfigurationError(f"{text!r} is not an address of a store. {_VALID}")
        return cls("file", str(Path(path).expanduser().absolute()), "")

    def directory(self) -> Path:
        """Return the directory; fails with `ConfigurationError` if there is none."""
        path = Path(self.root)
        if not path.is_dir():
            raise ConfigurationError(f"There is no directory {path}. {_VALID}")
        return path
