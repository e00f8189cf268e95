"""An S3 server over HTTP on this machine, and what the demo and the tests read back from it."""

from __future__ import annotations

import copy
import json
import sys
from typing import TYPE_CHECKING, Any

import httpx

from demo.airflow_api import until
from demo.ports import free_ports

if TYPE_CHECKING:
    from demo.processes import Processes

ACCESS_KEY = "demo-access-key"
SECRET_KEY = "demo-secret-access-key"  # noqa: S105 - the server takes any
REGION = "us-east-1"


class ObjectStore:
    """One bucket of an S3 server (moto) that runs as a child of `processes` and keeps its objects in memory."""

    def __init__(self, processes: Processes, environment: dict[str, str], bucket: str) -> None:
        self.bucket = bucket
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._server = processes.start("object-store", command, environment=environment)
        self._client: Any = None

    def wait(self, timeout: float = 60) -> None:
        """Wait until the server answers, then make the bucket."""

        def answers() -> bool:
            if self._server.poll() is not None:
                raise RuntimeError(f"the S3 server ended with status {self._server.returncode} while starting")
            try:
                return httpx.get(f"{self.url}/moto-api/", timeout=2, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        until("the S3 server to answer", answers, timeout=timeout, every=0.2)
        self.client.create_bucket(Bucket=self.bucket)

    def another(self, bucket: str) -> ObjectStore:
        """Make one more bucket on the same server."""
        other = copy.copy(self)
        other.bucket = bucket
        other.client.create_bucket(Bucket=bucket)
        return other

    @property
    def airflow_connection(self) -> str:
        """The connection `aws_default` as Airflow reads it from the environment."""
        return json.dumps(
            {
                "conn_type": "aws",
                "login": ACCESS_KEY,
                "password": SECRET_KEY,
                "extra": {"endpoint_url": self.url, "region_name": REGION},
            }
        )

    @property
    def client(self) -> Any:
        """A boto3 client of the server."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "s3",
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=ACCESS_KEY,
                aws_secret_access_key=SECRET_KEY,
                config=Config(proxies={}, retries={"max_attempts": 5, "mode": "standard"}),
            )
        return self._client

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Return the size of every object below a prefix, by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def open_uploads(self) -> list[str]:
        """Return the keys of multipart uploads that were neither completed nor aborted."""
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Uploads", [])]

    def read(self, key: str) -> bytes:
        """Return the content of one object as it is stored."""
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content
