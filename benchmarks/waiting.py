"""What waiting costs a triggerer: `python -m benchmarks.waiting --help`.

Real `ExportTaskTrigger`s wait in one event loop for exports that do not end, for a minute after all have been polled
once; beside them, in processes of their own, what a user would write instead: a trigger with one httpx client per poll,
and one with one aiohttp session per poll, as the http provider's triggers have, each polling every five seconds. The
server, a process of its own, answers after `--latency` milliseconds, over plain http, and counts the requests.

Each case runs twice: once for requests and CPU, which is that of the process with the waits alone, and once for the
longest block, since the heartbeat that measures it, a hundred times a second, takes CPU itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks.servers.processes import Servers
from labelbox_export_provider.client.batch_polling import MAX_BATCH

MAX_REQUESTS_PER_MINUTE = 60
"""The requests that a thousand waits may cost, as guarantee G9 states."""
MAX_CORE_PERCENT = 2.0
"""The share of one core that a thousand waits may cost."""
PAUSE = 5.0
OURS = "one poller"
KEY = "a-key-for-the-benchmark"
QUERY = (
    "query T($userId: ID!, $taskId: ID!) { user(where: {id: $userId}) "
    "{ createdTasks(where: {id: $taskId} skip: 0 first: 1) { id status completionPercentage } } }"
)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print a table, write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--rival-waits", type=int, nargs="*", default=[100, 1000], help="nothing leaves the rivals out")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--settle", type=float, default=3 * PAUSE, help="seconds before the measurement, at least")
    parser.add_argument("--latency", type=int, default=50, help="milliseconds")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", nargs=2, metavar=("CASE", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--heartbeat", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.child:
        case, file = given.child
        measured = asyncio.run(_measure(CASES[case], given))
        Path(file).write_text(json.dumps(measured))
        return measured
    cases = {f"{OURS}, {waits} waits": (OURS, waits) for waits in given.waits}
    cases |= {f"{name}, {waits} waits": (name, waits) for waits in given.rival_waits for name in CASES if name != OURS}
    with tempfile.TemporaryDirectory() as work, Servers(Path(work)) as servers:
        _, address = servers.start_own("benchmarks.servers.waiting")
        figures = {
            name: {
                **_child(case, waits, given, address, work),
                **_child(case, waits, given, address, work, "--heartbeat"),
            }
            for name, (case, waits) in cases.items()
        }
    report = {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "settings": {"seconds": given.seconds, "latency_ms": given.latency, "pause": PAUSE},
        "gate": {"requests_per_minute": MAX_REQUESTS_PER_MINUTE, "core_percent": MAX_CORE_PERCENT},
        "cases": figures,
        "ratios": {name: _ratio(figures, *cases[name]) for name in cases if f"{OURS}, {cases[name][1]} waits" in cases},
    }
    _print(report)
    if given.output:
        given.output.write_text(json.dumps(report, indent=1) + "\n")
    return report


def _ratio(figures: dict[str, dict[str, float]], case: str, waits: int) -> dict[str, float]:
    """Return what a case takes in terms of what one poller takes for as many waits."""
    measured, ours = figures[f"{case}, {waits} waits"], figures[f"{OURS}, {waits} waits"]
    names = ("requests_per_minute", "core_percent")
    return {name: round(measured[name] / ours[name], 1) if ours[name] else 0.0 for name in names}


def _child(
    case: str, waits: int, given: argparse.Namespace, address: str, work: str, *options: str
) -> dict[str, float]:
    file = Path(work) / "case.json"
    endpoint = f"{address}/{given.latency}/IN_PROGRESS/graphql"
    own = {
        "AIRFLOW_HOME": work,
        "AIRFLOW_CONN_LABELBOX_DEFAULT": json.dumps({"conn_type": "labelbox", "host": endpoint, "password": KEY}),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "benchmarks.waiting", "--waits", str(waits), "--seconds", str(given.seconds)]
    command += ["--settle", str(given.settle), "--latency", str(given.latency), "--address", address]
    command += ["--child", case, str(file), *options]
    output = subprocess.DEVNULL
    subprocess.run(command, env={**os.environ, **own}, stdout=output, stderr=output, check=True)
    measured: dict[str, float] = json.loads(file.read_text())
    return measured


async def _measure(
    wait: Callable[[int, str], Coroutine[Any, Any, None]], given: argparse.Namespace
) -> dict[str, float]:
    """Let all waits begin, and measure from when the first polls are over."""
    [waits] = given.waits
    endpoint = f"{given.address}/{given.latency}/IN_PROGRESS/graphql"
    waiting = [asyncio.create_task(wait(number, endpoint)) for number in range(waits)]
    await asyncio.sleep(max(given.settle, 1.2 * waits / MAX_BATCH))
    measured = await (_block(given) if given.heartbeat else _cost(given))
    if any(each.done() for each in waiting):
        raise RuntimeError("a wait has ended")
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return measured


async def _cost(given: argparse.Namespace) -> dict[str, float]:
    sent, begun, cpu = _count(given.address), time.monotonic(), time.process_time()
    await asyncio.sleep(given.seconds)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    return {
        "requests_per_minute": round((_count(given.address) - sent) / seconds * 60, 1),
        "core_percent": round(cpu / seconds * 100, 2),
    }


async def _block(given: argparse.Namespace) -> dict[str, float]:
    blocks: list[float] = []
    beating = asyncio.create_task(_beat(blocks))
    await asyncio.sleep(given.seconds)
    beating.cancel()
    return {"longest_block": round(max(blocks), 3)}


async def _ours(number: int, endpoint: str) -> None:
    del endpoint  # the connection in the environment has it
    from labelbox_export_provider.triggers.export_task import ExportTaskTrigger

    deadline = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    trigger = ExportTaskTrigger(
        labelbox_conn_id="labelbox_default",
        export_id=f"e{number}",
        user_id="u1",
        deadline=deadline,
        poke_interval=PAUSE,
    )
    async for _ in trigger.run():
        pass


async def _httpx(number: int, endpoint: str) -> None:
    import httpx

    await asyncio.sleep(PAUSE * number / 1000)
    while True:
        with contextlib.suppress(httpx.HTTPError):  # where it is starved
            async with httpx.AsyncClient() as client:
                reply = await client.post(endpoint, json=_body(number), headers={"Authorization": f"Bearer {KEY}"})
                reply.json()
        await asyncio.sleep(PAUSE)


async def _aiohttp(number: int, endpoint: str) -> None:
    import aiohttp

    await asyncio.sleep(PAUSE * number / 1000)
    while True:
        with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
            async with (
                aiohttp.ClientSession() as session,
                session.post(endpoint, json=_body(number), headers={"Authorization": f"Bearer {KEY}"}) as reply,
            ):
                await reply.json()
        await asyncio.sleep(PAUSE)


CASES: dict[str, Callable[[int, str], Coroutine[Any, Any, None]]] = {
    OURS: _ours,
    "httpx client per poll": _httpx,
    "aiohttp session per poll": _aiohttp,
}


def _body(number: int) -> dict[str, Any]:
    return {"query": QUERY, "variables": {"userId": "u1", "taskId": f"e{number}"}}


def _count(address: str) -> int:
    with urllib.request.urlopen(f"{address}/count") as reply:
        return int(reply.read())


async def _beat(blocks: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        begun = loop.time()
        await asyncio.sleep(0.01)
        blocks.append(loop.time() - begun - 0.01)


def _print(report: dict[str, Any]) -> None:
    gate = report["gate"]
    print(f"gate at 1,000 waits: {gate['requests_per_minute']} requests/min, {gate['core_percent']} % of a core\n")
    print("| waits | requests/min | % of a core | requests, core of one poller's | longest block of the loop, s |")
    print("|---|---|---|---|---|")
    for name, each in report["cases"].items():
        ratio = report["ratios"].get(name, {})
        shown = f"{ratio['requests_per_minute']:g}, {ratio['core_percent']:g}" if ratio else ""
        measured = f"{each['requests_per_minute']} | {each['core_percent']} | {shown} | {each['longest_block']}"
        print(f"| {name} | {measured} |")


if __name__ == "__main__":
    main()
