"""Situations in which a task fails: one function for each, registered with the error that it ends with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.failing_tasks import DagHarness

from labelbox_export_provider.errors import LabelboxExportError
from labelbox_export_provider.testing.faults import GraphQLErrorAnswer, SlowExport


@dataclass(frozen=True)
class Situation:
    """An error, how it comes about, and which lines its message cannot have, each with the reason."""

    error: type[LabelboxExportError]
    name: str
    happens: Callable[[DagHarness], object]
    lacks: dict[str, str] = field(default_factory=dict)


SITUATIONS: dict[str, Situation] = {}


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def situation(error: type[LabelboxExportError], **lacks: str) -> Callable[[Callable[[DagHarness], object]], None]:
    """Register a function that causes an error; its name names the situation."""

    def register(happens: Callable[[DagHarness], object]) -> None:
        name = f"{snake(error.__name__)}_{happens.__name__}"
        assert name not in SITUATIONS
        SITUATIONS[name] = Situation(error, name, happens, lacks)

    return register


def still_running(night: DagHarness) -> Any:
    night.fake.faults.add(SlowExport())
    return night.start()


def refused_query() -> GraphQLErrorAnswer:
    return GraphQLErrorAnswer(code="GRAPHQL_VALIDATION_FAILED", message="No such field", status=400, times=None)
