"""The request of an export as one value: to compare, to name, and to show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


def digest(value: object) -> str:
    """Hash a JSON value in canonical form, as `sha256:<hex>`."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def query_digest(mutation_input: Mapping[str, Any]) -> str:
    """Hash a request without the task name, so that two exports of the same request compare equal."""
    return digest({"filters": mutation_input["filters"], "params": mutation_input["params"]})


def condensed_query(mutation_input: Mapping[str, Any], longest: int = 20) -> dict[str, Any]:
    """Return the request for people to read; an id list longer than `longest` becomes a count and a digest."""

    def condense(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: condense(item) for name, item in value.items()}
        if isinstance(value, list) and len(value) > longest and all(isinstance(item, str) for item in value):
            return {"count": len(value), "digest": digest(value)}
        return [condense(item) for item in value] if isinstance(value, list) else value

    return {"filters": condense(mutation_input["filters"]), "params": condense(mutation_input["params"])}


def moved_fields(before: Mapping[str, Any], after: Mapping[str, Any], most: int = 5) -> str:
    """Return which fields of a request differ and from what to what, for people to read."""
    old, new = dict(_fields(before)), dict(_fields(after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    shown = [f"{name} was {_short(old.get(name))}, is {_short(new.get(name))}" for name in names[:most]]
    return "; ".join(shown) + (f"; and {len(names) - most} more" if len(names) > most else "")


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, (Mapping, list)) and value:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _fields(item, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _short(value: Any, most: int = 80) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}…"


def request_fingerprint(mutation: str, mutation_input: Mapping[str, Any], endpoint: str, organization_id: str) -> str:
    """Hash the identity of an export: mutation, input without the task name, endpoint and organization."""
    unnamed = {name: value for name, value in mutation_input.items() if name != "taskName"}
    return digest({"mutation": mutation, "input": unnamed, "endpoint": endpoint, "organization": organization_id})
