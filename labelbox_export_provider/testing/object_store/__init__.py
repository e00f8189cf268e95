"""A strict object store over real HTTP in two dialects, S3 and Google Cloud Storage: for authors of sinks.

Stand-ins for these stores let mistakes pass. These servers recompute checksums, honour preconditions, refuse what they
do not understand, and fail on request: before a call takes effect, after it, or within it. They need no library.
"""

from __future__ import annotations

from labelbox_export_provider.testing.object_store.gcs import StrictGCS, strict_gcs
from labelbox_export_provider.testing.object_store.s3 import StrictS3, strict_s3
from labelbox_export_provider.testing.object_store.store import Call, Fault

__all__ = ["Call", "Fault", "StrictGCS", "StrictS3", "strict_gcs", "strict_s3"]
