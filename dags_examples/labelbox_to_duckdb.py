"""Every landed night of `labelbox_project_nightly` in a table of DuckDB, as soon as it is there.

A run starts from the asset event of a landing, whose extra names the manifest. The task reads the manifest, and loads
the objects that it names: never a prefix, where an older export of the same night may lie beside the new one. Loading a
night again replaces its rows. The view `labelbox_newest` has every data row as its newest night brought it.

Before you unpause it, install `duckdb` where tasks run, keep the connection `aws_default` with which the nights are
landed, and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_DUCKDB` | path of the database, on a disk that all workers mount; a run makes it if it is missing |

A run that you trigger by hand loads the manifests that its form names, such as those of earlier nights.

More in the provider's repository: `docs/monitoring.md`, `docs/in-the-bucket.md`.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, Param, task

DATABASE = os.environ.get("LABELBOX_DUCKDB", "/mnt/lake/labelbox.duckdb")

TABLE = """
create table if not exists labelbox_rows (
  source text, window_start timestamptz, window_end timestamptz, manifest text, data_row_id text, content json
);
create or replace view labelbox_newest as
  select distinct on (source, data_row_id) * from labelbox_rows order by source, data_row_id, window_end desc
"""

with DAG(
    dag_id="labelbox_to_duckdb",
    doc_md=__doc__,
    schedule=[Asset("labelbox_project")],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,  # a database of DuckDB has one writer
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    params={"manifest_uris": Param([], type="array", items={"type": "string"}, title="Manifests, for a run by hand")},
    tags=["labelbox"],
) as dag:

    @task
    def load(triggering_asset_events: Any = None, params: Any = None) -> dict[str, int]:
        """Load what the events of this run name; return the rows by manifest."""
        import duckdb
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        events = [event for of_asset in (triggering_asset_events or {}).values() for event in of_asset]
        uris = [event.extra["manifest_uri"] for event in events] + list(params["manifest_uris"])
        if not uris:
            raise ValueError("Nothing to load: no event started this run, and its form names no manifest.")
        hook = S3Hook(aws_conn_id="aws_default")
        loaded = {}
        with duckdb.connect(DATABASE) as database, tempfile.TemporaryDirectory() as folder:
            database.execute(TABLE)
            for uri in uris:
                manifest = json.loads(hook.read_key(uri))
                window = manifest["export"]["window"] or {"start": None, "end": None}
                source = "/".join(manifest["export"]["source"][name] for name in ("kind", "id"))
                night = [source, window["start"], window["end"]]
                files = []
                for each in manifest["objects"]:
                    content = hook.get_key(each["uri"]).get()["Body"].read()
                    files.append(str(Path(folder, each["uri"].rpartition("/")[2])))
                    Path(files[-1]).write_bytes(content)
                database.begin()
                database.execute(
                    "delete from labelbox_rows where source = $1 and window_start is not distinct from $2"
                    " and window_end is not distinct from $3",
                    night,
                )
                if files:
                    database.execute(
                        "insert into labelbox_rows select $1, $2, $3, $4, json->>'$.data_row.id', json"
                        " from read_ndjson_objects($5)",
                        [*night, uri, files],
                    )
                count = database.execute("select count(*) from labelbox_rows where manifest = $1", [uri]).fetchone()
                loaded[uri] = count[0] if count else 0
                expected = sum(each["rows"] for each in manifest["objects"])
                if loaded[uri] != expected:
                    raise ValueError(f"{uri} names {expected} rows, and {loaded[uri]} were read: nothing is kept.")
                database.commit()
        return loaded

    load()
