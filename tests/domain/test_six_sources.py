"""The six sources: which options each has, how each is asked for, and that nothing else is taken."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.docs_tables import PAGE, with_tables

from labelbox_export_provider.domain.options.option_model import plain
from labelbox_export_provider.domain.request.source import Source
from labelbox_export_provider.domain.request.sources import SOURCES
from labelbox_export_provider.domain.windows.windows import FixedWindow, RunInterval
from labelbox_export_provider.errors import ConfigurationError

OWN: dict[str, dict[str, Any]] = {
    "project": {"project_id": "clp1"},
    "dataset": {"dataset_id": "cld1"},
    "slice": {"slice_id": "cls1"},
    "catalog": {"everything": True},
    "model_run": {"model_run_id": "clm1"},
    "data_rows": {"data_row_ids": ["clr1"]},
}
every_kind = pytest.mark.parametrize("kind", SOURCES)
ALL_NAMES = sorted(
    {
        (part, name)
        for source in SOURCES.values()
        for part in ("export_params", "filters")
        for name in getattr(source.model_fields[part].annotation, "model_fields", {})
    }
)
VALUES: dict[str, Any] = {
    "media_type_override": "TEXT",
    "project_ids": ["clp1"],
    "model_run_ids": ["clm1"],
    "last_activity_at": ["2024-01-01", None],
    "label_created_at": [None, "2024-01-01"],
    "data_row_ids": ["clr1"],
    "global_keys": ["k"],
    "batch_ids": ["clb1"],
    "workflow_status": "Done",
}


def has(kind: str, part: str, name: str) -> bool:
    return name in getattr(SOURCES[kind].model_fields[part].annotation, "model_fields", {})


@every_kind
@pytest.mark.parametrize(("part", "name"), ALL_NAMES)
def test_options_belong_to_their_sources(kind: str, part: str, name: str) -> None:
    """An option is taken by its sources and refused by the others naming option and source."""
    values = {**OWN[kind], part: {name: VALUES.get(name, True)}}
    if has(kind, part, name):
        assert isinstance(SOURCES[kind].parse(values), SOURCES[kind])
        return
    with pytest.raises(ConfigurationError) as refusal:
        SOURCES[kind].parse(values)
    word = {"data_rows": "data row", "model_run": "model run"}.get(kind, kind)
    assert f"'{name}'" in str(refusal.value)
    assert f"{word} exports" in str(refusal.value)


@every_kind
@given(name=st.text(min_size=1, max_size=30))
def test_any_other_name_is_refused_with_the_name_in_the_message(kind: str, name: str) -> None:
    for part in ("export_params", "filters"):
        if not has(kind, part, name):
            with pytest.raises(ConfigurationError) as refusal:
                SOURCES[kind].parse({**OWN[kind], part: {name: True}})
            assert repr(name) in str(refusal.value)


def sources() -> st.SearchStrategy[Source]:
    def of(kind: str) -> st.SearchStrategy[Source]:
        params = [name for part, name in ALL_NAMES if part == "export_params" and has(kind, part, name)]
        filters = [name for part, name in ALL_NAMES if part == "filters" and has(kind, part, name)]
        return st.builds(
            lambda chosen, narrowed: SOURCES[kind].parse(
                {
                    **OWN[kind],
                    "export_params": {name: VALUES.get(name, True) for name in chosen},
                    "filters": {name: VALUES[name] for name in narrowed if name != "global_keys"},
                }
            ),
            st.sets(st.sampled_from(params)),
            st.sets(st.sampled_from(filters)) if filters else st.just(set()),
        )

    return st.sampled_from(list(SOURCES)).flatmap(of)


@given(sources())
def test_a_source_survives_its_plain_form(source: Source) -> None:
    again = type(source).parse(json.loads(json.dumps(plain(source))))
    assert again == source


EMPTY_QUERY: dict[str, Any] = {"searchQuery": {"scope": None, "query": []}}


@pytest.mark.parametrize(
    ("kind", "mutation", "scope"),
    [
        ("project", "exportDataRowsInProject", {"projectId": "clp1", **EMPTY_QUERY}),
        (
            "dataset",
            "exportDataRowsInCatalog",
            {"searchQuery": {"scope": None, "query": [{"ids": ["cld1"], "operator": "is", "type": "dataset"}]}},
        ),
        ("slice", "exportDataRowsInSlice", {"sliceId": "cls1"}),
        ("catalog", "exportDataRowsInCatalog", EMPTY_QUERY),
        ("model_run", "exportDataRowsInModelRun", {"modelRunId": "clm1"}),
        (
            "data_rows",
            "exportDataRowsInCatalog",
            {"searchQuery": {"scope": None, "query": [{"ids": ["clr1"], "operator": "is", "type": "data_row_id"}]}},
        ),
    ],
)
def test_each_source_has_its_mutation_and_scope(kind: str, mutation: str, scope: dict[str, Any]) -> None:
    source = SOURCES[kind].parse(OWN[kind])
    rendered = source.render_input(task_name="t", owner_timezone=None, window=None)
    assert (source.mutation, rendered["filters"]) == (mutation, scope)
    assert (rendered["isStreamableReady"], rendered["streamable"]) == (True, True)


@every_kind
def test_window_needs_a_source_with_dates(kind: str) -> None:
    """A window narrows what has dates and is refused elsewhere."""
    window = FixedWindow("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z").resolve(RunInterval(None, None))
    source = SOURCES[kind].parse({**OWN[kind], "everything": False} if kind == "catalog" else OWN[kind])
    if kind in ("project", "dataset", "catalog"):
        rendered = source.render_input(task_name="t", owner_timezone=None, window=window)
        types = [entry["type"] for entry in rendered["filters"]["searchQuery"]["query"]]
        assert "data_row_last_activity_at" in types
        assert rendered["params"]["includeDataRowDetails"] is True
        return
    with pytest.raises(ConfigurationError, match="take no window="):
        source.render_input(task_name="t", owner_timezone=None, window=window)


@pytest.mark.parametrize(
    ("everything", "filters", "message"),
    [
        (False, {}, "Set everything=True"),
        (True, {"global_keys": ["k"]}, "contradicts"),
        (True, {}, None),
        (False, {"global_keys": ["k"]}, None),
        (False, {"last_activity_at": [None, None]}, "Set everything=True"),
    ],
)
def test_the_whole_catalog_has_to_be_asked_for(everything: bool, filters: dict[str, Any], message: str | None) -> None:
    source = SOURCES["catalog"].parse({"everything": everything, "filters": filters})
    if message is None:
        assert source.render_input(task_name="t", owner_timezone=None, window=None)
        return
    with pytest.raises(ConfigurationError, match=message):
        source.render_input(task_name="t", owner_timezone=None, window=None)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({}, "neither is given"),
        ({"data_row_ids": ["a"], "global_keys": ["b"]}, "both are given"),
        ({"global_keys": [f"k{number}" for number in range(2001)]}, r"Split the list .* expand\(\)"),
        ({"global_keys": []}, "empty list"),
        ({"data_row_ids": "clr1"}, "a list is needed"),
    ],
)
def test_single_data_rows_need_exactly_one_list_of_1_to_2000(ids: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SOURCES["data_rows"].parse(ids)


def test_up_to_30_projects_and_model_runs_are_taken() -> None:
    for name in ("project_ids", "model_run_ids"):
        SOURCES["slice"].parse({**OWN["slice"], "export_params": {name: ["x"] * 30}})
        with pytest.raises(ConfigurationError, match="there must be 1 to 30"):
            SOURCES["slice"].parse({**OWN["slice"], "export_params": {name: ["x"] * 31}})


def test_sources_are_named_by_id_or_digest() -> None:
    """Sources are named by their id and data rows by count and digest."""
    ids = {kind: SOURCES[kind].parse(OWN[kind]).id for kind in SOURCES}
    assert {kind: ids[kind] for kind in ("project", "dataset", "slice", "catalog", "model_run")} == {
        "project": "clp1",
        "dataset": "cld1",
        "slice": "cls1",
        "catalog": "all",
        "model_run": "clm1",
    }
    many = SOURCES["data_rows"].parse({"global_keys": [f"k{number}" for number in range(2000)]})
    assert (many.id.partition("-")[0], len(many.id)) == ("2000", 17)


def test_the_tables_in_the_docs_are_those_of_the_models() -> None:
    assert PAGE.read_text() == with_tables(PAGE.read_text())


def test_a_run_of_now_does_not_matter_to_a_fixed_window() -> None:
    window = FixedWindow("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z")
    now = datetime.now(timezone.utc)
    assert window.resolve(RunInterval(now, now)) == window.resolve(RunInterval(None, None))
