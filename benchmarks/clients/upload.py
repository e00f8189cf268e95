"""The store's limit: uploads the same bytes from a local file, by parts of 16 MiB from four threads, same client."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.clients.common import Notes, s3_client


def main() -> None:
    """Upload one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--endpoint", "--bucket", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--file", required=True, type=Path)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--part-bytes", type=int, default=16 * 1024**2)
    given = parser.parse_args()
    client = s3_client(given.endpoint)
    notes = Notes()
    target = {"Bucket": given.bucket, "Key": given.key}
    upload = client.create_multipart_upload(**target)["UploadId"]

    def put(number: int) -> dict[str, Any]:
        with given.file.open("rb") as file:
            file.seek((number - 1) * given.part_bytes)
            body = file.read(given.part_bytes)
        answer = client.upload_part(**target, UploadId=upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with ThreadPoolExecutor(given.workers) as pool:
        parts = list(pool.map(put, range(1, -(-given.file.stat().st_size // given.part_bytes) + 1)))
    client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})
    notes.write(bytes=given.file.stat().st_size)


if __name__ == "__main__":
    main()
