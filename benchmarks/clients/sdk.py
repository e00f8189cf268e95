"""The users' way today: the official SDK's stream of rows, written to a local file, then boto3's `upload_file`."""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings

from benchmarks.clients.common import Notes, s3_client


def main() -> None:
    """Move one export."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--graphql", "--export", "--endpoint", "--bucket", "--key"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import labelbox as lb
        from labelbox.schema.export_task import ExportTask
    notes = Notes()
    client = lb.Client(api_key="bench", endpoint=given.graphql)
    task = ExportTask.get_task(client, given.export)
    rows = 0
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
        for output in task.get_buffered_stream():
            file.write(json.dumps(output.json) + "\n")
            rows += 1
        file.flush()
        s3_client(given.endpoint).upload_file(file.name, given.bucket, given.key)
    notes.write(rows=rows)


if __name__ == "__main__":
    main()
