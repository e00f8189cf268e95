"""Google's client library uploads a local file: `blob.upload_from_filename`."""

from __future__ import annotations

import argparse

from benchmarks.clients.common import Notes, gcs_bucket


def main() -> None:
    """Upload one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--endpoint", "--bucket", "--key", "--file"):
        parser.add_argument(name, required=True)
    parser.add_argument("--chunk-bytes", type=int, help="the library's default when left out")
    given = parser.parse_args()
    bucket = gcs_bucket(given.bucket, given.endpoint)
    notes = Notes()
    bucket.blob(given.key, chunk_size=given.chunk_bytes).upload_from_filename(given.file)
    notes.write()


if __name__ == "__main__":
    main()
