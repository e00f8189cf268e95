"""A receiver of OpenLineage's HTTP transport, and the validation of its events by the schemas that they name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from referencing.exceptions import Unresolvable
from support.lineage.schemas import REGISTRY, RUN_EVENT, Schema, own

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


def _is_uri(value: object) -> bool:
    """Return whether text has a scheme and what follows it; no library for it comes with Airflow."""
    return not isinstance(value, str) or _URI.fullmatch(value) is not None


FORMATS = FormatChecker(["date-time", "uuid"])  # raises where the library that checks dates is missing
FORMATS.checks("uri")(_is_uri)


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
    """Return where an event differs from the schemas that it and its facets name, and the own facet from its own."""
    found = list(_differences(event, {"$ref": RUN_EVENT}, "$"))
    for path, value, url in [("$", event, event.get("schemaURL")), *_facets(event, "$")]:
        try:
            REGISTRY.resolver().lookup(str(url))
        except Unresolvable:
            found.append(f"{path} names a schema that is not known: {url}")
        else:
            found += _differences(value, {"$ref": url}, path)
    for facet in [(event.get("run") or {}).get("facets", {}).get("labelbox_export")]:
        found += [] if facet is None else _differences(facet, own(), "$.run.facets.labelbox_export")
    return list(dict.fromkeys(found))


def _facets(value: Any, path: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield path, value, value["_schemaURL"]
        for name, each in value.items():
            yield from _facets(each, f"{path}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _facets(each, f"{path}[{index}]")


def _differences(value: Any, schema: Schema, path: str) -> Iterator[str]:
    for error in Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS).iter_errors(value):
        yield from (f"{path}{leaf.json_path[1:]}: {leaf.message}" for leaf in _leaves(error))


def _leaves(error: ValidationError) -> list[ValidationError]:
    """Return what an error consists of: of an `anyOf`, what its alternatives miss."""
    return [leaf for each in error.context or () for leaf in _leaves(each)] or [error]


def without_nulls(value: Any) -> Any:
    """Return a value as OpenLineage's client sends it, which leaves out members that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
