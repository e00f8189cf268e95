"""`make demo`: real Airflow lands nights of a fake Labelbox project in an S3 bucket, row for row.

Everything runs on this machine, in one directory, and is gone afterwards. The exit status is 0 only when every row of
every window is in the bucket exactly as Labelbox holds it and nothing else is.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from demo.airflow_cluster import AirflowCluster, clean_environment
from demo.backfill import backfill
from demo.days import GENERATED_DAYS, MAX_NIGHTS, Export, Night, days_of, generated_days, read_export
from demo.fake_labelbox import FakeLabelboxServer
from demo.interruption import Interrupted, notice_signals, pause
from demo.landed import Landed, compare, read_night, strangers
from demo.object_store import ACCESS_KEY, REGION, SECRET_KEY, ObjectStore
from demo.processes import HomeInUseError, Processes
from demo.progress import Progress, result_table
from demo.windows_page import DAG_FILE, show_windows

if TYPE_CHECKING:
    from datetime import date

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = PROJECT / "dags_examples" / "labelbox_project_nightly.py"
DAG_ID = "labelbox_project_nightly"
BUCKET = "labelbox-demo"
PREFIX = "labelbox/"
PARALLELISM = 3


def main() -> int:
    """Run the demo and return its exit status."""
    options = _options()
    notice_signals()
    progress = Progress()
    try:
        if options.end_with_parent:
            _end_with_parent()
        if options.end_stale:
            _end_stale(options.home)
        else:
            _run(options, progress)
    except Interrupted as interrupted:
        progress.say(f"{interrupted}: every process has been ended")
        return 128 + interrupted.number
    except HomeInUseError as error:
        progress.say(f"FAILED: {error}")
        return 1
    except RuntimeError as error:
        progress.say(f"FAILED: {error}")
        if options.home.exists():
            progress.say(f"The logs are in {options.home} until the next run.")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.run")
    parser.add_argument("--rows", type=Path, help="serve the rows of this export file instead of generated ones")
    parser.add_argument("--generate", type=int, default=4000, help="how many rows to generate (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave Airflow's web UI up until Ctrl-C")
    parser.add_argument("--home", type=Path, default=PROJECT / ".demo", help="where everything lives while it runs")
    parser.add_argument("--timeout", type=float, default=900, help="seconds that the backfill may take")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started this ends")
    parser.add_argument("--end-stale", action="store_true", help="only end what a killed run has left behind")
    options = parser.parse_args()
    options.home = options.home.resolve()
    return options


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when our parent (make) ends, so that killing make does not leave us alone."""
    parent = os.getppid()
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before we asked
            raise Interrupted(signal.SIGTERM)


def _end_stale(home: Path) -> None:
    for directory in (home, home / "airflow"):
        if directory.exists():
            with Processes(directory, wait=10):
                pass


def _run(options: argparse.Namespace, progress: Progress) -> None:
    home: Path = options.home
    if options.rows is not None and not options.rows.is_file():
        raise RuntimeError(f"ROWS={options.rows}: there is no such file. Name an export: NDJSON, a row a line.")
    export = read_export(options.rows) if options.rows else None
    environment = clean_environment(home)
    os.environ |= {name: environment[name] for name in ("NO_PROXY", "no_proxy")}
    with ExitStack() as stack:
        servers = stack.enter_context(Processes(home, say=progress.say))
        progress.say("starting a fake Labelbox and an S3 server")
        served, first, last = _what_to_serve(export, options)
        labelbox = FakeLabelboxServer(servers, environment, served)
        store = ObjectStore(servers, environment, BUCKET)
        labelbox.wait()
        store.wait()
        project_id = export.project_id if export else labelbox.project_id()
        (home / "dags").mkdir(exist_ok=True)
        for file in (EXAMPLE, *([DAG_FILE] if options.keep else [])):
            shutil.copy(file, home / "dags")
        settings = _airflow_settings(store, labelbox, project_id)
        cluster = AirflowCluster(
            home / "airflow", home / "dags", env=settings, parallelism=PARALLELISM, say=progress.say
        )
        stack.enter_context(cluster)
        progress.say(f"Airflow is up: {cluster.url}")
        try:
            nights = backfill(cluster, DAG_ID, first, last, progress, timeout=options.timeout, at_a_time=PARALLELISM)
            page = show_windows(cluster, nights[-1].end) if options.keep else None
            _check(store, nights, progress, labelbox=labelbox, project_id=project_id, export=export, page=page)
        except RuntimeError as error:
            if options.keep:
                progress.say(f"FAILED: {error}")
                _stay(cluster, store, progress)
            raise
        if options.keep:
            _stay(cluster, store, progress)
    for made in ("airflow", "dags"):
        shutil.rmtree(home / made)
    progress.say("done; every process has been ended")


