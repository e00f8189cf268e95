"""Object names: a function of the handle alone, so that a retry writes the same ones and another export new ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handles import WINDOW, handle_json

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import (
    KEY_FIELDS,
    Kind,
    ObjectNames,
    WindowNames,
    check_key,
    explicit_names,
    fill_key,
    generation,
    layout_names,
)
from labelbox_export_provider.errors import ConfigurationError

G = generation("clx1")


def handle(**changes: Any) -> ExportHandle:
    return ExportHandle.parse(handle_json(**changes))


def test_generation_is_g_and_eight_hex_digits() -> None:
    """A generation is g and eight hex digits and differs between exports."""
    assert G == "gabe87c4e"
    assert len({generation(f"clx{number}") for number in range(1000)}) == 1000


def test_the_names_are_those_of_the_documented_layout() -> None:
    names = layout_names(handle(), "lake/labels", "gzip")
    stem = f"20261122T020000Z_20261123T020000Z.{G}"
    assert names.generation == G
    assert names.data() == f"lake/labels/data/source=project/id=clp1/dt=2026-11-22/{stem}.00000.ndjson.gz"
    assert names.data(12) == f"lake/labels/data/source=project/id=clp1/dt=2026-11-22/{stem}.00012.ndjson.gz"
    assert names.errors == f"lake/labels/errors/source=project/id=clp1/dt=2026-11-22/{stem}.ndjson.gz"
    assert names.uris == f"lake/labels/uris/source=project/id=clp1/{stem}.txt"
    assert names.manifest("ok") == f"lake/labels/manifests/source=project/id=clp1/{stem}.ok.json"
    assert names.manifest("empty") == f"lake/labels/manifests/source=project/id=clp1/{stem}.empty.json"
    assert names.manifest("errors") == f"lake/labels/manifests/source=project/id=clp1/{stem}.errors.json"
    assert names.explicit_key is None


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ({"kind": "catalog", "id": "all"}, "source=catalog/id=clorg1"),
        ({"kind": "data_rows", "id": "2-ab12cd34ef56"}, "source=data_rows/id=clorg1-2-ab12cd34ef56"),
        ({"kind": "dataset", "id": "clds1"}, "source=dataset/id=clds1"),
    ],
)
def test_names_that_two_organizations_could_share_hold_theirs(source: dict[str, str], folder: str) -> None:
    """Each organization has one catalog, and any may name its data rows as another does."""
    given = handle(source=source, organization_id="clorg1")
    names = layout_names(given, "lake", "gzip")
    for key in (names.data(), names.errors, names.uris, names.manifest("ok"), *names.own.values()):
        assert key is not None
        assert f"/{folder}/" in key
    assert f"source={source['kind']}/id={fill_key(given, '{source_id}')}" == folder


@pytest.mark.parametrize("names", [layout_names(handle(), "lake", "gzip"), explicit_names(handle(), "a/rows", "gzip")])
def test_every_key_of_an_export_is_below_its_own_prefix(names: ObjectNames) -> None:
    """Whatever its compression, number and state, so that one listing finds all; another export's never is."""
    keys: dict[Kind, list[str]] = {"manifests": [names.manifest(state) for state in ("ok", "empty", "errors")]}
    keys |= {"errors": [names.errors, names.errors.removesuffix(".gz")], "uris": [names.uris] if names.uris else []}
    keys["data"] = [] if names.explicit_key else [names.data(), names.data(12), names.data(7).removesuffix(".gz")]
    for kind, of_kind in keys.items():
        for key in of_kind:
            assert key.startswith(names.own[kind])
            assert not key.replace(names.generation, "g00000000").startswith(names.own[kind])
            assert names.window.generation_of(kind, key) == names.generation


@pytest.mark.parametrize(
    ("prefix", "head"),
    [("", ""), ("/", ""), ("lake", "lake/"), ("lake/", "lake/"), ("/lake/a//", "lake/a/"), ("a=b/c d", "a=b/c d/")],
)
def test_a_prefix_is_taken_with_or_without_slashes(prefix: str, head: str) -> None:
    assert layout_names(handle(), prefix, None).data().startswith(f"{head}data/source=project/")


@pytest.mark.parametrize(
    ("source_id", "named"),
    [
        ("clp1", "clp1"),
        ("a/b", "a%2Fb"),
        ("a=b c", "a%3Db%20c"),
        ("../x", "..%2Fx"),
        ("Grüße", "Gr%C3%BC%C3%9Fe"),
        ("50%", "50%25"),
        ("A-b_c.d~", "A-b_c.d~"),
    ],
)
def test_an_odd_id_stays_one_folder(source_id: str, named: str) -> None:
    key = layout_names(handle(source={"kind": "project", "id": source_id}), "p", None).data()
    assert key.split("/")[3] == f"id={named}"


@pytest.mark.parametrize(
    ("compression", "suffix"), [(None, ".ndjson"), ("gzip", ".ndjson.gz"), ("zstd", ".ndjson.zst")]
)
def test_the_suffix_names_the_compression(compression: Any, suffix: str) -> None:
    names = layout_names(handle(), "", compression)
    assert names.data().endswith(f".00000{suffix}")
    assert names.errors.endswith(f"{G}{suffix}")


