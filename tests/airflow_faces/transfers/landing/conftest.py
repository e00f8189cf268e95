"""Each store of the transfers, empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.airflow.landing_group import FILE_BYTES
from support.airflow.transfer_stores import Store
from support.stores.servers import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    files,
    gcs_client,
    gcs_emulator,
    gcs_objects,
    moto_server,
    objects,
    open_uploads,
    s3_client,
)

from labelbox_export_provider import (
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
)
from labelbox_export_provider.testing import Behaviour, FakeLabelbox, StreamLayout, generate_rows, object_store


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    with moto_server() as endpoint:
        yield endpoint, s3_client(endpoint)


@pytest.fixture(scope="module")
def gcs() -> Iterator[str]:
    with gcs_emulator() as endpoint:
        yield endpoint


@pytest.fixture
def strict_gcs() -> Iterator[str]:
    with object_store.strict_gcs() as server:
        yield server.address
        assert server.open_uploads() == []


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    """A fake Labelbox whose night has some objects' worth of rows, in files that are smaller than an object."""
    layout = StreamLayout(file_bytes=FILE_BYTES)
    rows = generate_rows(1500, start=date(2026, 11, 20), days=5)
    with FakeLabelbox(rows, behaviour=Behaviour(streams=layout)) as running:
        for name, value in running.airflow_environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if getattr(request, "param", "file") == "file":

        def to_file(**options: Any) -> LabelboxExportToFileOperator:
            key = options.pop("key", None)
            (tmp_path / "cars").mkdir(exist_ok=True)
            where = {"root": str(tmp_path)} if key is None else {"path": f"{tmp_path}/{key}"}
            return LabelboxExportToFileOperator(task_id="land", **where, **options)

        yield Store(to_file, lambda: files(tmp_path))
        return
    if request.param in {"gcs", "strict_gcs"}:
        endpoint = request.getfixturevalue(request.param)
        anonymous = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "test"}}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT", json.dumps(anonymous))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        google = gcs_client(endpoint)
        bucket = f"lake-{tmp_path.name}".lower().replace("_", "-")[:60].rstrip("-")
        if request.param == "gcs":
            google.create_bucket(bucket)

        def to_gcs(**options: Any) -> LabelboxExportToGCSOperator:
            name = options.pop("key", None)
            where = {"object_prefix": "/"} if name is None else {"object_name": name}
            return LabelboxExportToGCSOperator(task_id="land", **{"bucket_name": bucket, **where, **options})

        yield Store(to_gcs, lambda: gcs_objects(google, bucket))
        return
    endpoint, client = request.getfixturevalue("s3")
    aws = {"login": ACCESS_KEY, "password": SECRET_KEY, "extra": {"endpoint_url": endpoint, "region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **aws}))
    client.create_bucket(Bucket=BUCKET)

    def to_s3(**options: Any) -> LabelboxExportToS3Operator:
        key = options.pop("key", None)
        where = {"s3_prefix": "/"} if key is None else {"s3_key": key}
        return LabelboxExportToS3Operator(task_id="land", **{"s3_bucket": BUCKET, **where, **options})

    yield Store(to_s3, lambda: objects(client))
    assert open_uploads(client) == []
    for name in objects(client):
        client.delete_object(Bucket=BUCKET, Key=name)
    client.delete_bucket(Bucket=BUCKET)
