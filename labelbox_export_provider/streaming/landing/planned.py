"""The plan of a landing by several tasks: made by one, compared by the others with what they know."""

from __future__ import annotations

from labelbox_export_provider.client.types import StreamTotals
from labelbox_export_provider.domain.records.landing_plan import LandingPlan
from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.streaming.landing.job import Job, encoding


def make_plan(
    job: Job, result: StreamTotals | None, shards: tuple[tuple[int, int], ...], *, landed: bool = False
) -> LandingPlan:
    """Return the plan of this landing, with these shards."""
    object_bytes = job.object_bytes(result.size) if result is not None else None
    return LandingPlan(
        export_id=job.handle.export_id,
        generation=job.names.generation,
        encoding=encoding(job.handle, job.options, object_bytes),
        source_bytes=result.size if result is not None else 0,
        source_rows=result.lines if result is not None else 0,
        object_bytes=object_bytes,
        staging=job.names.staging,
        shards=shards,
        landed=landed,
    )


def check_plan(plan: LandingPlan, job: Job, totals: StreamTotals | None) -> None:
    """Fail where a plan is of another export, of other options, or of a stream with other totals."""
    found = totals or StreamTotals(0, 0)
    own = (job.handle.export_id, job.names.generation, encoding(job.handle, job.options, plan.object_bytes))
    if own != (plan.export_id, plan.generation, plan.encoding) or job.names.staging != plan.staging:
        raise StorageError(
            "The plan is of another export, or was made with other options (prefix, compression, max_object_bytes). "
            "Nothing was published. Clear the task that makes the plan, with downstream.",
            details=f"{plan.export_id}, {plan.encoding}; this task: {own[0]}, {own[2]}",
        )
    if (found.size, found.lines) != (plan.source_bytes, plan.source_rows):
        raise StorageError(
            f"The plan is of a result of {plan.source_bytes} bytes and {plan.source_rows} rows, and Labelbox announces "
            f"{found.size} bytes and {found.lines} rows. Nothing was published. Clear the task that makes the plan, "
            "with downstream.",
            details=job.handle.describe(),
        )
