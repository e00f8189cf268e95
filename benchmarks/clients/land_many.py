"""Lands one export again and again in one process, each time below another prefix, as if each were the first one.

With `--package` the code of another checkout lands it. What the first landing imports and connects counts for that one
alone.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks.clients.common import Notes, s3_client


def main() -> None:
    """Land it once, and then as often as asked for."""
    if "--package" in sys.argv:
        # Before anything of the package is imported.
        sys.path.insert(0, sys.argv[sys.argv.index("--package") + 1])
    import labelbox_export_provider
    from benchmarks.clients.land import VERSIONS, arguments, described, ended, labelbox_client, landing
    from labelbox_export_provider.sinks import S3Sink
    from labelbox_export_provider.streaming.landing.land import LandedExport, land_export

    parser = arguments(__doc__)
    parser.add_argument("--package", help="the checkout whose package lands")
    parser.add_argument("--landings", type=int, default=20)
    given = parser.parse_args()
    store = s3_client(given.endpoint)
    calls: list[str] = []
    store.meta.events.register("before-send.s3", lambda event_name, **_: calls.append(event_name.rpartition(".")[2]))
    sink, root = S3Sink(store, given.bucket), given.prefix

    def land(client: Any, number: int) -> LandedExport:
        given.prefix = f"{root}/{number}"
        job = landing(given, sink)
        return land_export(client=client, **job, versions=VERSIONS, ended=ended(job["handle"]))

    with labelbox_client(given) as client:
        cpu, wall = time.process_time(), time.perf_counter()
        landed = land(client, 0)
        first = {"first_cpu": time.process_time() - cpu, "first_wall": time.perf_counter() - wall}
        calls.clear()
        notes = Notes()
        for number in range(given.landings):
            landed = land(client, 1 + number)
    notes.write(
        **described(landed),
        **first,
        store_calls={name: calls.count(name) / given.landings for name in sorted(set(calls))},
        package=labelbox_export_provider.__file__,
    )


if __name__ == "__main__":
    main()
