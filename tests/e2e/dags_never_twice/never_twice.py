"""The two forms of one landed window, and many starts at once: for tests that kill, clear and crowd."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param, get_current_context, task

from labelbox_export_provider import (
    ExportTaskSensor,
    FixedWindow,
    LabelboxExportToFileOperator,
    ProjectExportOperator,
    start_or_adopt,
)
from labelbox_export_provider.execution import waiting

# So that tests wait for seconds; `late_report.py` of the other tests has the pauses of a real task.
waiting.MIN_DEFERRAL, waiting.MAX_HELD = timedelta(seconds=7), timedelta(0)

OF_ONE_WINDOW = {
    "project_id": Param("", type="string"),
    "start": Param("", type="string"),
    "end": Param("", type="string"),
    "root": Param("", type="string"),
}
WINDOW = FixedWindow(start="{{ params.start }}", end="{{ params.end }}")
PERSISTENT = {"retries": 8, "retry_delay": timedelta(seconds=1)}

with DAG(
    "one_task",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params=OF_ONE_WINDOW,
    default_args=PERSISTENT,
):
    LabelboxExportToFileOperator(
        task_id="land",
        source={"kind": "project", "project_id": "{{ params.project_id }}"},
        window=WINDOW,
        poke_interval=1,
        root="{{ params.root }}",
        compression=None,
    )

with DAG(
    "three_tasks",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params=OF_ONE_WINDOW,
    default_args=PERSISTENT,
):
    start = ProjectExportOperator(task_id="start", project_id="{{ params.project_id }}", window=WINDOW)
    # Poking holds a worker, so that there is one to be killed while it waits.
    wait = ExportTaskSensor(task_id="wait", export=start.output, deferrable=False, poke_interval=1)
    LabelboxExportToFileOperator(task_id="land", export=wait.output, root="{{ params.root }}", compression=None)

with DAG(
    "task_code",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params=OF_ONE_WINDOW,
    default_args=PERSISTENT,
):

    @task
    def start_in_code() -> dict[str, object]:
        """Start the export of the project that the run names."""
        context = get_current_context()
        project_id, start, end = (context["params"][name] for name in ("project_id", "start", "end"))
        source = {"kind": "project", "project_id": project_id}
        return start_or_adopt(context, source=source, window=FixedWindow(start=start, end=end))

    awaited = ExportTaskSensor(task_id="wait", export=start_in_code(), deferrable=False, poke_interval=1)
    LabelboxExportToFileOperator(task_id="land", export=awaited.output, root="{{ params.root }}", compression=None)

with DAG(
    "crowd",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"projects": Param([], type="array")},
):

    @task
    def projects(**context: object) -> list[str]:
        """Return the projects to map over."""
        return list(context["params"]["projects"])  # type: ignore[index]  # the context is a mapping of anything

    # No retries: a start that is refused must not need one.
    ProjectExportOperator.partial(task_id="start", poke_interval=8, retries=0).expand(project_id=projects())

with DAG(
    "pooled",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"sources": Param([], type="array"), "root": Param("", type="string")},
):

    @task
    def sources(**context: object) -> list[dict[str, object]]:
        """Return the sources to map over."""
        return list(context["params"]["sources"])  # type: ignore[index]  # the context is a mapping of anything

    LabelboxExportToFileOperator.partial(
        task_id="land", root="{{ params.root }}", compression=None, pool="labelbox", poke_interval=1, retries=0
    ).expand(source=sources())
