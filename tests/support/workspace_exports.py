"""Exports of all sources of a generated workspace of the fake."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from support.fake_client import Client

EVERYWHERE = {"allProjects": True, "allModelRuns": True}
DATA_ROW = {"data_row", "media_attributes"}


def searched(*query: Any) -> dict[str, Any]:
    return {"searchQuery": {"scope": None, "query": list(query)}}


def in_dataset(dataset_id: str) -> dict[str, Any]:
    return {"type": "dataset", "operator": "is", "ids": [dataset_id]}


class Sources:
    """Starts an export of any source and gives its rows, parsed."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.id_of = client.fake.workspace.id_of

    def lines(self, kind: str, name: str = "", *query: Any, **params: Any) -> list[bytes]:
        made: dict[str, Callable[[], tuple[str, dict[str, Any]]]] = {
            "project": lambda: ("Project", {"projectId": self.id_of(name), **searched(*query)}),
            "dataset": lambda: ("Catalog", searched(*query, in_dataset(self.id_of(name)))),
            "catalog": lambda: ("Catalog", searched(*query)),
            "slice": lambda: ("Slice", {"sliceId": self.id_of(name)}),
            "model_run": lambda: ("ModelRun", {"modelRunId": self.id_of(name)}),
        }
        place, filters = made[kind]()
        export_id = self.client.start_from(place, filters, **params)
        content = self.client.read(export_id)
        assert content == self.client.fake.expected_rows(export_id)
        return content.split(b"\n")[:-1]

    def __call__(self, kind: str, name: str = "", *query: Any, **params: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines(kind, name, *query, **params)]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["data_row"]["id"] for row in rows]
