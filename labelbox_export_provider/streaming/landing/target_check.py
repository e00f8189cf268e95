"""Checks of the target of a landing: before an export is started, and again before its bytes move."""

from __future__ import annotations

import logging
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

from labelbox_export_provider.domain.options.object_keys import check_filled_key
from labelbox_export_provider.domain.records.object_names import Kind, ObjectNames, State
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.sinks.base import Sink
from labelbox_export_provider.streaming.landing.options import LandingOptions
from labelbox_export_provider.streaming.pipeline.memory_plan import check_part_bytes

logger = logging.getLogger(__name__)

_GIB = 1024**3


def check_target(sink: Sink, names: ObjectNames, options: LandingOptions) -> None:
    """Refuse names and options that this store cannot take, without calling it."""
    keys = [names.data(), names.errors, *(names.manifest(state) for state in get_args(State))]
    keys += [names.uris] if names.uris is not None else []
    keys += [names.receipt(0)] if sink.resumes else []
    for key in keys:
        check_filled_key(key, sink.maximum_key_bytes)
    check_part_bytes(options.part_bytes, sink.minimum_part_bytes, sink.maximum_part_bytes)
    most = sink.maximum_object_bytes
    if names.explicit_key is None and most is not None and (options.max_object_bytes or 0) > most:
        raise ConfigurationError(f"max_object_bytes={options.max_object_bytes}: must be at most {most} for this store.")
    if options.workers is not None and sink.connections is not None and options.workers > sink.connections:
        more = sink.more_connections
        raise ConfigurationError(
            f"workers={options.workers} is more than the {sink.connections} connections of the store's client. "
            f"Lower workers{f', or {more.format(count=options.workers)}' if more is not None else ''}."
        )


def ask_store(sink: Sink, names: ObjectNames, options: LandingOptions) -> None:
    """Fail as the landing would fail where the bucket or a permission is missing; leave nothing in the store.

    The first and the last key that a landing writes are tried, since permissions may be limited to a prefix. Prefixes
    that a `rerun` other than "add" lists are listed, too.
    """
    check_target(sink, names, options)
    if names.explicit_key is not None and sink.maximum_object_bytes is not None:
        _report_longest(sink, names.explicit_key, options, sink.maximum_object_bytes // _GIB)
    calls = [lambda: sink.check_writable(names.data()), lambda: sink.check_writable(names.manifest("ok"))]
    window = names.window
    if options.rerun != "add":
        kinds: tuple[Kind, ...] = get_args(Kind) if options.rerun == "replace" else ("manifests",)
        calls += [lambda kind=kind: next(iter(sink.list(window.prefix(kind))), None) for kind in kinds]  # type: ignore[misc]  # a default argument binds the loop's value
    with ThreadPoolExecutor(len(calls), thread_name_prefix="labelbox-ask") as pool:
        asked = [pool.submit(call) for call in calls]
    for each in asked:
        each.result()


def _report_longest(sink: Sink, key: str, options: LandingOptions, most: int) -> None:
    """Log how many GiB of an export one object can take with these options, if the store would take more.

    How long the export is shows only once it has run.
    """

    def refusal(gib: int) -> ConfigurationError | None:
        try:
            options.plan(sink, gib * _GIB)
        except ConfigurationError as refused:
            return refused
        return None

    if (refused := refusal(most)) is not None:
        longest = bisect_left(range(most), True, key=lambda gib: refusal(gib) is not None) - 1
        logger.info(
            "%s takes an export of up to %d GiB with these options; a longer one would be refused once it has run. For "
            "%d GiB: %s Below a prefix exports are split, and there is no such limit.",
            *(sink.uri(key), longest, most, refused),
        )
