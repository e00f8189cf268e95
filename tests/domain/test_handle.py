"""The export handle: what goes through XCom between start, sensor and transfer."""

# ruff: noqa: DTZ001  hypothesis takes naive bounds and adds the zone itself
from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handles import WINDOW, handle_json

from labelbox_export_provider.domain.records.external_export import ExternalExport, parse_export
from labelbox_export_provider.domain.records.handle import ExportHandle, HandleWindow, started_at_or_window_start
from labelbox_export_provider.domain.request.query import condensed_query
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.domain.windows.windows import DataIntervalWindow, FixedWindow, RunInterval, TrimRule
from labelbox_export_provider.errors import HandleError

DOCUMENTED = """
{"v": 1, "export_id": "clx9", "source": {"kind": "project", "id": "clp1"}, "filters_digest": "sha256:%(a)s",
 "labelbox_conn_id": "labelbox_default",
 "window": {"field": "last_activity_at", "start": "2026-11-22T02:00:00Z", "end": "2026-11-23T02:00:00Z",
   "queried_start": "2026-11-22T01:59:59Z", "queried_end": "2026-11-23T02:00:01Z", "trim": true},
 "user_id": "clu1", "organization_id": "clo1", "fingerprint": "sha256:%(b)s", "started_at": "2026-11-23T02:00:07Z",
 "adopted": false}
""" % {"a": "a" * 64, "b": "b" * 64}  # noqa: UP031  braces of JSON all over


def refusal(value: object) -> str:
    with pytest.raises(HandleError) as raised:
        ExportHandle.parse(value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return str(raised.value)


def test_documented_handle_round_trips() -> None:
    """The documented handle is read and written back unchanged."""
    documented = json.loads(DOCUMENTED)
    assert ExportHandle.parse(documented).to_json() == {**documented, "query": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window": None},
        {"adopted": True},
        {"window": {**WINDOW, "queried_start": None}},
        {"window": {**WINDOW, "queried_start": "2026-11-19T01:59:59Z"}},  # a look-back
        {"window": {**WINDOW, "field": "label_created_at", "trim": False}},
        {
            "window": {
                **WINDOW,
                "start": "2026-11-22T02:00:00.000001Z",
                "end": "2026-11-22T02:00:00.250000Z",
                "queried_end": "2026-11-22T02:00:02Z",
            }
        },
        {"query": {"filters": {"projectId": "clp1"}, "params": {}}},
        {"source": {"kind": "data_rows", "id": "sha256:12"}},
    ],
)
def test_a_handle_comes_through_xcom_unchanged(changes: dict[str, Any]) -> None:
    sent = handle_json(**changes)
    handle = ExportHandle.parse(json.loads(json.dumps(sent)))
    assert handle.to_json() == sent
    assert ExportHandle.parse(handle) is handle


def test_totals_of_a_sensor_are_dropped() -> None:
    """The totals that a sensor adds are tolerated and not kept."""
    totals = {"result": {"rows": 1, "bytes": 2}, "errors": {"rows": 0, "bytes": 0}}
    assert ExportHandle.parse({**handle_json(), "totals": totals}).to_json() == handle_json()


def test_a_handle_of_a_newer_version_is_read() -> None:
    """Members that this version does not know are ignored, so that a fleet may be upgraded while exports run."""
    newer = handle_json(
        v=2, region="eu", window={**WINDOW, "timezone": "UTC"}, source={**handle_json()["source"], "name": "Cars"}
    )
    assert ExportHandle.parse(newer).to_json() == handle_json(v=2)


def test_a_newer_handle_that_lacks_a_member_names_the_upgrade() -> None:
    message = refusal({name: item for name, item in handle_json(v=3).items() if name != "started_at"})
    assert "not valid at 'started_at': Field required. A newer version of this package wrote it (v 3)" in message
    assert "upgrade the package on this worker" in message


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in handle_json().items() if key != name}


@pytest.mark.parametrize(
    ("edited", "member"),
    [
        ({"v": 0}, "v"),
        ({"v": "one"}, "v"),
        ({"export_id": ""}, "export_id"),
        ({"export_id": "clx1; drop"}, "export_id"),
        ({"export_id": "../clx1"}, "export_id"),
        ({"export_id": "x" * 101}, "export_id"),
        ({"export_id": 5}, "export_id"),
        ({"source": {"kind": "projekt", "id": "clp1"}}, "source.kind"),
        ({"source": {"kind": "project", "id": ""}}, "source.id"),
        ({"source": {"kind": "project", "id": "a\nb"}}, "source.id"),
        ({"source": "clp1"}, "source"),
        ({"filters_digest": "md5:1"}, "filters_digest"),
        ({"fingerprint": "sha256:" + "A" * 64}, "fingerprint"),
        ({"labelbox_conn_id": ""}, "labelbox_conn_id"),
        ({"labelbox_conn_id": "x" * 401}, "labelbox_conn_id"),
        ({"user_id": None}, "handle"),
        ({"started_at": "2026-11-23T02:05:00"}, "started_at"),
        ({"started_at": "last night"}, "started_at"),
        ({"adopted": "perhaps"}, "adopted"),
        ({"window": {**WINDOW, "field": "created_at"}}, "window.field"),
        ({"window": {**WINDOW, "end": "2026-11-22T02:00:00Z"}}, "window"),  # empty
        ({"window": {**WINDOW, "start": "2026-11-24T02:00:00Z"}}, "window"),  # backwards: everything would be trimmed
        ({"window": {**WINDOW, "queried_end": "2026-12-23T02:00:01Z"}}, "window"),  # a month would be trimmed
        ({"window": {**WINDOW, "queried_end": "2026-11-23T01:00:00Z"}}, "window"),
        ({"window": {**WINDOW, "queried_start": "2026-11-22T02:00:01Z"}}, "window"),
        ({"window": {**WINDOW, "field": "label_created_at"}}, "window"),  # trimmed, which labels never are
        ({"window": {"start": "2026-11-22T02:00:00Z"}}, "window.field"),
        ({"query": []}, "query"),
    ],
)
def test_edited_handle_is_refused(edited: dict[str, Any], member: str) -> None:
    """A handle edited by hand is refused with the member named."""
    message = refusal(handle_json(**edited))
    assert f"not valid at {member!r}: " in message
    assert "pass export=start.output unchanged, or clear the start task with downstream" in message


