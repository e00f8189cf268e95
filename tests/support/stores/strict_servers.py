"""Our own strict servers for campaigns: started once, and emptied for each landing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from support.stores.servers import strict_gcs_store, strict_store

from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3, strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store


@dataclass(frozen=True)
class StrictServers:
    """One for S3, which tests call `strict`, and one for Google Cloud Storage, `gcs`."""

    s3: StrictS3
    gcs: StrictGCS

    def open(self, name: str) -> Store:
        """Empty the server of this name, and return its bucket with clients that give up soon."""
        if name == "strict":
            self.s3.reset()
            return strict_store(self.s3, attempts=1)
        self.gcs.reset()
        return strict_gcs_store(self.gcs, retry_timeout=0.3)


@contextmanager
def strict_servers(part_bytes: int) -> Iterator[StrictServers]:
    """Start both, for uploads in parts of this size."""
    with (
        strict_s3(minimum_part_bytes=part_bytes, page=1000) as s3,
        strict_gcs(minimum_part_bytes=part_bytes, quantum=part_bytes, takes_overlaps=True, page=1000) as gcs,
    ):
        yield StrictServers(s3, gcs)
