"""Landing in stores that speak S3 and lack what AWS has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.stores.s3_uploads import leave_checksums_to_the_client
from support.stores.servers import BUCKET, s3_client
from support.streaming.exports import ERROR_LINES, LandingClient, rows_in
from support.streaming.landing import expected_rows
from support.streaming.tls import certificate

from labelbox_export_provider.errors import IntegrityError, StorageError
from labelbox_export_provider.sinks.s3.sink import S3Sink
from labelbox_export_provider.testing.faults import ErrorRows
from labelbox_export_provider.testing.object_store import Call, strict_s3


@pytest.mark.parametrize("place", [{"prefix": "labels"}, {"key": "data/rows.ndjson"}], ids=["layout", "explicit key"])
def test_a_store_that_keeps_framing_gets_none(at: LandingClient, tmp_path: Path, place: Any) -> None:
    """G3: over https, with boto3's defaults. Where framing is sent all the same, nothing of it is left."""
    bundle, context = certificate(tmp_path)
    handle = at.export()
    with strict_s3(tls=context, keeps_framing=True, checksum_type="", checks_size=False) as server:
        client = s3_client(server.address, verify=str(bundle))
        at.land(handle, S3Sink(client, BUCKET), compression=None, **place)
        data = {name: content for name, content in server.visible().items() if name.endswith(".ndjson")}
        assert rows_in(data) == expected_rows(at, handle)
        server.reset()
        framing = leave_checksums_to_the_client(s3_client(server.address, verify=str(bundle)))
        with pytest.raises(StorageError, match=r"removed again.*request_checksum_calculation") as caught:
            at.land(handle, S3Sink(framing, BUCKET), compression=None, **place)
        assert not caught.value.retryable
        assert server.visible() == {}
        assert server.open_uploads() == []


@pytest.mark.parametrize("prefix", ["data/", "errors/", "uris/"])
def test_a_store_that_loses_bytes_behind_a_checksum(at: LandingClient, prefix: str) -> None:
    """G3: sizes are compared once more right before the manifest, also where the store had confirmed a checksum."""
    at.fake.faults.add(ErrorRows(lines=ERROR_LINES))
    with strict_s3() as server:

        def lose(call: Call) -> None:
            for key, there in list(server.objects.items()):
                if call.operation == "ListObjectsV2" and f"/{prefix}" in f"/{key}":
                    server.objects[key] = replace(there, content=there.content[:-1])

        server.fault = lose
        with pytest.raises(IntegrityError, match="removed again"):
            at.land(at.export(), S3Sink(s3_client(server.address), BUCKET), prefix="labels", max_error_rows=9)
        assert not [key for key in server.visible() if "manifests/" in key or prefix in key]
