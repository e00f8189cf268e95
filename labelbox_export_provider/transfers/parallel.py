"""One landing by many tasks: `parallel_landing`, for exports that one task would move for hours.

Why: one worker moves about 0.4 GiB a second at best. The executor that the user runs has more of them, on more than one
machine, so a landing is planned by one task, staged by mapped tasks, a shard each, and published by one task.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import TaskGroup

from labelbox_export_provider.domain.records.landing_plan import MAX_SHARDS, SHARD_BYTES, LandingPlan, StagedShard
from labelbox_export_provider.domain.records.manifest import Versions
from labelbox_export_provider.errors import ConfigurationError, HandleError
from labelbox_export_provider.execution.kept_results import may_be_gone
from labelbox_export_provider.execution.tries import time_of_tries
from labelbox_export_provider.hooks.labelbox import airflow_version, provider_version
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from labelbox_export_provider.domain.records.handle import ExportHandle
    from labelbox_export_provider.execution.export_job import ExportJob
    from labelbox_export_provider.streaming.landing.options import LandedExport

PLAN_KEY = "labelbox_landing_plan"
"""XCom key of the plan; what the planning task returns are the shards."""
_OWN_OPTIONS = frozenset({"map_index_template", "plan", "shard", "task_id", "trigger_rule"})


class _PlanLanding(LabelboxExportTransferOperator):
    """Returns the shards of an export, and none where one task is enough or an earlier try has landed it."""

    log_title = "Plan the landing"

    def __init__(self, *, max_shards: int, shard_bytes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_shards = max_shards
        self.shard_bytes = shard_bytes

    def _land(self, context: Context, handle: ExportHandle | None, job: ExportJob | None) -> list[dict[str, int]]:
        plan = self._run_step(context, handle, job, LandingProgress(), self._plan)
        self.log.info("%d bytes in %d shards.", plan.source_bytes, len(plan.shards))
        context["ti"].xcom_push(key=PLAN_KEY, value=plan.model_dump(mode="json"))
        return [{"first": first, "last": last} for first, last in plan.shards]

    def _plan(self, **landing: Any) -> LandingPlan:
        from labelbox_export_provider.streaming.landing.land import plan_landing

        if may_be_gone(landing["handle"], datetime.now(timezone.utc)):
            landing["ended"](landing["client"])
        tries = 2 * time_of_tries(self)  # of a task that stages, and then of the one that publishes
        return plan_landing(**landing, max_shards=self.max_shards, shard_bytes=self.shard_bytes, tries=tries)


class _StageShard(LabelboxExportTransferOperator):
    """Stages the objects of one shard; nothing becomes visible, and a retry moves what has no receipt."""

    log_title = "Stage a shard of the export"

    def __init__(self, *, plan: Any, shard: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.shard = shard

    def _land(self, context: Context, handle: ExportHandle | None, job: ExportJob | None) -> dict[str, Any]:
        return self._run_step(context, handle, job, LandingProgress(), self._stage).model_dump(mode="json")

    def _stage(self, *, ended: object, **landing: Any) -> StagedShard:
        from labelbox_export_provider.streaming.landing.land import stage_objects

        del ended  # which planning has made sure of
        shard = self.shard if isinstance(self.shard, Mapping) else {}
        first, last = shard.get("first"), shard.get("last")
        if not isinstance(first, int) or not isinstance(last, int):
            raise HandleError(f"{self.shard!r} is not a shard of a plan. Clear the planning task with downstream.")
        return stage_objects(_read_plan(self.plan), first, last, **landing)


class _PublishLanding(LabelboxExportTransferOperator):
    """Verifies what all shards have staged, makes it visible, and returns what a transfer returns."""

    log_title = "Publish the landing"

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    @property
    def stage_task_id(self) -> str:
        """The id of the tasks that stage what this one publishes, in the same task group."""
        return f"{self.task_id.removesuffix('publish')}stage"

    def _move(self, **landing: Any) -> LandedExport:
        from labelbox_export_provider.streaming.landing.land import publish

        versions = Versions(provider=provider_version(), airflow=airflow_version())
        return publish(_read_plan(self.plan), **landing, versions=versions)


def parallel_landing(
    transfer: type[LabelboxExportTransferOperator],
    *,
    export: Any,
    group_id: str = "land",
    max_shards: int = MAX_SHARDS,
    shard_bytes: int = SHARD_BYTES,
    outlets: Any = None,
    **options: Any,
) -> LabelboxExportTransferOperator:
    """Land one export by many tasks, and return the last one, whose `output` is what a transfer returns.

    The tasks are `plan`, `stage` (mapped over the shards) and `publish`, in the task group `group_id`. Guarantees,
    objects and bytes are those of `transfer` with the same `options`; a retry of one shard moves again what this shard
    alone had not stored. An export of one shard, and a store that cannot resume, are landed by `publish`.
    What it does not do: start an export or wait for it (put an export operator and an `ExportTaskSensor` before it).
    Fails with `ConfigurationError` while the DAG is parsed, and each task as the transfer does.

    :param transfer: `LabelboxExportToS3Operator`, `LabelboxExportToGCSOperator` or `LabelboxExportToFileOperator`,
        whose directory all workers have to share.
    :param export: handle of the export: `export=wait.output`.
    :param max_shards: how many tasks stage it at most, up to 64; then shards are larger than `shard_bytes`.
    :param shard_bytes: bytes of the source that are worth a task; 8 GiB by default.
    :param outlets: assets of the task that publishes.
    :param options: options of the transfer and of all three tasks, such as `retries` and `pool`.
    """
    _check(transfer, max_shards, shard_bytes, options)
    with TaskGroup(group_id, tooltip="One landing by many tasks"):
        plan = _derived(_PlanLanding, transfer)(
            task_id="plan", export=export, max_shards=max_shards, shard_bytes=shard_bytes, **options
        )
        planned = plan.output[PLAN_KEY]
        stage = (
            _derived(_StageShard, transfer, "plan", "shard")
            .partial(
                task_id="stage",
                export=export,
                plan=planned,
                map_index_template="objects from {{ task.shard['first'] }}",
                **options,
            )
            .expand(shard=plan.output)
        )
        publish = _derived(_PublishLanding, transfer, "plan")(
            task_id="publish",
            export=export,
            plan=planned,
            # Where a small export has no shards, `stage` is skipped; where the export itself was skipped, all are.
            trigger_rule="none_failed_min_one_success",
            **({} if outlets is None else {"outlets": outlets}),
            **options,
        )
        stage >> publish
    return cast("LabelboxExportTransferOperator", publish)


def _derived(step: type[Any], transfer: type[Any], *templates: str) -> Any:
    """Return the operator of one step into the store of `transfer`."""
    return type(
        f"{transfer.__name__}{step.__name__.removeprefix('_')}",
        (step, transfer),
        {
            "__module__": transfer.__module__,
            "__doc__": step.__doc__,
            "template_fields": (*transfer.template_fields, *templates),
            "not_text": frozenset({*transfer.not_text, *templates}),
        },
    )


def _check(transfer: object, max_shards: object, shard_bytes: object, options: Mapping[str, Any]) -> None:
    if not isinstance(transfer, type) or not issubclass(transfer, LabelboxExportTransferOperator):
        raise ConfigurationError(
            f"parallel_landing({transfer!r}): the first argument must be a transfer's class, such as "
            "LabelboxExportToS3Operator, and its options follow by name."
        )
    if "source" in options:
        raise ConfigurationError(
            "parallel_landing takes export=, not source=: start the export by an export operator, wait for it by "
            "ExportTaskSensor(task_id='wait', export=start.output), and write export=wait.output."
        )
    if taken := sorted(_OWN_OPTIONS & options.keys()):
        raise ConfigurationError(
            f"parallel_landing sets {', '.join(taken)} of its tasks itself. Leave it out; group_id= names the group."
        )
    for name, value, most in (("max_shards", max_shards, MAX_SHARDS), ("shard_bytes", shard_bytes, None)):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not 1 <= cast("int", value) <= (most or cast("int", value)):
            limit = f"from 1 to {most}" if most else "of at least 1"
            raise ConfigurationError(f"{name}={value!r}: must be a whole number {limit}.")


def _read_plan(plan: object) -> LandingPlan:
    try:
        return LandingPlan.model_validate(plan)
    except ValueError:
        raise HandleError(
            f"The XCom {PLAN_KEY!r} of the planning task is missing or was changed. Clear that task with downstream."
        ) from None
