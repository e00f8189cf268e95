"""Last night's changes of all Labelbox projects in S3, every morning: one mapped task to a project.

Task `projects` looks them up, so that a project that was created yesterday is landed from its first night, and one that
was deleted is not asked for any more. Each mapped task starts the export of its project, waits for it without a worker,
and lands it; Airflow's UI shows it by the project's name. `summary` counts the night, whatever has failed, and puts the
counts and the list of what failed on the event of the asset `labelbox_night`; `complete` fails the run where a project
failed, or where none was landed.

Airflow maps over 1,024 items at most (`max_map_length`), so there is a `land` task for each 1,000 projects.

Before you unpause it, create the connections `labelbox_default` (type Labelbox, the API key as password; the projects
are those that the key's user sees) and `aws_default`, and set in the environment of all Airflow components, or here in
the file:

| variable | what it is |
|---|---|
| `LABELBOX_PROJECTS` | which projects, by name, such as `team-a *`; all by default |
| `LABELBOX_MAX_PROJECTS` | how many are landed, 1000 by default; with more, the run fails and names the others |
| `LABELBOX_PROJECTS_PER_TASK` | how many projects one `land` task is mapped over, at most Airflow's `max_map_length` |
| `LABELBOX_ON_DENIED` | `fail`, or `skip_task` for projects that the key may see and not export |
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_START_DATE` | start of the first night, such as `2026-11-01` |

More in the provider's repository: `docs/all-projects.md`, `docs/windows.md`, `docs/find-gaps.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, task
from airflow.timetables.interval import CronDataIntervalTimetable

from labelbox_export_provider import DataIntervalWindow, LabelboxExportToS3Operator, LabelboxHook

PROJECTS = os.environ.get("LABELBOX_PROJECTS", "*")
MAX_PROJECTS = int(os.environ.get("LABELBOX_MAX_PROJECTS", "1000"))
PER_TASK = int(os.environ.get("LABELBOX_PROJECTS_PER_TASK", "1000"))
ON_DENIED = os.environ.get("LABELBOX_ON_DENIED", "fail")
BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
START_DATE = os.environ.get("LABELBOX_START_DATE", "2026-11-01")

EXPORT_PARAMS = {"project_details": True, "label_details": True, "metadata_fields": True}
LANDINGS = [f"land_{number}" for number in range(-(-MAX_PROJECTS // PER_TASK))]
NIGHT = Asset("labelbox_night")
SHOWN = 50  # names in the event, so that it stays small

with DAG(
    dag_id="labelbox_all_projects_nightly",
    doc_md=__doc__,
    # A bare cron string would give every run an interval of zero width: see docs/windows.md.
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.parse(START_DATE, tz="UTC"),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:

    @task
    def projects() -> list[dict[str, str]]:
        """Return the id of each project, and a label of name and id, since two may have one name."""
        found = LabelboxHook().get_projects(PROJECTS)
        # A text with two braces is refused as a template that was not rendered.
        return [{"id": each.id, "label": f"{each.name} ({each.id})".replace("{", "(")} for each in found]

    @task
    def part(found: list[dict[str, str]], number: int) -> list[dict[str, Any]]:
        """Return the options of the landings of one part."""
        return [
            {
                "source": {"kind": "project", "project_id": each["id"], "export_params": EXPORT_PARAMS},
                "task_name": each["label"],
            }
            for each in found[number * PER_TASK : (number + 1) * PER_TASK]
        ]

    @task(trigger_rule="all_done", outlets=[NIGHT])
    def summary(
        found: list[dict[str, str]], ti: Any = None, dag_run: Any = None, outlet_events: Any = None
    ) -> dict[str, Any]:
        """Count what has become of each project."""
        states = ti.get_task_states(ti.dag_id, task_ids=LANDINGS, run_ids=[ti.run_id]).get(ti.run_id, {})
        of_state: dict[str, list[str]] = {"success": [], "skipped": [], "failed": []}
        for index, each in enumerate(found):
            state = states.get(f"land_{index // PER_TASK}_{index % PER_TASK}")  # none beyond MAX_PROJECTS
            of_state[state if state in of_state else "failed"].append(each["label"])
        landed = [each for each in ti.xcom_pull(task_ids=LANDINGS) if each is not None]
        night = {
            "start": str(dag_run.data_interval_start),
            "end": str(dag_run.data_interval_end),
            "projects": len(found),
            "landed": len(of_state["success"]),
            "skipped": len(of_state["skipped"]),
            "failed": len(of_state["failed"]),
            "rows": sum(each["rows"] for each in landed),
            "error_rows": sum(each["errors"] for each in landed),
            "skipped_projects": of_state["skipped"][:SHOWN],
            "failed_projects": of_state["failed"][:SHOWN],
        }
        outlet_events[NIGHT].extra = night
        return night

    @task(retries=0)
    def complete(night: dict[str, Any]) -> None:
        """Fail the run: `summary` itself has to succeed, since a failed task has no events."""
        if night["failed"] or not night["landed"]:
            raise RuntimeError(
                f"Not all projects were landed: {night}. The log of each one's task has the reason; one without a "
                f"task is beyond LABELBOX_MAX_PROJECTS ({MAX_PROJECTS})."
            )

    found = projects()
    ended = summary(found)
    for number, task_id in enumerate(LANDINGS):
        landing = LabelboxExportToS3Operator.partial(
            task_id=task_id,
            map_index_template="{{ task.task_name[:100] }}",
            window=DataIntervalWindow(),
            on_denied=ON_DENIED,
            s3_bucket=BUCKET,
            s3_prefix="labelbox",
        ).expand_kwargs(part.override(task_id=f"part_{number}")(found, number))
        landing >> ended
    complete(ended)
