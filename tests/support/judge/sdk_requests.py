"""The requests of the official SDK: its own client, stopped before it sends them."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import labelbox
    from labelbox.schema.catalog import Catalog
    from labelbox.schema.data_row import DataRow
    from labelbox.schema.media_type import MediaType
    from labelbox.schema.model_run import ModelRun
    from labelbox.schema.slice import CatalogSlice

ID = "clx0000000000000000000001"


@dataclass(frozen=True)
class Request:
    """A start mutation: its name and its input without the task name."""

    mutation: str
    input: dict[str, Any]


class _StoppedError(Exception):
    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class _StoppedClient(labelbox.Client):  # type: ignore[misc]  # the SDK is not typed strictly
    """The SDK's client, except that it sends nothing and knows the owner's time zone."""

    owner_timezone: str | None = None

    def execute(self, query: str | None = None, params: Any = None, **_: Any) -> Any:
        text = query or ""
        if "timezone" in text:
            return {"user": {"timezone": self.owner_timezone}}
        mutation = re.match(r"mutation (\w+)PyApi", text)
        assert mutation, text
        sent = dict(params["input"])
        sent.pop("taskName", None)
        raise _StoppedError(Request(mutation[1], sent))


def sdk_request(
    kind: str, params: dict[str, Any], filters: dict[str, Any], *, timezone: str | None = None, **ids: Any
) -> Request:
    """Let the SDK build the request for a source; whatever else it raises comes out."""
    client = _StoppedClient(api_key="not-a-real-key-0001")
    client.owner_timezone = timezone
    values = dict(params)
    if values.get("media_type_override") is not None:
        values["media_type_override"] = MediaType(values["media_type_override"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _export(kind, client, values, filters, ids)
    except _StoppedError as sent:
        return sent.request
    raise AssertionError("the SDK sent nothing")


def _export(kind: str, client: Any, params: dict[str, Any], filters: dict[str, Any], ids: dict[str, Any]) -> None:
    def entity(model: Any) -> Any:
        return model(client, {field.graphql_name: None for field in model.fields()} | {"id": ID, "name": "n"})

    if kind == "project":
        entity(labelbox.Project).export(task_name="t", params=params, filters=filters)
    elif kind == "dataset":
        entity(labelbox.Dataset).export(task_name="t", params=params, filters=filters)
    elif kind == "slice":
        entity(CatalogSlice).export(task_name="t", params=params)
    elif kind == "catalog":
        Catalog(client).export(task_name="t", params=params, filters=filters)
    elif kind == "model_run":
        entity(ModelRun).export(task_name="t", params=params)
    else:
        DataRow.export(
            client,
            data_rows=ids.get("data_row_ids"),
            global_keys=ids.get("global_keys"),
            task_name="t",
            params=params,
        )
