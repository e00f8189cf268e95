"""The roles of docs/permissions.md are enough in Google Cloud Storage for what the page says, and not for the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.stores.faulty_sink import FaultySink, KilledError, SinkFault
from support.stores.servers import gcs_client
from support.streaming.exports import LandingClient, landing_client, rows_in

from labelbox_export_provider.errors import StorageError
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.testing import FakeLabelbox, generate_rows
from labelbox_export_provider.testing.object_store import StrictGCS, strict_gcs
from labelbox_export_provider.testing.object_store.gcs import PERMISSIONS

PAGE = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
GCS = PAGE.partition("## Google Cloud Storage")[2]
ALL = frozenset(each for needed in PERMISSIONS.values() for each in needed)
ROLES = {
    "roles/storage.objectCreator": {
        *("storage.objects.create", "storage.multipartUploads.create", "storage.multipartUploads.abort"),
        "storage.multipartUploads.listParts",
    },
    "roles/storage.objectViewer": {"storage.objects.get", "storage.objects.list"},
}
"""What Google's own list of roles gives them, as far as objects and uploads are concerned."""
MORE = {"storage.objects.delete", "storage.multipartUploads.list"}
"""What the page calls worth having, and `roles/storage.objectUser` holds too."""


def section(heading: str) -> str:
    return GCS.partition(f"### {heading}\n")[2].partition("\n### ")[0]


def denied_by(heading: str) -> frozenset[str]:
    """What the roles that the section begins with do not hold."""
    named = re.findall(r"`(roles/\S+)`", section(heading).split("\n\n")[0].partition("alone")[0])
    assert named
    return ALL - frozenset().union(*(ROLES[name] for name in named))


@pytest.fixture(scope="module")
def at() -> Iterator[LandingClient]:
    with FakeLabelbox(generate_rows(120)) as fake, landing_client(fake) as made:
        yield made


@pytest.fixture
def server() -> Iterator[StrictGCS]:
    with strict_gcs() as served:
        yield served


def sink(server: StrictGCS) -> GCSSink:
    return GCSSink(gcs_client(server.address), "lake")


def land(at: LandingClient, server: StrictGCS, *, minutes: float = 0, **options: object) -> None:
    handle = at.export(minutes=minutes)
    at.land(handle, sink(server), prefix="labelbox", **options)  # type: ignore[arg-type]  # passed on as they are
    assert set(rows_in(server.visible())) == set(at.fake.rows_for(like=handle.export_id))


def test_the_table_holds_the_permissions_that_the_usual_roles_give() -> None:
    table = set(re.findall(r"^\| `(storage\.\S+)` \|", section("The usual roles"), re.MULTILINE))
    assert table == ALL - denied_by("The usual roles") == ALL - MORE
    assert all(f"- `{name}`" in section("The usual roles") for name in MORE)


def test_the_usual_roles_are_enough_to_land_retry_and_refuse(at: LandingClient, server: StrictGCS) -> None:
    server.denied = denied_by("The usual roles")
    land(at, server)
    with pytest.raises(StorageError, match="rerun='refuse'"):
        land(at, server, rerun="refuse")


@pytest.mark.parametrize("place", [("complete", "data"), ("put", "uris"), ("put", "manifests")])
def test_with_the_usual_roles_a_retry_goes_on_with_what_a_killed_try_has_written(
    at: LandingClient, server: StrictGCS, place: tuple[str, str]
) -> None:
    server.denied = denied_by("The usual roles")
    handle = at.export()
    killed = FaultySink(sink(server), SinkFault(place[0], place[1], 0, "killed after"))  # type: ignore[arg-type]  # one of its words
    with pytest.raises(KilledError):
        at.land(handle, killed, prefix="labelbox")
    before = server.visible()
    at.land(handle, sink(server), prefix="labelbox")
    assert before.items() <= server.visible().items()
    assert len([name for name in server.visible() if "manifests/" in name]) == 1


def test_a_rule_that_is_too_short_is_seen_with_one_permission_more(
    at: LandingClient, server: StrictGCS, caplog: pytest.LogCaptureFixture
) -> None:
    """The rules of the page, tries that take a day more: warned of with the permission, and not without."""
    found = re.search(r"```json\n(.*?)```", section("Uploads that nobody finishes in Cloud Storage"), re.DOTALL)
    assert found is not None
    server.lifecycle = json.loads(found[1])
    assert "One more is optional: `storage.buckets.get`" in section("The usual roles")
    for warned, more in ((0, {"storage.buckets.get"}), (1, set[str]())):
        server.denied = denied_by("The usual roles") | more
        caplog.clear()
        land(at, server, minutes=warned, max_object_bytes=64 * 1024, tries=timedelta(days=8))
        assert caplog.text.count("The lifecycle rule for 'labelbox/' of the store removes uploads") == warned


def test_replacing_older_generations_needs_the_right_to_delete_and_says_so(
    at: LandingClient, server: StrictGCS
) -> None:
    server.denied = denied_by("The usual roles")
    land(at, server)
    with pytest.raises(StorageError, match=r"needs storage\.objects\.delete"):
        land(at, server, minutes=1, rerun="replace")
    server.denied = frozenset()
    land(at, server, minutes=2, rerun="replace")


def test_exports_land_whole_with_the_right_to_create_alone(at: LandingClient, server: StrictGCS) -> None:
    server.denied = denied_by("Only creating")
    assert server.denied == ALL - ROLES["roles/storage.objectCreator"]
    land(at, server)


@pytest.mark.parametrize("rerun", ["refuse", "replace"])
def test_with_the_right_to_create_alone_other_generations_cannot_be_looked_for_and_that_is_said_first(
    at: LandingClient, server: StrictGCS, rerun: str
) -> None:
    server.denied = denied_by("Only creating")
    at.fake.requests.clear()
    with pytest.raises(StorageError, match=r"storage\.objects\.list"):
        land(at, server, rerun=rerun)
    assert at.fake.requests.files == []
    assert server.visible() == {}


def test_with_the_right_to_create_alone_a_retry_is_refused_at_a_name_that_is_taken(
    at: LandingClient, server: StrictGCS
) -> None:
    server.denied = denied_by("Only creating")
    handle = at.export()
    killed = FaultySink(sink(server), SinkFault("complete", "data", 0, "killed after"))
    with pytest.raises(KilledError):
        at.land(handle, killed, prefix="labelbox")
    with pytest.raises(StorageError, match=r"storage\.objects\.get"):
        at.land(handle, sink(server), prefix="labelbox")
    server.denied -= {"storage.objects.get"}
    at.land(handle, sink(server), prefix="labelbox")
    assert rows_in(server.visible()) == at.fake.rows_for(like=handle.export_id)


@pytest.mark.parametrize("heading", ["The usual roles", "Only creating"])
def test_the_roles_are_enough_to_ask_before_the_start(server: StrictGCS, heading: str) -> None:
    """An upload is opened and aborted."""
    server.denied = denied_by(heading)
    sink(server).check_writable("labelbox/data/rows")
    assert [call.operation for call in server.calls if call.operation != "bucket"] == [
        *("CreateMultipartUpload", "UploadPart", "AbortMultipartUpload")
    ]
    assert server.open_uploads() == []
