"""Programs that run in a process of their own, whose memory is measured or which is killed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from support.stores.faulty_sink import SinkFault
from support.streaming.exports import LandingClient

from labelbox_export_provider.domain.records.handle import ExportHandle

TESTS = Path(__file__).parents[2]
LANDING = """
    import sys
    from types import SimpleNamespace
    sys.path.insert(0, {tests!r})
    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.streaming.pipeline import memory_plan
    from labelbox_export_provider.sinks.file import FileSink
    from labelbox_export_provider.sinks.gcs.sink import GCSSink
    from labelbox_export_provider.sinks.s3.sink import S3Sink
    from support.stores.faulty_sink import FaultySink, SinkFault
    from support.streaming.exports import landing_client
    from support.stores.servers import gcs_client, s3_client

    memory_plan.MIN_PART = memory_plan.MAX_PART = {part_bytes}
    sink = {sink}
    sink.minimum_part_bytes = {part_bytes}
    fault = {fault!r}
    with landing_client(SimpleNamespace(api_key={key!r}, endpoint={endpoint!r})) as at:
        at.land(ExportHandle.parse({handle!r}), FaultySink(sink, fault) if fault else sink, **{options!r})
"""


def command_of(program: str, **values: Any) -> list[str]:
    """Return the command that runs a program in which `values` are filled in, and `tests` for its imports."""
    return [sys.executable, "-c", textwrap.dedent(program).format(tests=str(TESTS), **values)]


def run_program(program: str, **values: Any) -> str:
    """Run such a program to its end, and return what it prints."""
    ended = subprocess.run(command_of(program, **values), text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def landing_command(  # noqa: PLR0917  what is landed, and how
    at: LandingClient,
    handle: ExportHandle,
    sink: str,
    part_bytes: int,
    options: dict[str, Any],
    fault: SinkFault | None = None,
) -> list[str]:
    """Return the command that lands an export; `sink` is the expression that makes its store."""
    return command_of(
        LANDING,
        part_bytes=part_bytes,
        sink=sink,
        fault=fault,
        key=at.fake.api_key,
        endpoint=at.fake.endpoint,
        handle=handle.model_dump(mode="json"),
        options=options,
    )
