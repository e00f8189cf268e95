"""Questions about the task of an export: its name, how it is listed, its progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from labelbox_export_provider.check_account.account import Account
from labelbox_export_provider.check_account.exports import TinyExport
from labelbox_export_provider.check_account.identifiers import UNKNOWN_ID
from labelbox_export_provider.check_account.questions import FindingResult
from labelbox_export_provider.client import flows, graphql
from labelbox_export_provider.client.parsing import cancelable_types
from labelbox_export_provider.client.start_or_adopt import VISIBLE_WITHIN

ALIASES = (100, 25, 5)


def ask_time_zone(account: Account) -> None:
    """Settle whether the key's owner has a time zone; its name is not reported."""
    zone = account.owner.timezone
    if zone is None:
        account.settle("time_zone", "null", "ok")
        return
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        account.settle("time_zone", "a name that is not in the zone database", "differs")
        return
    account.settle("time_zone", "UTC" if zone in ("UTC", "Etc/UTC") else "an IANA name other than UTC", "ok")


def ask_cancelable_types(account: Account) -> None:
    """Ask which types of task can be canceled."""
    asked = account.ask(graphql.CANCELABLE_TASK_TYPES, {})
    if asked.error is not None:
        account.settle("cancelable_types", f"refused, {asked.refusal}", "ok")
        return
    names = asked.data.get("cancelableTaskTypes")
    if not isinstance(names, list):
        account.settle("cancelable_types", f"not a list but {type(names).__name__}", "differs")
        return
    has = flows.EXPORT_TASK_TYPE in cancelable_types(asked.data)
    account.settle("cancelable_types", "yes" if has else "no", "ok", names=sorted(map(str, names)))


def settle_task(account: Account, export: TinyExport) -> None:
    """Settle the questions that following an export to its end has answered."""
    account.settle("streamable", "yes", "ok")
    _settle_name(account, export)
    after = export.visible_after or 0.0
    account.settle(
        "visible_after",
        f"after {after:.1f} s by id" + ("" if export.named_after is None else f", {export.named_after:.1f} s by name"),
        "ok" if max(after, export.named_after or 0.0) <= VISIBLE_WITHIN else "differs",
        seconds_by_id=round(after, 1),
        seconds_by_name=None if export.named_after is None else round(export.named_after, 1),
    )
    kind = export.task.get("type")
    account.settle("task_type", str(kind), "ok" if kind == flows.EXPORT_TASK_TYPE else "differs")
    _settle_percentage(account, export)
    _ask_task(account, export)
    _ask_aliases(account, export)


def _settle_name(account: Account, export: TinyExport) -> None:
    name = export.task.get("name")
    if name == export.name:
        account.settle("task_name_kept", "yes", "ok")
    else:
        length = len(name) if isinstance(name, str) else None
        cut = isinstance(name, str) and export.name.startswith(name)
        found = f"no: cut to {length} characters" if cut else f"no: changed ({length} characters)"
        account.settle("task_name_kept", found, "differs", length=length)
    if name != export.name:
        account.settle("found_by_name", "not asked: the name is not kept", "open")
    elif export.named_after is not None:
        account.settle("found_by_name", "yes", "ok")
    elif export.by_name is not None and export.by_name.error is not None:
        account.settle("found_by_name", f"refused, {export.by_name.refusal}", "ok", status=export.by_name.status)
    else:
        account.settle("found_by_name", f"accepted, but not found within {VISIBLE_WITHIN:.0f} s", "differs")


def _settle_percentage(account: Account, export: TinyExport) -> None:
    last = export.percentages[-1] if export.percentages else None
    scale = {1: "0 to 1", 100: "0 to 100"}.get(int(last)) if last in (1, 100) else None
    result: FindingResult = "ok" if scale else "open" if last is None else "differs"
    found = scale or ("no percentage" if last is None else f"{last:g} when COMPLETE")
    account.settle("completion_percentage", found, result, seen=list(dict.fromkeys(export.percentages)))


def _ask_task(account: Account, export: TinyExport) -> None:
    asked = account.ask(graphql.TASK, {"where": {"id": export.export_id}})
    if asked.error is not None:
        account.settle("status_in_task", f"no, {asked.refusal}", "ok", status=asked.status)
        return
    task = asked.data.get("task")
    same = isinstance(task, Mapping) and task.get("status") == export.task.get("status")
    account.settle("status_in_task", "yes" if same else "another status", "ok" if same else "differs")


def ask_order(account: Account) -> None:
    """Settle the order in which the newest tasks are listed; those of this check are among them."""
    asked = account.ask(graphql.CREATED_TASKS, {"userId": account.owner.user_id, "skip": 0, "first": 20})
    user = asked.data.get("user")
    tasks: Any = user.get("createdTasks") if isinstance(user, Mapping) else None
    if not isinstance(tasks, list):
        account.settle("task_order", f"no list, {asked.refusal}", "differs")
        return
    moments = [str(task.get("createdAt")) for task in tasks if isinstance(task, Mapping)]
    if len(set(moments)) < 2:
        account.settle("task_order", "fewer than two tasks of different age", "open")
        return
    falling, rising = moments == sorted(moments, reverse=True), moments == sorted(moments)
    account.settle("task_order", "yes" if falling else "no, the oldest first" if rising else "no order", "ok")


def _ask_aliases(account: Account, export: TinyExport) -> None:
    refusals: dict[str, str] = {}
    for number in ALIASES:
        asked = account.ask(graphql.created_tasks_by_id(number), _alias_variables(account, export, number))
        user = asked.data.get("user")
        if asked.error is None and isinstance(user, Mapping) and len(user) == number:
            found = f"{number}" if number == ALIASES[0] else f"{number}, but not {_larger(number)}"
            account.settle("aliases", found, "ok", refused=refusals)
            return
        refusals[str(number)] = asked.refusal
    account.settle("aliases", f"not even {ALIASES[-1]}", "ok", refused=refusals)


def _larger(number: int) -> int:
    return min(each for each in ALIASES if each > number)


def _alias_variables(account: Account, export: TinyExport, number: int) -> dict[str, str]:
    unknown = (f"{UNKNOWN_ID[:-3]}{n:03}" for n in range(1, number))
    return graphql.task_variables(account.owner.user_id, [export.export_id, *unknown])