@pytest.mark.parametrize("name", [name for name in handle_json() if name not in {"v", "adopted", "query"}])
def test_handle_without_a_member_is_refused(name: str) -> None:
    """A handle that lacks a member is refused with the member named."""
    assert f"not valid at {name!r}: Field required" in refusal(without(name))


def test_a_refusal_does_not_repeat_what_was_given() -> None:
    assert "hunter2" not in refusal({**handle_json(), "password": "hunter2", "export_id": "hunter2 hunter2"})


@pytest.mark.parametrize("value", [None, 5, True, ["clx1"], {1: 2}, object(), "x" * 500])
def test_what_is_no_handle_at_all_is_refused_with_what_to_pass(value: object) -> None:
    message = refusal(value)
    assert "export=start.output" in message
    assert len(message) < 500


@pytest.mark.parametrize("export_id", ["clx1", "cm5n0v2e50cyt07x7", "A-b_9"])
def test_the_bare_id_of_an_export_task_is_taken(export_id: str) -> None:
    assert parse_export(export_id) == ExternalExport(export_id=export_id)


@pytest.mark.parametrize("text", ["", "None", " clx1", "clx1\n", "{'v': 1", "{{ ti.xcom_pull('start') }}", "x" * 101])
def test_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(HandleError, match=r"neither a handle nor the id of an export task. Pass export=start.output"):
        parse_export(text)


def test_a_handle_is_taken_where_an_id_may_stand_too() -> None:
    assert parse_export(handle_json()) == ExportHandle.parse(handle_json())
    assert parse_export({**handle_json(), "v": 7, "of_v7": True}) == ExportHandle.parse(handle_json(v=7))


def test_a_handle_stays_small_whatever_the_filters_are() -> None:
    keys = [f"{number:0200}" for number in range(2000)]
    source = ProjectSource.parse({"project_id": "clp1", "filters": {"global_keys": keys, "batch_ids": keys}})
    asked = source.render_input(task_name="n", owner_timezone=None, window=None)
    handle = ExportHandle.parse(handle_json(query=condensed_query(asked)))
    assert len(json.dumps(handle.to_json())) < 4096


def members(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for item in value.values() for name in members(item))}
    return {name for item in value for name in members(item)} if isinstance(value, list) else set()


def test_no_member_of_a_handle_could_hold_a_secret() -> None:
    schema = json.dumps(ExportHandle.model_json_schema()["properties"])
    names = members(handle_json()) | set(re.findall(r'"(\w+)": \{', schema))
    assert names
    assert not [name for name in names if re.search(r"key|token|secret|url|password|auth|signature", name)]


@pytest.mark.parametrize(
    ("window", "rule"),
    [
        (
            WINDOW,
            TrimRule(
                start=datetime(2026, 11, 22, 2, tzinfo=timezone.utc),
                end=datetime(2026, 11, 23, 2, tzinfo=timezone.utc),
                queried_start=datetime(2026, 11, 22, 1, 59, 59, tzinfo=timezone.utc),
                queried_end=datetime(2026, 11, 23, 2, 0, 1, tzinfo=timezone.utc),
            ),
        ),
        ({**WINDOW, "trim": False}, None),
    ],
)
def test_only_a_trimmed_window_gives_a_rule_to_trim_by(window: dict[str, Any], rule: TrimRule | None) -> None:
    handle = ExportHandle.parse(handle_json(window=window))
    assert handle.window is not None
    assert handle.window.trim_rule() == rule


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "export clx1 of project clp1, [2026-11-22T02:00:00Z, 2026-11-23T02:00:00Z)"),
        ({"window": None}, "export clx1 of project clp1, no window"),
    ],
)
def test_logs_name_an_export_in_one_line(changes: dict[str, Any], line: str) -> None:
    assert ExportHandle.parse(handle_json(**changes)).describe() == line


def test_window_or_start_dates_the_objects() -> None:
    """The window dates the objects and the start where there is none."""
    handle = ExportHandle.parse(handle_json())
    assert started_at_or_window_start(handle) == datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
    handle = ExportHandle.parse(handle_json(window=None))
    assert started_at_or_window_start(handle) == datetime(2026, 11, 23, 2, 5, tzinfo=timezone.utc)


moments = st.datetimes(
    datetime(1970, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.just(timezone.utc),
)


@given(moments, st.timedeltas(min_value=datetime.resolution).filter(lambda width: width.days < 365_000), st.booleans())
def test_every_window_that_a_run_can_have_fits_a_handle(start: datetime, width: Any, fixed: bool) -> None:
    end = start + width
    window = FixedWindow(start, end) if fixed else DataIntervalWindow()
    resolved = window.resolve(RunInterval(start, end))
    handle = ExportHandle.parse(handle_json(window=json.loads(HandleWindow.of(resolved).model_dump_json())))
    assert handle.window == HandleWindow.of(resolved)
    assert handle.window is not None
    assert (handle.window.start, handle.window.end) == (start, end)