def _airflow_settings(store: ObjectStore, labelbox: FakeLabelboxServer, project_id: str) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection,
        "AIRFLOW_CONN_LABELBOX_DEFAULT": labelbox.airflow_connection,
        "LABELBOX_PROJECT_ID": project_id,
        "LABELBOX_BUCKET": BUCKET,
        # In the future: a backfill runs what lies before, and the scheduler adds no nights of its own.
        "LABELBOX_START_DATE": f"{datetime.now(timezone.utc) + timedelta(days=30):%Y-%m-%d}",
    }


def _what_to_serve(export: Export | None, options: argparse.Namespace) -> tuple[list[str], date, date]:
    """Return the fake's arguments and the first and last logical date of the nights to land."""
    if export is not None:
        return ["--rows", str(options.rows.resolve())], *days_of(export)
    start, first, last = generated_days(datetime.now(timezone.utc).date())
    spread = ["--start-date", str(start), "--days", str(GENERATED_DAYS)]
    return ["--generate", str(options.generate), *spread], first, last


def _check(
    store: ObjectStore,
    nights: list[Night],
    progress: Progress,
    *,
    labelbox: FakeLabelboxServer,
    project_id: str,
    export: Export | None,
    page: str | None,
) -> None:
    """Read everything back, compare it, show the table; fail if anything differs."""
    progress.say("reading every object back from S3 and comparing it, row for row, with what Labelbox holds")
    landed = [read_night(store, PREFIX, night) for night in nights]
    for night in landed:
        if night.export_id:
            compare(night, labelbox.rows(project_id, night.night, night.export_id))
    progress.console.print(result_table(landed, page))
    rows = [row for night in landed for row in night.rows]
    faults = [f"{night.night}: {fault}" for night in landed for fault in night.faults]
    faults += strangers(store, PREFIX, landed)
    if not rows:
        faults.append("not one row landed")
    if export is not None:
        whole = Landed(Night(nights[0].start, nights[-1].end), rows=rows)
        compare(whole, export.between(nights))
        faults += [f"compared with the file itself: {fault}" for fault in whole.faults]
    for fault in faults:
        progress.say(f"DIFFERS: {fault}")
    if faults:
        raise RuntimeError(f"the bucket does not hold what Labelbox holds: {len(faults)} differences")
    progress.say(f"{len(rows)} rows in {len(nights)} windows: each exactly once, and nothing else under data/")
    if export is not None and len(rows) < len(export.rows):
        progress.say(
            f"{len(export.rows) - len(rows)} more rows of the file are in no window: they lie before the newest "
            f"{MAX_NIGHTS} nights, or say no time of last activity"
        )


def _stay(cluster: AirflowCluster, store: ObjectStore, progress: Progress) -> None:
    progress.say(f"The bucket is s3://{store.bucket} at {store.url}; look into it with")
    progress.say(
        f"    AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY} AWS_DEFAULT_REGION={REGION} "
        f"aws --endpoint-url {store.url} s3 ls --recursive s3://{store.bucket}/"
    )
    progress.say(f"Airflow's web UI stays up at {cluster.url} (no password). Ctrl-C ends everything.")
    try:
        while True:
            cluster.check()
            pause(1)
    except Interrupted as interrupted:
        if interrupted.number != signal.SIGINT:
            raise
        progress.say("ending everything")


if __name__ == "__main__":
    sys.exit(main())
