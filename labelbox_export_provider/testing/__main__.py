"""``python -m labelbox_export_provider.testing``: a fake Labelbox in a process of its own, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

from labelbox_export_provider.testing.accounts import FakeUser
from labelbox_export_provider.testing.behaviour import Behaviour
from labelbox_export_provider.testing.data.dataset import generate_rows
from labelbox_export_provider.testing.data.demo_workspace import generate_workspace
from labelbox_export_provider.testing.data.rows import DataRow, read_rows
from labelbox_export_provider.testing.data.streams import StreamLayout
from labelbox_export_provider.testing.data.workspace import Place
from labelbox_export_provider.testing.fake import FakeLabelbox
from labelbox_export_provider.testing.ids import DEMO_PROJECT_ID, make_id


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes. Returns the exit code: 0 after a signal, 2 for a wrong argument."""
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    parser = _parser()
    options = parser.parse_args(arguments)
    with ExitStack() as running:
        try:
            fake = running.enter_context(_fake(options))
        except (OSError, ValueError) as error:
            parser.error(str(error))
        sys.stdout.write(_json(fake) if options.json else _sentences(fake))
        sys.stdout.flush()
        # A wait without timeout would miss a signal that arrives just before it, or at another thread.
        while not came:
            time.sleep(0.1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m labelbox_export_provider.testing",
        description="A fake Labelbox: GraphQL on one port, signed files on another, an admin API under /_fake/.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the GraphQL endpoint (default: a free one)")
    parser.add_argument("--file-port", type=int, default=0, help="port of the file server (default: a free one)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--rows", type=Path, metavar="FILE", help="serve the rows of this NDJSON export file")
    source.add_argument(
        "--workspace",
        action="store_true",
        help="serve a workspace of 120 rows: six media kinds, projects, datasets, slices, model runs",
    )
    source.add_argument("--generate", type=int, metavar="N", default=2000, help="make N rows (default: %(default)s)")
    parser.add_argument("--start-date", type=date.fromisoformat, default=date(2024, 5, 6), help="first day, UTC")
    parser.add_argument("--days", type=int, default=5, help="days that made rows spread over (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other rows (default: %(default)s)")
    parser.add_argument("--project", metavar="ID", help=f"project of the made rows (default: {DEMO_PROJECT_ID})")
    parser.add_argument("--empty-project", metavar="ID", action="append", default=[], help="one more, without rows")
    parser.add_argument("--api-key", metavar="KEY", help="the key that is accepted (default: a random one)")
    parser.add_argument("--timezone", metavar="ZONE", default="UTC", help="time zone of the key's user")
    parser.add_argument("--seconds-per-export", type=float, metavar="S", default=0.0, help="how long an export runs")
    parser.add_argument("--file-bytes", type=int, metavar="B", default=1 << 20, help="size of export files")
    parser.add_argument("--behaviour", type=json.loads, metavar="JSON", default={}, help="other switches of Behaviour")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    return parser


def _fake(options: argparse.Namespace) -> FakeLabelbox:
    # With a given key the user's id also stays the same from run to run.
    key = {} if options.api_key is None else {"api_key": options.api_key, "user_id": make_id(options.api_key)}
    behaviour = _behaviour(options)
    if options.workspace and (options.project or options.empty_project):
        raise ValueError("--workspace brings its own projects: leave out --project and --empty-project")
    served: dict[str, Any] = (
        {"workspace": generate_workspace(start=options.start_date, days=options.days, seed=options.seed)}
        if options.workspace
        else {"rows": _rows(options), "projects": dict.fromkeys(options.empty_project, "Empty")}
    )
    return FakeLabelbox(
        **served,
        behaviour=behaviour,
        user=FakeUser(timezone=options.timezone, **key),
        host=options.host,
        port=options.port,
        file_port=options.file_port,
    )


def _rows(options: argparse.Namespace) -> list[DataRow]:
    if options.rows is None:
        return generate_rows(
            options.generate,
            start=options.start_date,
            days=options.days,
            seed=options.seed,
            project_id=options.project or DEMO_PROJECT_ID,
        )
    rows = read_rows(options.rows)
    projects = list(dict.fromkeys(project_id for row in rows for project_id in row.memberships))
    if options.project is not None and options.project not in projects:
        raise ValueError(
            f"--project {options.project}: {options.rows} has rows of {', '.join(projects) or 'no project'}"
        )
    return rows


def _behaviour(options: argparse.Namespace) -> Behaviour:
    switches: dict[str, Any] = dict(options.behaviour)
    names = [field.name for field in fields(Behaviour) if field.name != "streams"]
    if unknown := sorted(switches.keys() - set(names)):
        raise ValueError(f"--behaviour: unknown: {', '.join(unknown)}; valid names: {', '.join(names)}")
    return Behaviour(
        **{
            "seconds_per_export": options.seconds_per_export,
            "streams": StreamLayout(file_bytes=options.file_bytes),
            **switches,
        }
    )


def _json(fake: FakeLabelbox) -> str:
    facts = {
        "endpoint": fake.endpoint,
        "file_base_url": fake.file_base_url,
        "api_key": fake.api_key,
        "user_id": fake.user.user_id,
        "projects": fake.projects,
        "datasets": _names(fake.workspace.datasets),
        "slices": _names(fake.workspace.slices),
        "model_runs": _names(fake.workspace.model_runs),
        "environment": fake.airflow_environment(),
    }
    return json.dumps(facts) + "\n"


def _names(places: Sequence[Place]) -> dict[str, str]:
    return {place.id: place.name for place in places}


def _sources(fake: FakeLabelbox) -> Iterator[tuple[str, Place, int]]:
    """Return what can be exported by id: kind, place and row count; only projects, unless a workspace is served."""
    workspace = fake.workspace
    for place in workspace.projects:
        yield "project", place, len(fake.rows_for(place.id))
    if workspace.slices or workspace.model_runs:
        for place in workspace.datasets:
            yield "dataset", place, len(fake.rows_for(dataset_id=place.id))
        for place in workspace.slices:
            yield "slice", place, len(fake.rows_for(slice_id=place.id))
        for place in workspace.model_runs:
            yield "model run", place, len(fake.rows_for(model_run_id=place.id))


def _sentences(fake: FakeLabelbox) -> str:
    places = "\n".join(f"{kind:<10} {place.id}  {place.name}  ({rows} rows)" for kind, place, rows in _sources(fake))
    environment = "\n".join(f"export {name}='{value}'" for name, value in fake.airflow_environment().items())
    return (
        f"A fake Labelbox is listening. Ctrl-C ends it.\n\nendpoint   {fake.endpoint}\nAPI key    {fake.api_key}\n"
        f"{places}\nadmin API  {fake.base_url}/_fake/exports\n\n{environment}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
