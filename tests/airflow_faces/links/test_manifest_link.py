"""The link to the landed manifest in its store's console."""

from __future__ import annotations

from typing import Any

import pytest
from support.stores.servers import gcs_client

from labelbox_export_provider.links.consoles import GoogleConsole, S3Console

URI = "lake/a b/manifests/source=project/id=clp1/20261122T020000Z_20261123T020000Z.g21018df4.ok.json"


def s3_page(**client: Any) -> str | None:
    import boto3

    console = S3Console.of(boto3.client("s3", aws_access_key_id="a", aws_secret_access_key="b", **client))
    return None if console is None else console.page_of(f"s3://{URI}")


def test_an_object_in_aws_has_a_page_in_its_partition() -> None:
    """Its name is quoted; of the credentials and of what they sign, nothing is in the address."""
    where = "prefix=a%20b/manifests/source%3Dproject/id%3Dclp1/20261122T020000Z_20261123T020000Z.g21018df4.ok.json"
    assert s3_page(region_name="eu-west-1") == (
        f"https://console.aws.amazon.com/s3/object/lake?region=eu-west-1&{where}"
    )
    assert s3_page(region_name="cn-north-1") == (
        f"https://console.amazonaws.cn/s3/object/lake?region=cn-north-1&{where}"
    )
    govcloud = s3_page(region_name="us-gov-west-1")
    assert govcloud is not None
    assert govcloud.startswith("https://console.amazonaws-us-gov.com/")
    private = "https://bucket.vpce-1a2b.s3.eu-west-1.vpce.amazonaws.com"
    assert s3_page(region_name="eu-west-1", endpoint_url=private) is not None


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "https://minio.example", "https://amazonaws.com.evil"])
def test_a_store_of_its_own_has_no_page_in_aws(endpoint: str) -> None:
    assert s3_page(region_name="us-east-1", endpoint_url=endpoint) is None
    assert s3_page(region_name="us-iso-east-1") is None


def test_an_object_in_google_cloud_has_a_page() -> None:
    console = GoogleConsole.of(gcs_client("https://storage.googleapis.com"))
    assert console is not None
    assert console.page_of("gs://lake/a b.json") == (
        "https://console.cloud.google.com/storage/browser/_details/lake/a%20b.json"
    )
    assert GoogleConsole.of(gcs_client("http://127.0.0.1:9023")) is None
