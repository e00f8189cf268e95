"""A landing as datasets and facets of OpenLineage; imported by its calls alone (`lineage.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import RunFacet
from openlineage.client.facet_v2 import output_statistics_output_dataset as output_statistics

if TYPE_CHECKING:
    from labelbox_export_provider.transfers.announcement import Landing

FACET = "labelbox_export"
"""Name of the run facet."""
MAX_OBJECTS = 100
"""Objects that an event names; the manifest names all of them."""


@attr.define
class LabelboxExportRunFacet(RunFacet):  # type: ignore[misc, unused-ignore]  # Any, without the client's types
    """The export of a landing, and what was asked. Members are public names (docs/formats.md)."""

    exportId: str  # noqa: N815  names of OpenLineage are in camel case
    startedAt: str  # noqa: N815
    adopted: bool
    query: dict[str, Any]
    window: dict[str, Any] | None
    state: str
    manifest: str
    rowsTrimmed: int  # noqa: N815
    errorRows: int  # noqa: N815


def lineage_of(host: str | None, source: str | None, landing: Landing | None) -> OperatorLineage[Any, Any]:
    """Return the lineage of a task; its outputs are those of `landing`, if there is one."""
    inputs = [InputDataset(namespace=f"labelbox://{host}", name=source)] if host and source else []
    if landing is None:
        return OperatorLineage(inputs=inputs)
    manifest = landing.export.manifest
    objects = [each.uri for each in manifest.objects]
    outputs = [
        _output(landing.folder, objects, rows=manifest.rows_landed, size=sum(each.bytes for each in manifest.objects))
    ]
    if manifest.errors.uri is not None:
        # Of the error stream only its size in the source is known, not that of the object.
        outputs.append(_output(_errors_folder(landing), [manifest.errors.uri], rows=manifest.errors.rows, size=None))
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets={FACET: _facet(landing)})


def _errors_folder(landing: Landing) -> str:
    head, _, source = landing.folder.rpartition("/data/")
    return f"{head}/errors/{source}" if landing.explicit_key is None else f"{landing.folder}/_errors"


def _output(address: str, objects: list[str], *, rows: int, size: int | None) -> OutputDataset:
    namespace, name = dataset_name(address)
    statistics = output_statistics.OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size)
    facets: dict[str, Any] = {"outputStatistics": statistics}
    if hasattr(statistics, "fileCount"):  # clients of OpenLineage from 1.18 on
        statistics.fileCount = len(objects)
    subset = _subset(objects[:MAX_OBJECTS])
    if objects and subset is not None:
        facets["subset"] = subset
    return OutputDataset(namespace=namespace, name=name, outputFacets=facets)


def _subset(objects: list[str]) -> Any:
    """Return the objects as the part of the dataset that was written; None for a client that has no such facet."""
    try:
        from openlineage.client.facet_v2 import base_subset_dataset as subset
    except ImportError:
        return None
    condition = subset.LocationSubsetCondition(locations=objects)
    return subset.OutputSubsetOutputDatasetFacet(outputCondition=condition)


def dataset_name(address: str) -> tuple[str, str]:
    """Return namespace and name as OpenLineage names S3, Google Cloud Storage and files."""
    parts = urlsplit(address)
    if parts.scheme == "file":
        return "file", parts.path
    bucket, _, name = address.partition("://")[2].partition("/")
    return f"{parts.scheme}://{bucket}", name or "/"


def _facet(landing: Landing) -> LabelboxExportRunFacet:
    manifest = landing.export.manifest
    handle = manifest.export.to_json()
    return LabelboxExportRunFacet(
        exportId=handle["export_id"],
        startedAt=handle["started_at"],
        adopted=handle["adopted"],
        query=manifest.query,
        window=handle["window"],
        state=manifest.state,
        manifest=landing.export.manifest_uri,
        rowsTrimmed=manifest.result.rows_trimmed,
        errorRows=manifest.errors.rows,
    )