def test_start_dates_objects_without_a_window() -> None:
    """Without a window the start of the export dates the objects."""
    names = layout_names(handle(window=None), "", None)
    assert names.data() == f"data/source=project/id=clp1/dt=2026-11-23/20261123T020500Z.{G}.00000.ndjson"
    assert names.uris == f"uris/source=project/id=clp1/20261123T020500Z.{G}.txt"


def test_the_day_is_that_of_the_windows_start_in_utc() -> None:
    window = {**WINDOW, "start": "2026-11-22T23:30:00-05:00", "queried_start": "2026-11-22T23:29:59-05:00"}
    window |= {"end": "2026-11-23T05:30:00Z", "queried_end": "2026-11-23T05:30:01Z"}
    assert "/dt=2026-11-23/20261123T043000Z_20261123T053000Z." in layout_names(handle(window=window), "", None).data()


def test_windows_that_differ_below_a_second_have_different_names() -> None:
    window = {**WINDOW, "start": "2026-11-22T02:00:00.000250Z"}
    assert "/20261122T020000.000250Z_20261123T020000Z." in layout_names(handle(window=window), "", None).data()


def test_only_another_export_has_new_names() -> None:
    """Another export of the same window has new names and a retry the same."""
    first, again, other = (
        layout_names(each, "p", "gzip")
        for each in (handle(), handle(adopted=True, labelbox_conn_id="lb_new"), handle(export_id="clx2"))
    )
    assert first == again
    shared = {first.data(), first.errors, first.uris, first.manifest("ok")}
    assert not shared & {other.data(), other.errors, other.uris, other.manifest("ok")}


def of_window(given: ExportHandle, prefix: str = "lake") -> tuple[ObjectNames, WindowNames]:
    names = layout_names(given, prefix, "gzip")
    return names, names.window


def keys_of(names: ObjectNames) -> dict[Kind, str]:
    return {"data": names.data(7), "errors": names.errors, "uris": names.uris or "", "manifests": names.manifest("ok")}


@pytest.mark.parametrize("window", [WINDOW, None, {**WINDOW, "start": "2026-11-22T02:00:00.000250Z"}])
def test_generation_is_found_by_its_names(window: Any) -> None:
    """A generation is found by its names in every form and place."""
    _, ours = of_window(handle(window=window))
    other = handle(window=window, export_id="clx2")
    for compression in (None, "gzip", "zstd"):
        for kind, key in keys_of(layout_names(other, "lake", compression)).items():
            assert key.startswith(ours.prefix(kind))
            assert ours.generation_of(kind, key) == generation("clx2")


@pytest.mark.parametrize(
    "other",
    [
        {"window": {**WINDOW, "end": "2026-11-23T02:00:00.5Z", "queried_end": "2026-11-23T02:00:02Z"}},
        {"window": {**WINDOW, "start": "2026-11-22T01:00:00Z", "queried_start": "2026-11-22T00:59:59Z"}},
        {"window": None, "started_at": "2026-11-22T02:00:00Z"},
        {"source": {"kind": "project", "id": "clp2"}},
        {"source": {"kind": "dataset", "id": "clp1"}},
    ],
    ids=str,
)
def test_names_of_other_exports_are_no_generation(other: dict[str, Any]) -> None:
    """Another source or window is never treated as a generation of this one."""
    names, ours = of_window(handle())
    others, theirs = of_window(handle(**other))
    assert [ours.generation_of(kind, key) for kind, key in keys_of(others).items()] == [None] * 4
    assert [theirs.generation_of(kind, key) for kind, key in keys_of(names).items()] == [None] * 4


def test_what_is_not_named_by_this_package_is_no_generation() -> None:
    names, ours = of_window(handle())
    for kind, key in keys_of(names).items():
        for foreign in (
            f"{key}.bak",
            f"copy-of/{key}",
            key.replace(G, "gXYZ"),
            key.replace(f"{G}.", f"{G}"),
            f"{key}/x",
        ):
            assert ours.generation_of(kind, foreign) is None
    assert ours.generation_of("data", names.errors) is None


def test_exports_of_one_day_match_without_a_window() -> None:
    """Without a window exports of the same UTC day are the same."""
    _, ours = of_window(handle(window=None))
    later, _ = of_window(handle(window=None, started_at="2026-11-23T23:59:59.5Z", export_id="clx2"))
    next_day, _ = of_window(handle(window=None, started_at="2026-11-24T00:00:00Z", export_id="clx2"))
    assert {ours.generation_of(kind, key) for kind, key in keys_of(later).items()} == {generation("clx2")}
    assert {ours.generation_of(kind, key) for kind, key in keys_of(next_day).items()} == {None}


ids = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40)


