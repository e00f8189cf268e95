"""How long a thousand first polls block a triggerer's event loop: `python -m benchmarks.crowd --help`.

A triggerer that starts, or takes over from another, begins all its waits at once. Here real `ExportTaskTrigger`s poll a
server that answers each time after `--latency` milliseconds, over plain http. A heartbeat in the same loop measures how
long nothing else could run, as every other provider's triggers and Airflow's own heartbeat see it. With
`--outage 120` the server answers 503, and in one more case 429, at first: for longer than it takes until each wait logs
that it has no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks.servers.processes import Servers

GATE_SECONDS = 0.5
"""The longest block that is allowed with a thousand first polls at once."""
HEARTBEAT = 0.01
AT_ONCE = 0.001
"""A `poke_interval` so short that first polls are not spread."""
CASES = {
    "at once": (AT_ONCE, 0, 503),
    "spread over poke_interval, as by default": (5.0, 0, 503),
}
"""The `poke_interval` of the waits, the seconds for which the server answers nothing else at first, and the status."""


def refused(seconds: int) -> dict[str, tuple[float, int, int]]:
    """Return the cases in which the server answers nothing but an error at first."""
    named = {503: f"after an outage of {seconds} s", 429: f"after {seconds} s of too many requests"}
    return {name: (5.0, seconds, status) for status, name in named.items()} if seconds else {}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to; each round is a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=int, default=50, help="milliseconds")
    parser.add_argument("--outage", type=int, default=0, help="seconds of errors at first, in two more cases")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", nargs=3, metavar=("ENDPOINT", "POKE_INTERVAL", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.child:
        endpoint, poke_interval, file = given.child
        measured = asyncio.run(_crowd(endpoint, float(poke_interval), given.waits))
        Path(file).write_text(json.dumps(measured))
        return measured
    cases = {**CASES, **refused(given.outage)}
    with tempfile.TemporaryDirectory() as work, Servers(Path(work)) as servers:
        _, address = servers.start_own("benchmarks.servers.waiting")
        figures = {
            name: [_round(case, given.waits, given.latency, address, work) for _ in range(given.rounds)]
            for name, case in cases.items()
        }
    report = {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "settings": {"waits": given.waits, "rounds": given.rounds, "latency_ms": given.latency},
        "gate": {"longest_block_seconds": GATE_SECONDS},
        "cases": figures,
    }
    _print(report)
    if given.output:
        given.output.write_text(json.dumps(report, indent=1) + "\n")
    return report


def _round(case: tuple[float, int, int], waits: int, latency: int, address: str, work: str) -> dict[str, float]:
    poke_interval, away, status = case
    urllib.request.urlopen(f"{address}/away/{away}/{status}").close()
    endpoint = f"{address}/{latency}/COMPLETE/graphql"
    file = Path(work) / "round.json"
    connection = {"conn_type": "labelbox", "host": endpoint, "password": "a-key-for-the-benchmark"}
    own = {
        "AIRFLOW_HOME": work,
        "AIRFLOW_CONN_LABELBOX_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "benchmarks.crowd", "--waits", str(waits)]
    subprocess.run(
        [*command, "--child", endpoint, str(poke_interval), str(file)],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    measured: dict[str, float] = json.loads(file.read_text())
    return measured


async def _crowd(endpoint: str, poke_interval: float, waits: int) -> dict[str, Any]:
    """Run all waits in this loop; they end at their first poll, since every export is COMPLETE."""
    del endpoint  # the connection in the environment has it
    from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

    deadline = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    triggers = [
        ExportTaskTrigger(
            labelbox_conn_id="labelbox_default",
            export_id=f"export{number}",
            user_id="user1",
            deadline=deadline,
            poke_interval=poke_interval,
        )
        for number in range(waits)
    ]

    async def outcome(trigger: Any) -> str:
        [event] = [event async for event in trigger.run()]
        return str(event.payload["outcome"])

    blocks: list[float] = []
    heartbeat = asyncio.create_task(_beat(blocks))
    await asyncio.sleep(10 * HEARTBEAT)
    begun, cpu = time.monotonic(), time.process_time()
    outcomes = await asyncio.gather(*(outcome(trigger) for trigger in triggers))
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    await asyncio.sleep(2 * HEARTBEAT)  # so that a block at the very end counts, too
    heartbeat.cancel()
    if set(outcomes) != {"COMPLETE"}:
        raise RuntimeError(f"a wait ended with {set(outcomes)}")
    return {"longest_block": round(max(blocks), 4), "seconds": round(seconds, 3), "cpu": round(cpu, 3)}


async def _beat(blocks: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        begun = loop.time()
        await asyncio.sleep(HEARTBEAT)
        blocks.append(loop.time() - begun - HEARTBEAT)


def _print(report: dict[str, Any]) -> None:
    print(f"{report['settings']['waits']} first polls; gate: no block above {GATE_SECONDS} s\n")
    print(
        "| first polls | longest block of the loop, s | rounds | all polled after, s | CPU-s |\n|---|---|---|---|---|"
    )
    for name, rounds in report["cases"].items():
        block, seconds, cpu = ([each[key] for each in rounds] for key in ("longest_block", "seconds", "cpu"))
        print(
            f"| {name} | {statistics.median(block):.2f} | {min(block):.2f} to {max(block):.2f} | "
            f"{statistics.median(seconds):.1f} | {statistics.median(cpu):.1f} |"
        )


if __name__ == "__main__":
    main()
