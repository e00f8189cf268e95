"""Three stores, and how what many tasks landed in each is compared with what one task landed there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.stores.servers import files

if TYPE_CHECKING:
    from demo.object_store import ObjectStore
    from labelbox_export_provider.testing.object_store import StrictGCS

BUCKET = "lake"
NAMES = ("s3", "gcs", "file")


@dataclass(frozen=True)
class ThreeStores:
    """An S3 bucket, a bucket of the strict Google Cloud Storage, and a directory that all workers share."""

    s3: ObjectStore
    gcs: StrictGCS
    root: Path

    def __post_init__(self) -> None:
        """Make the directories, which a transfer does not."""
        for folder in ("many", "one"):
            (self.root / "three" / folder).mkdir(parents=True)

    @property
    def airflow_environment(self) -> dict[str, str]:
        """The connection to Google Cloud Storage."""
        google = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
        return {
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(google),
            "STORAGE_EMULATOR_HOST": self.gcs.address,
        }

    def read(self, store: str, folder: str) -> dict[str, bytes]:
        """Return everything in one folder of a store, temporary files included."""
        prefix = f"three/{folder}/"
        if store == "s3":
            found = {key: self.s3.read(key) for key in self.s3.objects(prefix)}
        else:
            found = self.gcs.visible() if store == "gcs" else files(self.root)
        return {key.removeprefix(prefix): content for key, content in found.items() if key.startswith(prefix)}

    def receipts(self, store: str) -> list[str]:
        """Return the names of the receipts that the many tasks have left so far."""
        return [name for name in self.read(store, "many") if name.startswith("_staging/")]

    def check_landed(self, expected_rows: bytes) -> None:
        """Compare many tasks with one: keys, bytes, and all that the manifests say but their time and addresses."""
        for store in NAMES:
            many, one = (_compared(store, self.read(store, folder), folder) for folder in ("many", "one"))
            assert many.keys() == one.keys(), store
            different = {name: (many[name], one[name]) for name in many if many[name] != one[name]}
            assert not different, (store, different)
            objects = [many[name] for name in sorted(many) if name.startswith("data/")]
            assert len(objects) > 2
            assert gzip.decompress(b"".join(objects)) == expected_rows != b""
        assert self.s3.open_uploads() == self.gcs.open_uploads() == []


def _compared(store: str, landed: Mapping[str, bytes], folder: str) -> dict[str, Any]:
    compared: dict[str, Any] = {}
    for name, content in landed.items():
        if name.startswith("data/"):
            compared[name] = content
            continue
        compared[name] = content.replace(f"/three/{folder}/".encode(), b"/three/")
        if name.startswith("manifests/"):
            manifest = json.loads(compared[name])
            del manifest["landed_at"]
            if store == "gcs":  # which counts a generation at every write
                for each in manifest["objects"]:
                    del each["version_id"], each["etag"]
            compared[name] = manifest
    return compared
