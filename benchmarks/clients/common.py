"""Shared by the measured programs: the store's client, and notes for the measuring process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def s3_client(endpoint: str, **keys: str) -> Any:
    """Return the client that Airflow's `S3Hook` gives for a connection with this `endpoint_url` and nothing else."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session(region_name="us-east-1").client("s3", endpoint_url=endpoint, config=Config(), **keys)


def gcs_bucket(name: str, endpoint: str) -> Any:
    """Return a bucket of a server that asks for no credentials."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    return storage.Client(
        project="bench",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoint},
    ).bucket(name)


class Notes:
    """Seconds of CPU and bytes of memory before and after the work, written where BENCH_NOTES says."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        # From here on the kernel's peak is that of the work, not of the imports before it.
        Path("/proc/self/clear_refs").write_text("5")
        self._rss = _status("VmRSS")

    def write(self, **more: Any) -> None:
        """Record the end of the work."""
        target = os.environ.get("BENCH_NOTES")
        if target is None:
            return
        noted = {
            "work_cpu": time.process_time() - self._cpu,
            "work_wall": time.perf_counter() - self._wall,
            "rss_before": self._rss,
            "rss_peak": _status("VmHWM"),
            **more,
        }
        Path(target).write_text(json.dumps(noted))


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
