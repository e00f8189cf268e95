"""Run a deferred task's trigger as a triggerer does: rebuilt from its serialized form, on an event loop of its own."""

from __future__ import annotations

import asyncio
import json
import pkgutil
from typing import Any

from airflow.sdk import Context
from airflow.triggers.base import BaseTrigger
from support.airflow.versions import deserialize, serialize

from labelbox_export_provider.airflow_compat import TaskDeferred


def rebuilt(trigger: BaseTrigger) -> BaseTrigger:
    """The trigger as another process makes it from what the database holds."""
    path, arguments = trigger.serialize()
    made: BaseTrigger = pkgutil.resolve_name(path)(**through_the_database(arguments))
    return made


def through_the_database(value: Any) -> Any:
    """A value as another process reads it from the database: a trigger's arguments, or an XCom."""
    return deserialize(json.loads(json.dumps(serialize(value))))


def events_of(trigger: BaseTrigger) -> list[dict[str, Any]]:
    """Every event that a trigger sends, in plain form."""

    async def collect() -> list[dict[str, Any]]:
        return [through_the_database(event.payload) async for event in rebuilt(trigger).run()]

    return asyncio.run(collect())


def resume(task: Any, deferred: TaskDeferred, context: Context) -> Any:
    """Let the trigger of a deferred task run, then resume the task as Airflow does."""
    [event] = events_of(deferred.trigger)
    return task.resume_execution(deferred.method_name, {"event": event}, context)
