"""A receiver of OpenLineage's HTTP transport, and what its events are compared with.

The published JSON schema is in no package, so its rules for run events are written beside this module, stricter:
members that it does not name are refused. The classes of OpenLineage's client are generated from the published schema:
`strangers` compares with them.
"""

from __future__ import annotations

import gzip
import importlib
import json
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attr
from jsonschema import Draft202012Validator, FormatChecker

SCHEMA = json.loads((Path(__file__).parent / "openlineage-2-0-2.schema.json").read_text())
_VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


class Received(list[dict[str, Any]]):
    """The events in their order, and where they are received."""

    url = ""

    def of_task(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one job."""
        return [event for event in self if event["job"]["name"] == name]


@contextmanager
def receiver() -> Iterator[Received]:
    """Receive events on this machine."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            text = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            received.append(json.loads(text))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def faults(event: dict[str, Any]) -> list[str]:
    """Return where an event differs from the schema."""
    return [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(event)]


def strangers(event: dict[str, Any]) -> list[str]:
    """Return where an event differs from the published classes: its members, their types, the checks of their own."""
    from openlineage.client.generated.base import RunEvent

    return list(_differences("event", event, RunEvent))


def _differences(path: str, value: Any, kind: Any) -> Iterator[str]:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        by_kind = [list(_differences(path, value, each)) for each in inner if each is not type(None)]
        if value is not None and all(by_kind):
            yield from min(by_kind, key=len)
    elif origin is list and isinstance(value, list):
        for index, each in enumerate(value):
            yield from _differences(f"{path}[{index}]", each, inner[0])
    elif origin is dict and isinstance(value, dict):
        for name, each in value.items():
            yield from _differences(f"{path}.{name}", each, inner[1])
    elif attr.has(kind) and isinstance(value, dict):
        yield from _differences_of_members(path, value, _published().get(value.get("_schemaURL", ""), kind))
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if value not in [each.value for each in kind]:
            yield f"{path} is none of {kind.__name__}"
    elif kind is not Any and (type(value) is not (origin or kind)):
        yield f"{path} is not {kind}"


def _differences_of_members(path: str, value: dict[str, Any], kind: type[Any]) -> Iterator[str]:
    types = get_type_hints(kind)
    members = {member.name: member for member in attr.fields(kind)}
    own = kind.__name__ in ("BaseFacet", "RunFacet", "JobFacet")  # its members are published nowhere
    required = [name for name, member in members.items() if member.default is attr.NOTHING]
    yield from (f"{path}.{name} is missing" for name in required if name not in value)
    for name, each in value.items():
        if name in members:
            yield from _differences(f"{path}.{name}", each, types[name])
            if members[name].validator is not None:
                try:
                    members[name].validator(None, members[name], each)
                except (TypeError, ValueError) as error:
                    yield f"{path}.{name}: {error}"
        elif not own:
            yield f"{path}.{name} is not published"


def without_nulls(value: Any) -> Any:
    """Return a value as OpenLineage's client sends it, which leaves out members that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


@cache
def _published() -> dict[str, Any]:
    from openlineage.client import generated

    classes = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and attr.has(value) and hasattr(value, "_get_schema"):
                classes[value._get_schema()] = value
    return classes
