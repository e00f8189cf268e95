"""The official SDK as judge: for every source, option and pair of options our request is the SDK's.

Left out are the SDK's own faults, each of which has a test of its own below.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.judge.cases import write_cases
from support.judge.sdk_requests import ID, Request, sdk_request

from labelbox_export_provider.domain.request.sources import SOURCES
from labelbox_export_provider.errors import ConfigurationError

OWNER_ZONE = "America/New_York"
ID_OPTION = {"project": "project_id", "dataset": "dataset_id", "slice": "slice_id", "model_run": "model_run_id"}
PARAM_VALUES: dict[str, Any] = {
    "project_ids": ["clp1", "clp2"],
    "model_run_ids": ["clm1"],
    "media_type_override": "IMAGE",
}
FILTER_VALUES: dict[str, list[Any]] = {
    "last_activity_at": [
        ["2024-01-10", "2024-02-10"],
        ["2024-01-10 01:02:03", None],
        [None, "2024-07-10"],
        ["2024-01-10T00:00:00+0000", "2024-01-11T12:00:00+0000"],
    ],
    "label_created_at": [["2024-03-01 00:00:00", "2024-04-01"], [None, "2024-04-01T01:02:03+0000"]],
    "data_row_ids": [["clr1", "clr2"]],
    "global_keys": [["k1"]],
    "batch_ids": [["clb1", "clb2"]],
    "workflow_status": ["ToLabel", "InReview", "InRework", "Done"],
}
Options = dict[str, dict[str, Any]]


def names_of(kind: str, part: str) -> list[str]:
    return list(getattr(SOURCES[kind].model_fields[part].annotation, "model_fields", {}))


def choices(kind: str) -> list[tuple[str, str, Any]]:
    """Every option of a source with every value that is tried: part, name, value."""
    params = [("export_params", name, PARAM_VALUES.get(name, True)) for name in names_of(kind, "export_params")]
    filters = [("filters", name, value) for name in names_of(kind, "filters") for value in FILTER_VALUES[name]]
    return params + filters


def is_a_fault_of_the_sdk(kind: str, name: str) -> bool:
    """Name the cells in which the SDK is wrong by itself; see the tests at the end."""
    return (kind, name) in {
        ("model_run", "interpolated_frames"),
        ("model_run", "media_type_override"),
        ("data_rows", "predictions"),
    }


def cases() -> Iterator[tuple[str, Options]]:
    for kind in SOURCES:
        options = [choice for choice in choices(kind) if not is_a_fault_of_the_sdk(kind, choice[1])]
        for size in (0, 1, 2):
            for chosen in itertools.combinations(options, size):
                if len({name for _, name, _ in chosen}) < size:
                    continue
                if {"data_row_ids", "global_keys"} <= {name for _, name, _ in chosen}:
                    continue
                built: Options = {"export_params": {}, "filters": {}}
                for part, name, value in chosen:
                    built[part][name] = value
                yield kind, built


CASES = list(cases())


def ours(kind: str, options: Options, **ids: Any) -> Request:
    values: dict[str, Any] = {name: value for name, value in options.items() if value} | ids
    if kind in ID_OPTION:
        values[ID_OPTION[kind]] = ID
    if kind == "catalog":
        values["everything"] = not options["filters"]
    source = SOURCES[kind].parse(values)
    rendered = source.render_input(task_name="t", owner_timezone=OWNER_ZONE, window=None)
    rendered.pop("taskName")
    return Request(source.mutation, json.loads(json.dumps(rendered)))


def comparable(request: Request) -> Request:
    """Read date bounds as instants and forget the order of filters."""
    sent = json.loads(json.dumps(request.input))
    search = sent["filters"].get("searchQuery")
    if search is not None:
        search["query"] = sorted((as_instants(entry) for entry in search["query"]), key=json.dumps)
    return Request(request.mutation, sent)


def as_instants(entry: dict[str, Any]) -> dict[str, Any]:
    value = entry.get("value")
    if not isinstance(value, dict):
        return entry
    zone, bounds = value["timezone"], value["value"]
    read = {key: instant(text, zone) for key, text in (bounds if isinstance(bounds, dict) else {"": bounds}).items()}
    return {"type": entry["type"], "operator": value["operator"], "value": read}


def instant(text: str, zone: str) -> str:
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007  two of the forms have no zone, which is the point
        except ValueError:
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(timezone.utc).isoformat()
    raise AssertionError(text)


def ids_for(kind: str) -> dict[str, Any]:
    return {"data_row_ids": ["clr1", "clr2"]} if kind == "data_rows" else {}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_pair_of_options_equals_the_sdks_request(kind: str) -> None:
    """Every option and every pair of options gives the request of the official SDK."""
    compared = []
    for case_kind, options in CASES:
        if case_kind != kind:
            continue
        theirs = sdk_request(kind, options["export_params"], options["filters"], timezone=OWNER_ZONE, **ids_for(kind))
        assert comparable(ours(kind, options, **ids_for(kind))) == comparable(theirs), options
        compared.append(options)
    write_cases(f"requests-{kind}", [{"source": kind, **options} for options in compared])
    singles = {name for options in compared for part in options.values() for name in part}
    expected = {name for _, name, _ in choices(kind) if not is_a_fault_of_the_sdk(kind, name)}
    assert singles == expected


def test_global_keys_of_data_rows_are_sent_as_the_sdk_sends_them() -> None:
    theirs = sdk_request("data_rows", {}, {}, global_keys=["k1", "k2"])
    assert ours("data_rows", {"export_params": {}, "filters": {}}, global_keys=["k1", "k2"]) == theirs


def test_iso_dates_in_utc_equal_the_sdks_text() -> None:
    """ISO dates in UTC are sent in the exact text and zone that the SDK is known to send."""
    filters = {"last_activity_at": ["2024-01-10T00:00:00+0000", "2024-01-11T12:30:01+0000"]}
    theirs = sdk_request("project", {}, filters, timezone=OWNER_ZONE)
    assert ours("project", {"export_params": {}, "filters": filters}) == theirs


# --- faults of the SDK, where we differ on purpose


def bounds_of(request: Request) -> Any:
    [entry] = request.input["filters"]["searchQuery"]["query"]
    return entry["value"]


def test_fault_1_sdk_relabels_an_offset() -> None:
    """Fault 1 the SDK relabels an offset as UTC where we convert it."""
    filters = {"last_activity_at": ["2024-01-10T00:00:00+0530", None]}
    assert bounds_of(sdk_request("project", {}, filters))["value"] == "2024-01-10T00:00:00+0000"
    assert bounds_of(ours("project", {"export_params": {}, "filters": filters}))["value"] == "2024-01-09T18:30:00+0000"


def test_fault_2_sdk_reads_a_plain_end_in_utc() -> None:
    """Fault 2 one ISO end makes the SDK read the plain end in UTC where we keep the owner's zone."""
    filters = {"last_activity_at": ["2024-01-10 00:00:00", "2024-01-11T00:00:00+0000"]}
    theirs = bounds_of(sdk_request("project", {}, filters, timezone=OWNER_ZONE))
    assert (theirs["timezone"], theirs["value"]["min"]) == ("UTC", "2024-01-10 00:00:00")
    mine = bounds_of(ours("project", {"export_params": {}, "filters": filters}))
    assert (mine["timezone"], mine["value"]["min"]) == ("UTC", "2024-01-10T05:00:00+0000")


