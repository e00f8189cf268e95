"""What an identity may not do in Google Cloud Storage, and what the service refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.client.scripted_server import closed_port
from support.stores.gcs_uploads import CONTENT, MINE, expected, inject, put_and_complete, sink, write
from support.stores.servers import BUCKET, gcs_client
from support.streaming.http import Reply, http_server

from labelbox_export_provider.errors import (
    StorageDeniedError,
    StorageError,
    StorageUnavailableError,
)
from labelbox_export_provider.sinks.base import (
    EXPORT_ID,
    NewObject,
)
from labelbox_export_provider.sinks.gcs.sink import GCSSink
from labelbox_export_provider.testing.object_store import Fault, StrictGCS


def test_a_retry_needs_no_permission_to_delete(server: StrictGCS) -> None:
    """The next try needs no permission to delete where its object is there already."""
    write(server).complete(expected())
    server.denied = frozenset({"storage.objects.delete"})
    generation = server.objects["rows"].generation
    assert write(server).complete(expected()).version_id == str(generation)
    assert server.objects["rows"].generation == generation


def test_overwriting_without_permission_to_delete_is_refused(server: StrictGCS) -> None:
    """Overwriting something else without permission to delete is refused, and the error names the permission."""
    sink(server).put(NewObject("rows", "text/plain", {EXPORT_ID: "other"}), b"theirs")
    server.denied = frozenset({"storage.objects.delete"})
    with pytest.raises(StorageError, match=r"storage\.objects\.delete where an object is overwritten"):
        put_and_complete(sink(server).begin(NewObject("rows", "text/plain", MINE)))
    assert server.visible() == {"rows": b"theirs"}


@pytest.mark.parametrize(
    ("permission", "call"),
    [
        ("storage.multipartUploads.create and storage.objects.create", write),
        ("storage.objects.create", lambda server: sink(server).put(NewObject("rows", "text/plain"), b"x")),
        ("storage.objects.list", lambda server: list(sink(server).list("labelbox/"))),
        ("storage.objects.delete", lambda server: sink(server).delete("rows")),
    ],
)
def test_a_missing_permission_is_named(server: StrictGCS, permission: str, call: Callable[[StrictGCS], Any]) -> None:
    server.denied = frozenset({permission.rpartition(" ")[2]})
    with pytest.raises(StorageDeniedError, match=f"needs {permission}"):
        call(server)


def test_a_policy_that_forbids_a_call_is_named(server: StrictGCS) -> None:
    """A policy that forbids a call is reported with its reason, not as a missing permission."""
    server.fault = inject("insert", Fault("before", 403, "retentionPolicyNotMet"))
    with pytest.raises(StorageError, match=r"'retentionPolicyNotMet'\. Check the bucket's retention policy") as refused:
        sink(server).put(NewObject("rows", "text/plain"), b"x")
    assert "needs storage.objects" not in str(refused.value)


@pytest.mark.parametrize("status", [408, 500, 503])
def test_an_uncertain_call_promises_nothing(server: StrictGCS, status: int) -> None:
    """The error of a call that perhaps took effect does not claim that nothing happened."""
    server.fault = inject("insert", Fault("after", status), for_ever=True)
    with pytest.raises(StorageUnavailableError, match="Whether it took effect is not known; another try finds out"):
        sink(server, retry_timeout=0.1).put(NewObject("rows", "text/plain"), b"x")
    assert server.visible() == {"rows": b"x"}


def test_an_unreachable_token_service_is_retryable(
    server: StrictGCS,
) -> None:
    """A token service out of reach is worth a retry, and one that refuses is not."""
    from google.cloud import storage
    from google.oauth2.credentials import Credentials

    def bucket_of(token_uri: str) -> GCSSink:
        credentials: Any = Credentials  # Google leaves its constructor untyped
        identity = credentials(
            token=None, refresh_token="refresh", token_uri=token_uri, client_id="us", client_secret="secret"
        )
        options = {"api_endpoint": server.address}
        client = storage.Client(project="test", credentials=identity, client_options=options)
        return GCSSink(client, BUCKET, retry_timeout=0.1)

    with pytest.raises(StorageUnavailableError, match=r"token service .* gave no answer.*was not sent"):
        bucket_of(f"http://127.0.0.1:{closed_port()}").put(NewObject("rows", "text/plain"), b"x")
    with (
        http_server(
            lambda request: Reply(400, b'{"error": "invalid_grant"}', {"Content-Type": "application/json"})
        ) as refusing,
        pytest.raises(StorageError, match=r"gets no token.*was not sent \(RefreshError\)") as refused,
    ):
        bucket_of(refusing).put(NewObject("rows", "text/plain"), b"x")
    assert type(refused.value) is StorageError
    assert server.calls == []


def test_a_bucket_that_does_not_exist_is_named(server: StrictGCS) -> None:
    with pytest.raises(StorageError, match=r"There is no bucket 'no-such-lake'.*bucket_name"):
        GCSSink(gcs_client(server.address), "no-such-lake").put(NewObject("rows", "text/plain"), b"x")


def test_uploads_that_may_not_be_listed_are_logged_once(server: StrictGCS, caplog: pytest.LogCaptureFixture) -> None:
    """A landing looks below several prefixes, and the usual roles lack this permission."""
    server.denied = frozenset({"storage.multipartUploads.list"})
    store = sink(server)
    assert [store.abort_open_uploads(prefix) for prefix in ("data/", "errors/", "manifests/")] == [0, 0, 0]
    assert caplog.text.count("needs storage.multipartUploads.list") == 1


def test_an_identity_that_may_only_create_can_land(server: StrictGCS) -> None:
    """An identity that may only create can land, and treats what it may not read as missing."""
    server.denied = frozenset({"storage.objects.get", "storage.objects.list", "storage.objects.delete"})
    server.denied |= {"storage.multipartUploads.list", "storage.multipartUploads.listParts"}
    assert sink(server).abort_open_uploads("rows") == 0
    write(server).complete(expected())
    assert sink(server).head("rows") is None
    assert sink(server).read("rows", limit=10) is None
    assert server.visible() == {"rows": CONTENT}
