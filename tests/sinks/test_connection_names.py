"""Errors of a store name the connection, and the endpoint where it is not the cloud's own."""

from __future__ import annotations

import pytest

from labelbox_export_provider.sinks.connection_names import AWS_HOSTS, GOOGLE_HOSTS, with_endpoint


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "lake"),
        ("https://storage.googleapis.com", "lake"),
        ("", "lake"),
        (None, "lake"),
        ("http://minio.lan:9000/path?token=x", "lake (endpoint minio.lan:9000)"),
        ("https://user:secret@minio.lan", "lake (endpoint minio.lan)"),
        ("https://amazonaws.com.example", "lake (endpoint amazonaws.com.example)"),
    ],
)
def test_only_a_foreign_endpoint_is_named_by_its_host(endpoint: str | None, shown: str) -> None:
    """Neither user, password, path nor query is shown."""
    assert with_endpoint("lake", endpoint, AWS_HOSTS + GOOGLE_HOSTS) == shown
