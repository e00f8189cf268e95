"""Running flows: through both drivers with their sleeps recorded instead of slept, or by hand without any driver."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from labelbox_export_provider.client.http_clients import AsyncLabelboxClient, LabelboxClient
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.client.types import Answer, Effect, Flow, Reply, Send, Sleep, TransportFailure
from labelbox_export_provider.errors import LabelboxExportError

T = TypeVar("T")

KEY = "lbkey-Zq8vT3-do-not-show"
USER_AGENT = "airflow-provider-labelbox-export/0.0.test"


@dataclass
class Runner:
    """Runs flows with the driver of its kind, `sync` or `async`."""

    kind: str
    slept: list[float] = field(default_factory=list)

    def run(self, settings: ConnectionSettings, *flows: Flow[Any]) -> Any:
        """Run flows one after the other through one client; gives the last one's value."""
        self.slept.clear()
        if self.kind == "async":
            return asyncio.run(self._arun(settings, flows))
        with LabelboxClient(settings, user_agent=USER_AGENT, sleep=self.slept.append) as client:
            return [client.run(flow) for flow in flows][-1]

    async def _arun(self, settings: ConnectionSettings, flows: tuple[Flow[Any], ...]) -> Any:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        async with AsyncLabelboxClient(settings, user_agent=USER_AGENT, sleep=sleep) as client:
            return [await client.run(flow) for flow in flows][-1]


def answer(data: Any = None, *, status: int = 200, elapsed: float = 0.0, body: Any = None, **headers: str) -> Answer:
    """An answer for a flow that is driven by hand."""
    content = {"data": data} if body is None else body
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, elapsed)


@dataclass
class ByHand:
    """What a flow did when it was given these replies in turn."""

    effects: list[Effect]
    value: Any = None
    error: BaseException | None = None

    @property
    def sleeps(self) -> list[float]:
        return [each.seconds for each in self.effects if isinstance(each, Sleep)]

    @property
    def sends(self) -> list[Send]:
        return [each for each in self.effects if isinstance(each, Send)]

    @property
    def operations(self) -> list[str]:
        return [each.document.name for each in self.sends]


def by_hand(flow: Flow[Any], *replies: Answer | TransportFailure) -> ByHand:
    """Drive a flow; the last reply is repeated for ever."""
    queue = list(replies)
    done = ByHand([])
    reply: Reply = None
    try:
        while True:
            effect = flow.send(reply)
            done.effects.append(effect)
            if len(done.effects) > 1000:
                raise AssertionError("the flow does not end")
            reply = None
            if isinstance(effect, Send):
                reply = queue.pop(0) if len(queue) > 1 else queue[0]
    except StopIteration as stop:
        done.value = stop.value
    except LabelboxExportError as error:
        done.error = error
    return done
