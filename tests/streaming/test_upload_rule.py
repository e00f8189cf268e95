"""A store's rule that removes unfinished uploads too early for the next try is warned of, once, and only then asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.stores.servers import file_store, set_gcs_rules, strict_gcs_store, strict_store
from support.streaming.exports import LandingClient

from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.records.object_names import layout_names
from labelbox_export_provider.streaming.landing.land import LandingOptions, plan_landing
from labelbox_export_provider.testing.object_store import StrictS3, strict_gcs, strict_s3
from labelbox_export_provider.testing.sink_conformance import Store

OBJECT_BYTES = 64 * 1024
RULE = "GetBucketLifecycleConfiguration"


@pytest.fixture
def server() -> Iterator[StrictS3]:
    with strict_s3() as served:
        yield served


def warnings_of(
    caplog: pytest.LogCaptureFixture, at: LandingClient, handle: ExportHandle, store: Store, **options: Any
) -> list[str]:
    """Land, and return what is warned of."""
    caplog.clear()
    options = {"max_object_bytes": OBJECT_BYTES, "tries": timedelta(days=3, hours=1), **options}
    with caplog.at_level(logging.DEBUG):
        at.land(handle, store.again(), **options)
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_rule_of_too_few_days_is_warned_of(at: LandingClient, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """The warning names the rule, its days, what may be lost, and how many days are enough."""
    with strict_s3() as s3, strict_gcs() as gcs:
        store = strict_store(s3) if kind == "s3" else strict_gcs_store(gcs)
        assert store.set_upload_rules is not None
        store.set_upload_rules({"lake/": 3})
        (warning,) = warnings_of(caplog, at, at.export(), store)
    name = "'uploads below lake/'" if kind == "s3" else "for 'lake/'"
    assert warning.startswith(f"The lifecycle rule {name} of the store removes uploads")
    for part in ("after 3 day(s)", "3 days, 1:00:00", "moves it again", "wait for 4 day(s) or more"):
        assert part in warning


@pytest.mark.parametrize(
    ("rules", "tries"),
    [({"lake/": 4}, 4), ({"pool/": 1}, 4), ({"lake/": 1}, 1), ({}, 4)],
    ids=["long enough", "of other keys", "short tries", "no rules"],
)
def test_a_rule_that_harms_nothing_is_not_warned_of(
    at: LandingClient, caplog: pytest.LogCaptureFixture, server: StrictS3, rules: dict[str, int], tries: int
) -> None:
    """One of as many days as the tries may take is enough."""
    store = strict_store(server)
    assert store.set_upload_rules is not None
    if rules:
        store.set_upload_rules(rules)
    assert warnings_of(caplog, at, at.export(), store, tries=timedelta(days=tries)) == []
    assert [call.operation for call in server.calls].count(RULE) == 1


@pytest.mark.parametrize(
    "options",
    [{"tries": None}, {"max_object_bytes": 1 << 30}, {"max_object_bytes": None}, {"key": "lake/rows"}],
    ids=["tries unknown", "one object", "never split", "explicit key"],
)
def test_a_landing_that_has_no_use_for_the_rule_makes_no_call(
    at: LandingClient, caplog: pytest.LogCaptureFixture, server: StrictS3, options: dict[str, Any]
) -> None:
    """A small landing costs what it cost before."""
    store = strict_store(server)
    assert store.set_upload_rules is not None
    store.set_upload_rules({"lake/": 1})
    server.calls.clear()
    assert warnings_of(caplog, at, at.export(), store, **options) == []
    assert RULE not in {call.operation for call in server.calls}


def test_an_explicit_key_that_can_be_resumed_is_asked_for(
    at: LandingClient, caplog: pytest.LogCaptureFixture, server: StrictS3
) -> None:
    """Its one upload lives from the first range on, so the rule counts as it does for several objects."""
    store = strict_store(server)
    assert store.set_upload_rules is not None
    store.set_upload_rules({"lake/": 1})
    (warning,) = warnings_of(caplog, at, at.export(), store, key="lake/rows", receipt_bytes=OBJECT_BYTES)
    assert "(s3://lake/lake/rows)" in warning


def test_a_rule_that_may_not_be_read_changes_nothing(
    at: LandingClient, caplog: pytest.LogCaptureFixture, server: StrictS3
) -> None:
    """The permission is optional: without it nothing is logged but at debug level."""
    store, handle = strict_store(server), at.export()
    assert store.set_upload_rules is not None
    store.set_upload_rules({"lake/": 1})
    server.denied = frozenset({RULE})
    assert warnings_of(caplog, at, handle, store) == []
    assert "s3:GetLifecycleConfiguration" in caplog.text
    assert len([name for name in store.visible() if "manifests/" in name]) == 1


def test_a_directory_has_no_such_rule(at: LandingClient, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Temporary files stay until the next try."""
    (tmp_path / "lake").mkdir()
    assert warnings_of(caplog, at, at.export(), file_store(tmp_path / "lake")) == []


@pytest.mark.parametrize("shard_bytes", [1, 1 << 30], ids=["shards", "one shard"])
def test_a_plan_warns_for_all_its_tasks(at: LandingClient, caplog: pytest.LogCaptureFixture, shard_bytes: int) -> None:
    """The task that plans asks, once, also where one task is enough and publishes what it moves itself."""
    handle = at.export()
    with strict_gcs() as gcs:
        set_gcs_rules(gcs, {"lake/": 1})
        plan_landing(
            client=at.client,
            handle=handle,
            names=layout_names(handle, "lake", "gzip"),
            sink=strict_gcs_store(gcs).sink,
            options=LandingOptions(max_object_bytes=OBJECT_BYTES),
            shard_bytes=shard_bytes,
            tries=timedelta(days=2),
        )
    assert caplog.text.count("The lifecycle rule for 'lake/' of the store removes uploads") == 1
