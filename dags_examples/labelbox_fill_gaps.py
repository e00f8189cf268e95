"""Land one window of some sources again, or for the first time: what a check of windows prints goes into the form.

The operator `LabelboxWindowsCheckOperator` and the command `windows` print for each gap `{"sources": [...], "start":
"...", "end": "..."}`: the values of this DAG's trigger form. Each source is a mapped task of its own, and the whole gap
is landed as one window, beside what is there.

Before you trigger it, create the connections `labelbox_default` (type Labelbox, the API key as password) and
`aws_default`, write below what the DAG that lands these sources every night has (export params, filters, the field of
the window), and set in the environment of all Airflow components, or here in the file:

| variable | what it is |
|---|---|
| `LABELBOX_BUCKET` | the bucket, which must exist |
| `LABELBOX_PREFIX` | where the nightly DAGs land in it |

More in the provider's repository: `docs/find-gaps.md`, `docs/windows.md`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from labelbox_export_provider import LabelboxExportToS3Operator, ParamsWindow, window_params

BUCKET = os.environ.get("LABELBOX_BUCKET", "my-data-lake")
PREFIX = os.environ.get("LABELBOX_PREFIX", "labelbox")
EXPORT_PARAMS = {"label_details": True, "metadata_fields": True}

with DAG(
    dag_id="labelbox_fill_gaps",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,
    params={
        "sources": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Sources",
            description="As a check of windows prints them, such as project:clp1; one a line.",
        ),
        **window_params(),
        "max_error_rows": Param(
            0,
            type="integer",
            minimum=0,
            title="Error rows allowed",
            description="More error rows than these reject the window. Read them before you raise it.",
        ),
    },
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["labelbox"],
) as dag:

    @task
    def landings(params: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the options of one landing for each source."""
        found = []
        for name in params["sources"]:
            kind, _, source_id = name.partition(":")
            given = {} if kind == "catalog" else {f"{kind}_id": source_id}
            source = {"kind": kind, **given, "export_params": EXPORT_PARAMS}
            found.append({"source": source, "max_error_rows": params["max_error_rows"]})
        return found

    LabelboxExportToS3Operator.partial(
        task_id="land", window=ParamsWindow(), s3_bucket=BUCKET, s3_prefix=PREFIX
    ).expand_kwargs(landings())
