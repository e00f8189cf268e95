"""The schemas of lineage events agree with the classes that OpenLineage generates from the published ones."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import attr
import pytest

generated = pytest.importorskip("openlineage.client.generated")
schemas = pytest.importorskip("support.lineage.schemas")

NAMES = {"string": "str", "integer": "int", "boolean": "bool"}
GIVEN = {"_producer", "_schemaURL", "producer", "schemaURL", "type"}
"""Required members that the classes have values for."""


def classes() -> dict[str, Any]:
    """Return the generated classes by the schemas that they name."""
    modules = [
        importlib.import_module(f"{generated.__name__}.{each.name}")
        for each in pkgutil.iter_modules(generated.__path__)
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {each._get_schema(): each for each in found if attr.has(each) and hasattr(each, "_get_schema")}


def members_of(resolver: Any, url: str) -> tuple[dict[str, Any], set[str]]:
    """Return the members of a definition, and which are required, with those that it extends."""
    resolved = resolver.lookup(url)
    named: dict[str, Any] = {}
    required: set[str] = set()
    for part in [resolved.contents, *resolved.contents.get("allOf", [])]:
        if "$ref" in part:
            base, more = members_of(resolved.resolver, part["$ref"])
            named, required = named | base, required | more
        named |= part.get("properties", {})
        required |= set(part.get("required", []))
    return named, required


def test_members_are_those_of_the_generated_classes() -> None:
    """Also of statistics and subset, whose published texts no test has seen."""
    known = classes()
    compared = set()
    for document, schema in schemas.PUBLISHED.items():
        for name in schema["$defs"]:
            url = f"{document}#/$defs/{name}"
            if url not in known:
                continue
            named, required = members_of(schemas.REGISTRY.resolver(), url)
            fields = attr.fields_dict(known[url])
            assert named.keys() == fields.keys(), url
            assert required - GIVEN == {each for each in fields if fields[each].default is attr.NOTHING} - GIVEN, url
            for member, rules in named.items():
                if "type" in rules and "enum" not in rules and rules["type"] in NAMES:
                    assert NAMES[rules["type"]] in str(fields[member].type), (url, member)
            compared.add(name)
    assert {"RunEvent", "Run", "Job", "InputDataset", "OutputDataset", "OutputStatisticsOutputDatasetFacet"} <= compared
