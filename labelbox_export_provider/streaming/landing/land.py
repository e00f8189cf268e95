"""The landing of one export: look, move, verify, and only then publish, the manifest last.

Order: keep earlier tries of this export from publishing, and look at what is landed (`Destination.prepare`: refuse,
give way, or be done); meanwhile make sure that the export has ended, and read the totals; compare the error rows with
their threshold; move both streams without completing them; ask for the error rows once more; complete the errors, then
all data objects in one burst; write the list of URIs; check that all of them are there, and nothing else of this
export; write the manifest, which is itself one whole object; look again, and remove what this export replaces, or
itself where a newer one replaces it. Above the threshold of error rows, the errors are completed before the result is
staged, and the landing fails.

Whatever is killed and when, no object is ever partly visible, and a manifest names only whole, verified objects. After
a failure some whole objects may be there that no manifest names; the next try writes them again, with the same bytes.
A manifest can become outdated in one case: at an explicit key with `replace=True` that of an older export stays, since
its name holds the generation, and names an object that has other bytes by then.

Where an export is split into objects, each gets a receipt as soon as it is stored, and the next try moves only what has
none (`Receipts`). So several tasks can share a landing: `plan_landing`, `stage_objects` for each shard of the plan, and
`publish`, which does all that `land_export` does but move the result.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from labelbox_export_provider.cancellation import CancelToken, StoppedError
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.landing_plan import MAX_SHARDS, SHARD_BYTES, LandingPlan, StagedShard
from labelbox_export_provider.domain.records.manifest import Versions
from labelbox_export_provider.domain.records.object_names import ObjectNames
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.streaming.download.file_host import FileHost
from labelbox_export_provider.streaming.landing.job import Ended, Job
from labelbox_export_provider.streaming.landing.options import LandedExport, LandingOptions
from labelbox_export_provider.streaming.landing.progress import LandingProgress
from labelbox_export_provider.streaming.landing.steps import Landing
from labelbox_export_provider.streaming.pipeline.call_pool import CallPool
from labelbox_export_provider.streaming.pipeline.pipeline import TransferHooks

__all__ = [
    "LandedExport",
    "LandingOptions",
    "LandingProgress",
    "land_export",
    "plan_landing",
    "publish",
    "stage_objects",
]

T = TypeVar("T")


def land_export(
    *,
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    versions: Versions,
    options: LandingOptions | None = None,
    ended: Ended = lambda _: None,
    progress: LandingProgress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
    tries: timedelta | None = None,
) -> LandedExport:
    """Land a COMPLETE export and return its manifest.

    `ended` makes sure that the export is COMPLETE, fails where it must not be landed, and returns when it ended, if
    that is known. It is called beside the landing's own first questions, and nothing is moved before it has returned.
    `names` must be made with the compression of `options`. Files are fetched with the client's settings, but without
    its key. `progress` is updated meanwhile, for the report of a failure. Raises `TooManyErrorRowsError` when the error
    stream is longer than allowed (errors are landed then, results are not), `ObjectExistsError` about an explicit key,
    another generation with `rerun="refuse"` or a newer one to which this export gives way, `ConfigurationError` when
    this export is landed in another form, or another question was asked below the prefix, `IntegrityError` when
    anything differs from what Labelbox announced, and `StorageError`. In all cases no object is partly visible; some
    whole ones may be there that no manifest names, and the next try writes them again.

    `token.cancel(error)`, from any thread or signal handler, ends the landing: everything that it opened is aborted,
    but for objects that have a receipt, and `error` is raised. The landing itself never cancels it.

    `tries` is how long all tries of the task may take together: a warning is logged where the store may remove within
    that time what a later one would resume.
    """
    return _working(
        *(client, handle, names, sink, options, progress, transfer_hooks, token),
        lambda job, host: Landing(job, host, versions, now, tries=tries).run(ended),
    )


def plan_landing(
    *,
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    options: LandingOptions | None = None,
    ended: Ended = lambda _: None,
    max_shards: int = MAX_SHARDS,
    shard_bytes: int = SHARD_BYTES,
    progress: LandingProgress | None = None,
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
    tries: timedelta | None = None,
) -> LandingPlan:
    """Split a COMPLETE export into shards for `stage_objects`, of at least `shard_bytes` of the source.

    It looks at the store as `land_export` does and fails as that does, also for error rows above their threshold. It
    moves no rows, and asks Labelbox for two totals whatever the size of the export; only where it announces no result,
    as of an export that still runs, is `ended` called. The plan has no shards where one task is enough, or the store
    cannot resume; then `publish` lands the export by itself.
    `tries` is how long all tries of all tasks may take together, for the same warning.
    """
    return _working(
        *(client, handle, names, sink, options, progress, transfer_hooks, token),
        lambda job, host: Landing(job, host, tries=tries).plan(ended, max_shards, shard_bytes),
    )


def stage_objects(
    plan: LandingPlan,
    first: int,
    last: int,
    *,
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    options: LandingOptions | None = None,
    progress: LandingProgress | None = None,
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
) -> StagedShard:
    """Stage the objects `first` to `last` (not included) of a plan, and leave their receipts; nothing becomes visible.

    Files are verified as far as the shard holds all of their bytes, the rest by `publish`. Again after a failure, only
    what has no receipt is moved. An `IntegrityError` removes the receipts of this shard alone.
    """
    return _working(
        *(client, handle, names, sink, options, progress, transfer_hooks, token),
        lambda job, host: Landing(job, host, scope=range(first, last)).stage(plan, first, last),
    )


def publish(
    plan: LandingPlan,
    *,
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    versions: Versions,
    options: LandingOptions | None = None,
    ended: Ended = lambda _: None,
    progress: LandingProgress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    transfer_hooks: TransferHooks | None = None,
    token: CancelToken | None = None,
) -> LandedExport:
    """Land an export whose objects other tasks have staged; once more after a crash, or for good, is the same as once.

    All receipts are read and verified as if the stream had been read here, and the store is asked whether it has what
    they name. A receipt that is missing, damaged or of something else is a `StorageError` that names it, and nothing is
    visible then. Without shards in the plan, it is `land_export`.
    """
    return _working(
        *(client, handle, names, sink, options, progress, transfer_hooks, token),
        lambda job, host: Landing(job, host, versions, now).run(ended, plan),
    )


def _working(  # noqa: PLR0917  what all of the above take
    client: LabelboxClient,
    handle: ExportHandle,
    names: ObjectNames,
    sink: Sink,
    options: LandingOptions | None,
    progress: LandingProgress | None,
    transfer_hooks: TransferHooks | None,
    token: CancelToken | None,
    work: Callable[[Job, FileHost], T],
) -> T:
    """Call `work` with what the steps of one landing need; end its threads and raise the error that ended it."""
    with (token or CancelToken()).part() as part:
        calls = CallPool(part)
        job = Job(
            client.bound_to(part),
            handle,
            names,
            sink,
            options or LandingOptions(),
            progress or LandingProgress(),
            transfer_hooks or TransferHooks(),
            calls,
        )
        host = FileHost(client.settings, user_agent=client.user_agent, token=part)
        try:
            return work(job, host)
        except BaseException as error:
            part.cancel(error)
            if part.error is error:
                raise
        finally:
            part.cancel(StoppedError())
            job.progress.resumed = host.resumed
            for each in (host, job.client, calls):
                each.close()
        # Outside of the handler: what the cancelled landing failed with does not help.
        raise part.error or StoppedError