@given(ids, st.from_regex(r"[A-Za-z0-9_-]{1,100}", fullmatch=True))
def test_only_data_rows_are_below_data(source_id: str, export_id: str) -> None:
    names = layout_names(handle(source={"kind": "project", "id": source_id}, export_id=export_id), "p", "gzip")
    assert names.data().startswith("p/data/")
    assert names.data().count("/") == 5
    for other in (names.errors, names.uris or "", names.manifest("ok")):
        assert other.startswith(("p/errors/", "p/uris/", "p/manifests/"))


# --- one explicit object


@pytest.mark.parametrize(
    ("key", "filled"),
    [
        ("labels.ndjson", "labels.ndjson"),
        ("/a/b.ndjson", "a/b.ndjson"),
        ("{window_start:%Y-%m-%d}.ndjson", "2026-11-22.ndjson"),
        ("{window_start:%Y}/{window_start:%m}/{window_end:%d-%H%M%S}.x", "2026/11/23-020000.x"),
        ("{window_start:%-d %j %%}", "22 326 %"),
        ("{window_start}_{window_end}", "20261122T020000Z_20261123T020000Z"),
        ("{started_at:%Y%m%d}/{source_kind}/{source_id}/{export_id}.{generation}", f"20261123/project/clp1/clx1.{G}"),
        ("a{{b}}c", "a{b}c"),
        ("dt={window_start:year=%Y}", "dt=year=2026"),
    ],
)
def test_an_explicit_key_is_filled_from_the_handle(key: str, filled: str) -> None:
    assert fill_key(handle(), key) == filled


@pytest.mark.parametrize("field", KEY_FIELDS)
def test_every_field_can_be_used_without_a_format(field: str) -> None:
    check_key(f"{{{field}}}.ndjson")
    assert fill_key(handle(), f"{{{field}}}.ndjson").endswith(".ndjson")


def test_times_in_a_key_are_utc() -> None:
    window = {**WINDOW, "start": "2026-11-22T23:30:00-05:00", "end": "2026-11-23T05:30:00Z"}
    window |= {"queried_start": "2026-11-23T04:29:59Z", "queried_end": "2026-11-23T05:30:01Z"}
    assert fill_key(handle(window=window), "{window_start:%Y-%m-%dT%H}") == "2026-11-23T04"


def test_an_id_in_a_key_cannot_make_a_folder() -> None:
    assert fill_key(handle(source={"kind": "project", "id": "../a"}), "x/{source_id}") == "x/..%2Fa"


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("{window_begin}.ndjson", "a field {window_begin} that does not exist. Valid fields: {window_start}, "),
        ("{}.ndjson", "a field {} that does not exist"),
        ("{0}.ndjson", "a field {0} that does not exist"),
        ("{window_start.year}", "a field {window_start.year} that does not exist"),
        ("{export_id[0]}", "that does not exist"),
        ("{window_start!r}", "converts window_start with !r"),
        ("{window_start", "unbalanced braces"),
        ("window_start}", "unbalanced braces"),
        ("{window_start:YYYY-MM-DD}", "a format 'YYYY-MM-DD' for window_start that is not valid. Valid directives: %Y"),
        ("{window_start:%%}", "that is not valid"),
        ("{window_start:%Q}", "that is not valid"),
        ("{window_start:%Y-%}", "that is not valid"),
        ("{window_start:%b}", "that is not valid"),  # depends on the worker's locale
        ("{window_start:{export_id}}", "that is not valid"),
        ("{export_id:%Y}", "a format '%Y' for export_id"),
        ("{generation:>20}", "a format '>20' for generation"),
        ("", "must name one object, not a folder"),
        ("/", "must name one object, not a folder"),
        ("labels/", "must name one object, not a folder"),
    ],
)
def test_a_key_that_cannot_be_filled_is_refused_while_parsing(key: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_key(key)
    assert part in str(raised.value)
    assert repr(key) in str(raised.value)


@pytest.mark.parametrize("key", ["{window_start:%Y-%m-%d}.ndjson", "x/{window_end}"])
def test_window_key_is_refused_without_a_window(key: str) -> None:
    """A key with a window is refused for an export without one."""
    with pytest.raises(ConfigurationError, match=r"but this export has no window. Use {started_at:%Y-%m-%d} or"):
        fill_key(handle(window=None), key)


@pytest.mark.parametrize(
    ("key", "errors", "manifest"),
    [
        ("a/b.ndjson.gz", f"a/_errors/b.ndjson.gz.{G}.ndjson.gz", f"a/_manifests/b.ndjson.gz.{G}.ok.json"),
        ("b.ndjson", f"_errors/b.ndjson.{G}.ndjson.gz", f"_manifests/b.ndjson.{G}.ok.json"),
        ("/x/{export_id}", f"x/_errors/clx1.{G}.ndjson.gz", f"x/_manifests/clx1.{G}.ok.json"),
    ],
)
def test_manifest_and_errors_lie_beside_an_explicit_object(key: str, errors: str, manifest: str) -> None:
    names = explicit_names(handle(), key, "gzip")
    assert names.data() == names.explicit_key == fill_key(handle(), key)
    assert (names.errors, names.manifest("ok")) == (errors, manifest)
    assert names.uris is None
