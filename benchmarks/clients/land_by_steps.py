"""One step of a landing by several tasks, in a process of its own as a task of Airflow is: plan, stage or publish."""

from __future__ import annotations

from pathlib import Path

from benchmarks.clients.common import Notes
from benchmarks.clients.land import VERSIONS, arguments, described, ended, labelbox_client, landing, sink_of
from labelbox_export_provider.domain.records.landing_plan import LandingPlan
from labelbox_export_provider.streaming.landing.land import plan_landing, publish, stage_objects


def main() -> None:
    """Run one step."""
    parser = arguments(__doc__)
    parser.add_argument("--step", choices=("plan", "stage", "publish"), required=True)
    parser.add_argument("--plan", type=Path, required=True, help="a file that planning writes and the others read")
    parser.add_argument("--shards", type=int, default=2, help="shards of the plan, at most")
    parser.add_argument("--worker", type=int, default=0, help="number of this worker")
    parser.add_argument("--workers-at-once", type=int, default=1, help="workers that share the shards")
    given = parser.parse_args()
    job = landing(given, sink_of(given))
    with labelbox_client(given) as client:
        if given.step == "plan":
            notes = Notes()
            planned = plan_landing(
                client=client, **job, ended=ended(job["handle"]), max_shards=given.shards, shard_bytes=1
            )
            given.plan.write_text(planned.model_dump_json())
            notes.write(shards=len(planned.shards))
            return
        plan = LandingPlan.model_validate_json(given.plan.read_text())
        notes = Notes()
        if given.step == "stage":
            shards = plan.shards[given.worker :: given.workers_at_once]
            staged = [stage_objects(plan, first, last, client=client, **job) for first, last in shards]
            notes.write(rows=sum(each.rows for each in staged))
        else:
            landed = publish(plan, client=client, **job, versions=VERSIONS, ended=ended(job["handle"]))
            notes.write(**described(landed))


if __name__ == "__main__":
    main()
