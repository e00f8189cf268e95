"""An AWS connection that does not work is named, with what to fix in it; nothing is sent to the bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.airflow.transfer_stores import error_about
from support.streaming.http import Reply, http_server

from labelbox_export_provider.errors import StorageError, StorageUnavailableError
from labelbox_export_provider.transfers.to_s3 import LabelboxExportToS3Operator

ROLE = "arn:aws:iam::111122223333:role/lake"


def open_with(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> StorageError:
    """Return the operator's message about a connection with this extra."""
    connection = {"conn_type": "aws", "login": "AKIAEXAMPLE", "password": "a-secret-key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LAKE", json.dumps(connection))
    monkeypatch.setattr("botocore.endpoint.time", type("Time", (), {"sleep": staticmethod(lambda seconds: None)}))
    task = LabelboxExportToS3Operator(
        task_id="land", export="{{ x }}", s3_bucket="lake", s3_prefix="labelbox", aws_conn_id="aws_lake"
    )
    return error_about("aws_lake", task, secret="a-secret-key")


def token_service(address: str) -> dict[str, Any]:
    return {"role_arn": ROLE, "region_name": "us-east-1", "service_config": {"sts": {"endpoint_url": address}}}


def answer(status: int, code: str) -> Reply:
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>not authorized to assume {ROLE}</Message></Error></ErrorResponse>"
    )
    return Reply(status, body.encode(), {"Content-Type": "text/xml"})


def test_a_role_that_may_not_be_assumed_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A role that may not be assumed is named, with the trust policy to correct."""
    with http_server(lambda request: answer(403, "AccessDenied")) as address:
        reported = open_with(monkeypatch, **token_service(address))
    assert not reported.retryable
    assert "AssumeRole was answered with AccessDenied" in str(reported)
    assert ROLE in str(reported)
    assert "trust policy" in str(reported)


def test_a_token_service_that_fails_is_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(lambda request: answer(500, "InternalFailure")) as address:
        reported = open_with(monkeypatch, **token_service(address))
    assert isinstance(reported, StorageUnavailableError)
    assert "Retrying may help" in str(reported)


def test_a_token_service_that_cannot_be_reached_is_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = open_with(monkeypatch, **token_service("http://127.0.0.1:9"))
    assert isinstance(reported, StorageUnavailableError)
    assert "endpoint_url" in str(reported)


@pytest.mark.parametrize(
    "extra",
    [
        {"profile_name": "no-such-profile"},
        {"endpoint_url": "no address", "region_name": "us-east-1"},
        {"region_name": "us-east-1", "config_kwargs": {"no_such_option": 1}},
    ],
    ids=["profile", "endpoint", "client option"],
)
def test_a_setting_that_gives_no_client_is_named(extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reported = open_with(monkeypatch, **extra)
    assert not reported.retryable
    (option,) = set(extra) - {"region_name"}
    assert option in str(reported)