def test_fault_3_sdk_drops_interpolated_frames() -> None:
    """Fault 3 the SDK drops interpolated frames of a model run where we send them on request."""
    params = {"interpolated_frames": True}
    assert "includeInterpolatedFrames" not in sdk_request("model_run", params, {}).input["params"]
    asked = ours("model_run", {"export_params": params, "filters": {}})
    assert asked.input["params"]["includeInterpolatedFrames"] is True
    plain = ours("model_run", {"export_params": {}, "filters": {}})
    assert "includeInterpolatedFrames" not in plain.input["params"]


def test_fault_4_sdk_cannot_override_media_types() -> None:
    """Fault 4 the SDK cannot serialize a media type override of a model run where we can."""
    params = {"media_type_override": "IMAGE"}
    with pytest.raises(TypeError):
        json.dumps(sdk_request("model_run", params, {}).input)
    assert ours("model_run", {"export_params": params, "filters": {}}).input["params"]["mediaTypeOverride"] == "IMAGE"


def test_fault_5_sdk_drops_predictions_of_rows() -> None:
    """Fault 5 the SDK drops predictions of data rows where we send them on request."""
    params = {"predictions": True}
    assert "includePredictions" not in sdk_request("data_rows", params, {}, data_row_ids=["clr1"]).input["params"]
    asked = ours("data_rows", {"export_params": params, "filters": {}}, data_row_ids=["clr1"])
    assert asked.input["params"]["includePredictions"] is True


@pytest.mark.parametrize("kind", SOURCES)
def test_fault_6_sdk_drops_a_misspelt_param(kind: str) -> None:
    """Fault 6 the SDK drops a misspelt param without a word where we refuse it."""
    bare = sdk_request(kind, {}, {}, **ids_for(kind))
    assert sdk_request(kind, {"atachments": True}, {}, **ids_for(kind)) == bare
    with pytest.raises(ConfigurationError, match="Did you mean 'attachments'"):
        ours(kind, {"export_params": {"atachments": True}, "filters": {}}, **ids_for(kind))


def test_fault_7_sdk_refuses_offsets_with_a_colon() -> None:
    """Fault 7 the SDK refuses offsets with a colon where we take them."""
    filters = {"last_activity_at": ["2024-01-10 00:00:00+05:30", None]}
    with pytest.raises(ValueError, match="Incorrect format"):
        sdk_request("project", {}, filters)
    assert bounds_of(ours("project", {"export_params": {}, "filters": filters}))["value"] == "2024-01-09T18:30:00+0000"
