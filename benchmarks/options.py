"""The options that the benchmarks of transfers share, and the file that their result goes to."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.report import machine
from benchmarks.stage import ROOT

_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def byte_count(text: str) -> int:
    """Read a size such as 1GiB."""
    matched = re.fullmatch(r"(\d+)(|KiB|MiB|GiB)", text)
    if matched is None or not int(matched[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size. Write it as 1GiB, 64MiB, 8388608.")
    return int(matched[1]) * _UNITS[matched[2]]


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add where the servers are and how slow they are."""
    parser.add_argument("--latency", type=int, default=50, help="milliseconds per GraphQL call and first byte; 50")
    parser.add_argument(
        "--store", choices=("ceph", "rclone"), default="ceph", help="S3 server; rclone is for trying out"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".bench", help="folder for data, logs and environments")


def reach_loopback_directly() -> None:
    """Let no proxy of the environment stand before the servers."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1"]))


def report_of(given: argparse.Namespace, *settings: str, **measured: Any) -> dict[str, Any]:
    """Return a report with its date, the kind of machine and the settings of these names."""
    return {
        "v": 1,
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "machine": machine(),
        "settings": {name: getattr(given, name) for name in settings},
        **measured,
    }


def write(report: Mapping[str, Any], output: Path | None) -> None:
    """Write a report as JSON, if asked to."""
    if output is not None:
        output.write_text(json.dumps(report, indent=1) + "\n")
