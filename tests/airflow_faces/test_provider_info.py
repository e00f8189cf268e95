"""The description of the provider for Airflow is valid, complete and true."""

from __future__ import annotations

import json
import pkgutil
from importlib.metadata import entry_points, metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from labelbox_export_provider.get_provider_info import get_provider_info
from labelbox_export_provider.hooks.labelbox import LabelboxHook

INFO = get_provider_info()
SCHEMAS = Path(airflow.__file__).parent


def test_it_is_found_by_its_entry_point() -> None:
    [entry] = [entry for entry in entry_points(group="apache_airflow_provider") if "labelbox" in entry.value]
    assert entry.load()() == INFO


def test_it_fits_airflows_runtime_schema() -> None:
    jsonschema.validate(INFO, json.loads((SCHEMAS / "provider_info.schema.json").read_text()))


def test_its_connection_type_fits_the_schema_of_forms() -> None:
    """The connection type fits the schema in which Airflow defines connection forms."""
    schema = json.loads((SCHEMAS / "provider.yaml.schema.json").read_text())
    part = {**schema, "type": "array", "items": schema["properties"]["connection-types"]["items"]}
    for name in ("properties", "required", "additionalProperties"):
        part.pop(name, None)
    jsonschema.validate(INFO["connection-types"], part)


def test_the_package_name_is_that_of_the_distribution() -> None:
    assert metadata(INFO["package-name"])["Name"] == INFO["package-name"]


def dotted_paths(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [path for item in value.values() for path in dotted_paths(item)]
    if isinstance(value, list):
        return [path for item in value for path in dotted_paths(item)]
    return [value] if isinstance(value, str) and value.startswith("labelbox_export_provider.") else []


@pytest.mark.parametrize("path", dotted_paths(INFO))
def test_every_path_that_it_names_can_be_imported(path: str) -> None:
    import importlib

    try:
        importlib.import_module(path)
    except ModuleNotFoundError:
        assert pkgutil.resolve_name(path)


def test_the_hook_agrees_with_the_connection_type() -> None:
    [connection_type] = INFO["connection-types"]
    assert connection_type["connection-type"] == LabelboxHook.conn_type
    assert connection_type["hook-name"] == LabelboxHook.hook_name
    assert connection_type["hook-class-name"] == f"{LabelboxHook.__module__}.{LabelboxHook.__name__}"


def test_the_form_has_a_field_for_every_extra() -> None:
    """The connection form has a field for every extra that a connection may have."""
    from labelbox_export_provider.client.settings import ConnectionSettings

    extras = set(ConnectionSettings.model_fields) - {"endpoint", "api_key", "conn_id"}
    assert set(INFO["connection-types"][0]["conn-fields"]) == extras


def test_the_form_shows_the_port() -> None:
    """A stored port is what lets the list's Test icon work, so the form has to have the field."""
    behaviour = INFO["connection-types"][0]["ui-field-behaviour"]
    assert "port" not in behaviour["hidden-fields"]
    assert behaviour["placeholders"]["port"] == "443"
