"""A receiver of OpenLineage's HTTP transport, and what its events are compared with.

The published JSON schema is in no package, so it is repeated beside this module for run events. The classes of facets
in OpenLineage's client are generated from that schema: `strangers` compares with them.
"""

from __future__ import annotations

import gzip
import importlib
import json
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

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
    """Return the members of its standard facets that their specification does not have, or that are missing there."""
    found = []
    classes = _published()
    datasets = [*event.get("inputs", []), *event.get("outputs", [])]
    holders = [event["run"], event["job"], *datasets]
    for holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, facet in (holder.get(kind) or {}).items():
                published = classes.get(facet["_schemaURL"])
                if published is None or facet["_schemaURL"].endswith(("/RunFacet", "/JobFacet", "/BaseFacet")):
                    continue  # a facet of somebody's own
                fields = {field.alias or field.name: field for field in attr.fields(published)}
                names = {field.name for field in fields.values()}
                required = {field.name for field in fields.values() if field.default is attr.NOTHING}
                found += [f"{name}.{member}" for member in set(facet) - names]
                found += [f"{name}.{member} is missing" for member in required - set(facet)]
    return found


def without_nulls(value: Any) -> Any:
    """Return a value as OpenLineage's client sends it, which leaves out members that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def _published() -> dict[str, Any]:
    from openlineage.client import generated

    classes = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and attr.has(value) and hasattr(value, "_get_schema"):
                classes[value._get_schema()] = value
    return classes
