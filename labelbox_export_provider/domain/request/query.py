"""The request of an export as one value: to compare, to name, and to show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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


def request_fingerprint(mutation: str, mutation_input: Mapping[str, Any], endpoint: str, organization_id: str) -> str:
    """Hash the identity of an export: mutation, input without the task name, endpoint and organization."""
    unnamed = {name: value for name, value in mutation_input.items() if name != "taskName"}
    return digest({"mutation": mutation, "input": unnamed, "endpoint": endpoint, "organization": organization_id})
