"""What must hold when all landings of a history are over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import google_crc32c
from support.stores.faulty_sink import KilledError
from support.streaming.exports import unpacked
from support.streaming.histories import KEY, LandingCase
from support.streaming.interleaving import StoppedByHandError
from support.streaming.overlapping import Aftermath, may_be_retried
from support.streaming.staged import unnamed_uploads

from labelbox_export_provider.domain.records.manifest import Manifest
from labelbox_export_provider.domain.records.object_names import generation
from labelbox_export_provider.errors import IntegrityError, LabelboxExportError, StorageError
from labelbox_export_provider.sinks.base import EXPORT_ID


def check_aftermath(after: Aftermath) -> list[str]:
    """Return what does not hold, in words; nothing where all is well."""
    visible = after.store.visible()
    manifests = {key: Manifest.model_validate_json(content) for key, content in visible.items() if "manifests/" in key}
    faults = list(_failures(after))
    newest = _newest(manifests, after) if after.history.explicit else None
    for key, manifest in manifests.items():
        if newest is None or key == newest:
            faults += _not_whole(key, manifest, visible, after.store.sink.uri)
    generations = [manifest.generation for manifest in manifests.values()]
    faults += [f"{each} has two manifests" for each in set(generations) if generations.count(each) > 1]
    if after.history.listed:
        faults += [f"{key} is open, and no receipt names it" for key in unnamed_uploads(after.store)]
        faults += _leftovers(after, visible)
    visible = {key: content for key, content in visible.items() if "_staging/" not in key}
    check = _explicit_faults if after.history.explicit else _layout_faults
    return faults + check(after, visible, manifests)


def _failures(after: Aftermath) -> Iterator[str]:
    """Return failures that nobody has to expect: of a second try, and of a landing that no other one disturbed."""
    for landing, case in enumerate(after.history.landings):
        outcome = after.outcomes[landing]
        if may_be_retried(outcome) or (case.shards is not None and type(outcome) is StorageError):
            yield f"landing {landing}: a second try ended with {outcome!r}"
        others = [each for number, each in enumerate(after.history.landings) if number != landing]
        alone = not others if after.history.explicit else all(_export_of(each) != _export_of(case) for each in others)
        unexpected = (StorageError, IntegrityError) if alone and landing not in after.doubled else (IntegrityError,)
        for failure in after.failures[landing]:
            is_known = isinstance(failure, (KilledError, StoppedByHandError, LabelboxExportError))
            if not is_known or type(failure) in unexpected:
                yield f"landing {landing}: a task ended with {failure!r}"


def _export_of(case: LandingCase) -> tuple[int, int]:
    return case.question, case.export


def _leftovers(after: Aftermath, visible: Mapping[str, bytes]) -> list[str]:
    """Return receipts and open uploads of exports that every landing of them has landed."""
    faults = []
    names = [generation(after.handle(number).export_id) for number in range(len(after.outcomes))]
    found = [*after.store.litter(), *(key for key in visible if "_staging/" in key)]
    for name in set(names):
        outcomes = [outcome for each, outcome in zip(names, after.outcomes, strict=True) if each == name]
        if not any(outcomes):
            faults += [f"{key} is left" for key in found if f".{name}" in key]
    return faults


def _newest(manifests: Mapping[str, Manifest], after: Aftermath) -> str | None:
    del after
    with_rows = [key for key, manifest in manifests.items() if manifest.objects]
    return max(with_rows, key=lambda key: manifests[key].export.order, default=None)


def _not_whole(key: str, manifest: Manifest, visible: Mapping[str, bytes], uri: Callable[[str], str]) -> list[str]:
    there = {uri(each): content for each, content in visible.items()}
    faults = []
    for entry in manifest.objects:
        content = there.get(entry.uri)
        if content is None:
            faults.append(f"{key} names {entry.uri}, which is not there")
        elif (len(content), f"{google_crc32c.value(content):08x}") != (entry.bytes, entry.crc32c):
            faults.append(f"{key} names {entry.uri}, which is another object")
    if manifest.uris is not None and manifest.uris not in there:
        faults.append(f"{key} names {manifest.uris}, which is not there")
    return faults


def _layout_faults(after: Aftermath, visible: Mapping[str, bytes], manifests: Mapping[str, Manifest]) -> list[str]:
    faults = []
    landed = {manifest.generation: manifest for manifest in manifests.values()}
    plans = after.history.landings
    handles = {generation(after.handle(each).export_id): after.handle(each) for each in range(len(plans))}
    # Nothing that a manifest names goes, but by `replace` of the same question.
    ever = {name for name in handles for key in after.seen.manifests if f".{name}." in key}
    replaced = {
        name
        for name, handle in handles.items()
        for each, plan in enumerate(plans)
        if after.handle(each).question == handle.question
        and after.handle(each).order > handle.order
        and (plan.rerun == "replace" or _replaces(name, after))
    }
    gone = ever - landed.keys() - replaced - _withdrawn(handles, after)
    faults += [f"{name} is gone, and nothing replaced it" for name in gone]
    for landing, key in sorted(after.seen.removed):
        name, own = next(each for each in handles if re.search(rf"\.{each}[./]", key)), after.handle(landing)
        # What nobody has touched for an hour goes without having a manifest, which alone holds the question.
        same = handles[name].question == own.question or (name not in ever and plans[landing].hours_later)
        may_go = same and handles[name].order < own.order
        if name != generation(own.export_id) and not (may_go and plans[landing].rerun == "replace"):
            faults.append(f"landing {landing} removed {key}")
    # What no manifest names is gone too, but for what a killed removal of a generation left.
    named = {each.uri for manifest in landed.values() for each in manifest.objects}
    for key in visible:
        name = next(each for each in handles if f".{each}." in key)
        is_left = after.store.sink.uri(key) not in named and name not in ever and not _taken_over(name, after)
        if "data/" in key and is_left and after.history.listed:
            faults.append(f"{key} is there, and no manifest names it")
    for question in {plan.question for plan in plans}:
        faults += _newest_faults(after, question, landed, visible)
    return faults


def _withdrawn(names: Iterable[str], after: Aftermath) -> set[str]:
    """Return generations whose manifest their own landing took back, of which no landing ended well."""
    withdrawn = set()
    for name in names:
        of = [each for each in range(len(after.outcomes)) if generation(after.handle(each).export_id) == name]
        own = any(landing in of and "manifests/" in key and f".{name}." in key for landing, key in after.seen.removed)
        if own and all(after.outcomes[each] is not None for each in of):
            withdrawn.add(name)
    return withdrawn


def _taken_over(name: str, after: Aftermath) -> bool:
    """Return whether a try of this export ended because a later one had aborted its uploads, and so will be no more."""
    of = [each for each in range(len(after.outcomes)) if generation(after.handle(each).export_id) == name]
    return any(type(after.outcomes[each]) is StorageError for each in of)


def _replaces(name: str, after: Aftermath) -> bool:
    """Return whether a landing of this generation gives way to every newer one."""
    own = [
        plan
        for each, plan in enumerate(after.history.landings)
        if f"{name}" == generation(after.handle(each).export_id)
    ]
    return any(plan.rerun == "replace" for plan in own)


def _newest_faults(
    after: Aftermath, question: int, landed: Mapping[str, Manifest], visible: Mapping[str, bytes]
) -> list[str]:
    """Compare the rows of the newest export of a question that a landing succeeded with, and look for older ones."""
    of = [each for each, plan in enumerate(after.history.landings) if plan.question == question]
    done = [each for each in of if after.outcomes[each] is None]
    if not done:
        return []
    newest = max(done, key=lambda each: after.history.landings[each].export)
    name = generation(after.handle(newest).export_id)
    rows = [row for key in sorted(visible) if "data/" in key and f".{name}." in key for row in _rows(key, visible)]
    faults = []
    if rows != after.exports.rows:
        faults.append(f"{name}, the newest of question {question}, has {len(rows)} of {len(after.exports.rows)} rows")
    if landed[name].rerun == "replace" if name in landed else False:
        others = [each for each in landed.values() if each.export.question == after.handle(newest).question]
        faults += [f"{each.generation} stays beside {name}" for each in others if each.generation != name]
    return faults


def _rows(key: str, visible: Mapping[str, bytes]) -> list[bytes]:
    return unpacked(key, visible[key]).splitlines()


def _explicit_faults(after: Aftermath, visible: Mapping[str, bytes], manifests: Mapping[str, Manifest]) -> list[str]:
    """The object is that of the newest export with which a landing succeeded."""
    done = [each for each, outcome in enumerate(after.outcomes) if outcome is None]
    if not done:
        return []
    newest = max(done, key=lambda each: after.handle(each).order)
    handle = after.handle(newest)
    there = after.store.sink.head(KEY)
    if there is None:
        return [f"nothing is at {KEY}"]
    faults = []
    if there.metadata and there.metadata.get(EXPORT_ID) != handle.export_id:
        faults.append(f"an older export is at {KEY}")
    named = [each for each in manifests.values() if each.export.export_id == handle.export_id]
    if len(named) != 1:
        faults.append(f"{len(named)} manifests are of the newest export")
    return faults


def describe(after: Aftermath, faults: list[str]) -> str:
    """Return a history and its faults for somebody who has to understand them."""
    lines: list[Any] = [f"seed {after.history.seed}: {'; '.join(faults)}", after.history, *map(repr, after.outcomes)]
    return "\n".join(map(str, [*lines, *sorted(after.store.visible())]))
