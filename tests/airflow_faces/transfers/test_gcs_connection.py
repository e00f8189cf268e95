"""A Google Cloud connection that does not work is named, with what to fix in it; nothing is sent to the bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.airflow.transfer_stores import error_about

from labelbox_export_provider.errors import ConfigurationError, StorageError
from labelbox_export_provider.transfers.to_gcs import LabelboxExportToGCSOperator

KEY = "-----BEGIN PRIVATE KEY-----\nnot-a-key-but-secret\n-----END PRIVATE KEY-----\n"


def open_with(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> StorageError:
    """Return the operator's message about a connection with this extra."""
    connection = {"conn_type": "google_cloud_platform", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_LAKE", json.dumps(connection))
    task = LabelboxExportToGCSOperator(
        task_id="land", export="{{ x }}", bucket_name="lake", object_prefix="labelbox", gcp_conn_id="google_lake"
    )
    return error_about("google_lake", task, secret="not-a-key-but-secret")


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        ({"key_path": "/no/such/key.json"}, "/no/such/key.json"),
        ({"keyfile_dict": "{not json"}, "Invalid key JSON"),
        ({"keyfile_dict": {"type": "service_account", "private_key": KEY}}, "keyfile_dict"),
        ({"keyfile_dict": {"type": "service_account"}, "key_path": "/both"}, "mutually exclusive"),
    ],
    ids=["missing file", "broken JSON", "half a key", "two keys"],
)
def test_a_setting_that_gives_no_client_is_named(
    extra: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = open_with(monkeypatch, **extra)
    assert not reported.retryable
    assert word in str(reported)
    assert "key_path, keyfile_dict" in str(reported)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["object_prefix", "object_name", "neither"]),
        ({"bucket_name": "lake", "object_prefix": "a", "object_name": "b"}, ["both"]),
        ({"bucket_name": "lake", "object_prefix": ""}, ["'/'"]),
        ({"bucket_name": "lake", "object_name": "gs://other/b"}, ["bucket_name='lake'"]),
        ({"bucket_name": "lake", "object_name": "/"}, ["not a folder"]),
        ({"object_name": "name-without-bucket"}, ["bucket_name="]),
        ({"bucket_name": "lake", "object_prefix": "a", "sink_args": {"storageClass": "NEARLINE"}}, ["storage_class"]),
        ({"bucket_name": "lake", "object_prefix": "a", "sink_args": {"content_encoding": "gzip"}}, ["compression="]),
        ({"bucket_name": "lake", "object_prefix": "a", "sink_args": {"encryption_key": "k"}}, ["kms_key_name"]),
    ],
)
def test_a_wrong_gcs_target_fails_while_the_dag_is_parsed(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        LabelboxExportToGCSOperator(task_id="land", export="{{ x }}", **options)
    assert all(word in str(refusal.value) for word in words), refusal.value


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"custom_time": "yesterday"}, "ISO 8601"),
        ({"custom_time": "2026-11-22T02:00:00"}, "no offset"),
        ({"storage_class": 5}, "a str, not int"),
    ],
)
def test_a_wrong_value_for_the_store_is_named_while_parsing(value: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        LabelboxExportToGCSOperator(
            task_id="land", export="{{ x }}", bucket_name="lake", object_prefix="a", sink_args=value
        )


def test_the_client_acts_as_the_last_impersonated_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is asked for when the first call is made; the chain is Airflow's own business until then."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "lake",
        "client_email": "airflow@lake.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    extra = {"keyfile_dict": json.dumps(account), "project": "lake"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
    )
    task = LabelboxExportToGCSOperator(
        task_id="land",
        export="{{ x }}",
        bucket_name="lake",
        object_prefix="a",
        impersonation_chain=["first@lake.iam.gserviceaccount.com", "writer@lake.iam.gserviceaccount.com"],
    )
    credentials = task._open_sink()._calls._client._credentials  # type: ignore[attr-defined]  # of this store
    assert credentials.service_account_email == "writer@lake.iam.gserviceaccount.com"
    assert credentials._delegates == ["first@lake.iam.gserviceaccount.com"]
    assert credentials._source_credentials.service_account_email == "airflow@lake.iam.gserviceaccount.com"
