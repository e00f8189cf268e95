"""The JSON schemas that events of OpenLineage name: its core 2-0-2, its facets that reach the tests, and our own facet.

They are the rules of the published schemas in this project's words, without their descriptions. Each stands under the
address that events name. Of the subsets, only those by location are there: this package sends no others.
"""

from __future__ import annotations

from typing import Any, get_args

from referencing import Registry
from referencing.jsonschema import DRAFT202012

from labelbox_export_provider.domain.records.handle import HandleWindow
from labelbox_export_provider.domain.records.object_names import State

Schema = dict[str, Any]

CORE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
RUN_EVENT = f"{CORE}#/$defs/RunEvent"

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
TIME: Schema = TEXT | {"format": "date-time"}
UUID: Schema = TEXT | {"format": "uuid"}
URI: Schema = TEXT | {"format": "uri"}


def members(*required: str, **named: Schema) -> Schema:
    """Return the schema of an object with these members, of which some are required; others may be there."""
    return {"type": "object", "properties": named} | ({"required": list(required)} if required else {})


def defined(name: str, document: str = "") -> Schema:
    """Return a reference to a definition of a document, or of the one that it stands in."""
    return {"$ref": f"{document}#/$defs/{name}"}


def list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def facets(name: str, document: str = "") -> Schema:
    """Return the schema of facets by their names."""
    by_name = {"type": "object", "additionalProperties": defined(name, document)}
    return {"type": "object", "anyOf": [by_name]}


def extended(base: str, *more: Schema, document: str = "", **rules: Any) -> Schema:
    """Return the schema of what follows a definition and more rules."""
    return {"allOf": [defined(base, document), *more], **rules}


def core() -> Schema:
    """Return the schema of events, datasets, and facets of any kind."""
    inputs_and_outputs = {"inputs": list_of(defined("InputDataset")), "outputs": list_of(defined("OutputDataset"))}
    job = defined("Job")
    states = ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]
    run_event = members(
        "run", "job", eventType=TEXT | {"enum": states}, run=defined("Run"), job=job, **inputs_and_outputs
    )
    dataset_event = members("dataset", dataset=defined("StaticDataset")) | {"not": {"required": ["job", "run"]}}
    job_event = members("job", job=job, **inputs_and_outputs) | {"not": {"required": ["run"]}}
    plain, deletable = (), (members(_deleted=YES_OR_NO),)
    kinds = {"Run": plain, "Job": deletable, "Dataset": deletable, "InputDataset": plain, "OutputDataset": plain}
    definitions = {
        "BaseEvent": members("eventTime", "producer", "schemaURL", eventTime=TIME, producer=URI, schemaURL=URI),
        "RunEvent": extended("BaseEvent", run_event),
        "DatasetEvent": extended("BaseEvent", dataset_event),
        "JobEvent": extended("BaseEvent", job_event),
        "Run": members("runId", runId=UUID, facets=facets("RunFacet")),
        "Job": members("namespace", "name", namespace=TEXT, name=TEXT, facets=facets("JobFacet")),
        "Dataset": members("namespace", "name", namespace=TEXT, name=TEXT, facets=facets("DatasetFacet")),
        "StaticDataset": extended("Dataset", type="object"),
        "InputDataset": extended("Dataset", members(inputFacets=facets("InputDatasetFacet")), type="object"),
        "OutputDataset": extended("Dataset", members(outputFacets=facets("OutputDatasetFacet")), type="object"),
        "BaseFacet": members("_producer", "_schemaURL", _producer=URI, _schemaURL=URI) | {"additionalProperties": True},
        **{f"{kind}Facet": extended("BaseFacet", *more, type="object") for kind, more in kinds.items()},
    }
    return {"$defs": definitions, "oneOf": [defined(f"{kind}Event") for kind in ("Run", "Dataset", "Job")]}


def facet(kind: str, name: str, schema: Schema, *, needs: Schema | None = None, typed: bool = True) -> Schema:
    """Return the document of a facet of one kind, and of the definitions that it needs."""
    rules = {"type": "object"} if typed else {}
    return {"$defs": {name: extended(f"{kind}Facet", schema, document=CORE, **rules), **(needs or {})}}


def parent() -> Schema:
    """Return the schema of the run that a run belongs to, and of the first of all."""
    run = members("runId", runId=UUID, facets=facets("RunFacet", CORE))
    job = members("namespace", "name", namespace=TEXT, name=TEXT, facets=facets("JobFacet", CORE))
    root = members("run", "job", run=defined("RootRun"), job=defined("RootJob"))
    ours = members("run", "job", run=run, job=job, root=root)
    return facet("Run", "ParentRunFacet", ours, needs={"RootRun": run, "RootJob": job})


def job_type() -> Schema:
    """Return the schema of what a job is."""
    required = ("eventTrigger", "eventContentMode")
    duration = NUMBER | {"minimum": 1}
    pattern = members(*required, eventTrigger=TEXT, eventContentMode=TEXT, windowDuration=duration)
    named = {"processingType": TEXT, "integration": TEXT, "jobType": TEXT, "emissionPattern": pattern}
    return facet("Job", "JobTypeJobFacet", members("processingType", "integration", **named))


def subset() -> Schema:
    """Return the schema of the part of a dataset that was written, by location."""
    kind: Schema = {"const": "location"}
    condition = members("type", "locations", type=kind, locations=list_of(TEXT))
    ours = members("outputCondition", outputCondition=defined("LocationSubsetCondition"))
    needs = {"LocationSubsetCondition": condition}
    return facet("OutputDataset", "OutputSubsetOutputDatasetFacet", ours, needs=needs, typed=False)


def tags(kind: str) -> Schema:
    """Return the schema of the tags of a run or a job."""
    tag = members("key", "value", key=TEXT, value=TEXT, source=TEXT)
    ours = members(tags=list_of(defined(f"Tags{kind}FacetFields")))
    return facet(kind, f"Tags{kind}Facet", ours, needs={f"Tags{kind}FacetFields": tag})


def own() -> Schema:
    """Return the schema of the run facet `labelbox_export`: all its members, and no others.

    The client leaves out members that are null, so a window and its queried start may be missing.
    """
    window = members(*(set(HandleWindow.model_fields) - {"queried_start"}))
    times = ("start", "end", "queried_start", "queried_end")
    window["properties"] = {"field": TEXT, "trim": YES_OR_NO} | dict.fromkeys(times, TIME)
    count = NUMBER | {"minimum": 0}
    named = {
        "exportId": TEXT,
        "startedAt": TIME,
        "adopted": YES_OR_NO,
        "query": {"type": "object"},
        "window": window | {"additionalProperties": False},
        "state": {"enum": list(get_args(State))},
        "manifest": URI,
        "rowsTrimmed": count,
        "errorRows": count,
    }
    base = {"_producer": URI, "_schemaURL": URI}
    return members(*(base | named).keys() - {"window"}, **base, **named) | {"additionalProperties": False}


def address(version: str, name: str) -> str:
    """Return where a facet's schema is published."""
    return f"https://openlineage.io/spec/facets/{version}/{name}.json"


OWNER = members("name", name=TEXT, type=TEXT)
STATISTICS = members(rowCount=NUMBER, size=NUMBER, fileCount=NUMBER)
NOMINAL = members("nominalStartTime", nominalStartTime=TIME, nominalEndTime=TIME)
ENGINE = members("version", version=TEXT, name=TEXT, openlineageAdapterVersion=TEXT)
ERROR = members("message", "programmingLanguage", message=TEXT, programmingLanguage=TEXT, stackTrace=TEXT)
DOCUMENTATION = members("description", description=TEXT, contentType=TEXT)

PUBLISHED: dict[str, Schema] = {
    CORE: core(),
    address("1-0-2", "OutputStatisticsOutputDatasetFacet"): facet(
        "OutputDataset", "OutputStatisticsOutputDatasetFacet", STATISTICS, typed=False
    ),
    address("1-0-0", "BaseSubsetDatasetFacet"): subset(),
    address("1-2-0", "ParentRunFacet"): parent(),
    address("1-0-1", "NominalTimeRunFacet"): facet("Run", "NominalTimeRunFacet", NOMINAL),
    address("1-1-1", "ProcessingEngineRunFacet"): facet("Run", "ProcessingEngineRunFacet", ENGINE),
    address("1-0-1", "ErrorMessageRunFacet"): facet("Run", "ErrorMessageRunFacet", ERROR),
    address("2-0-4", "JobTypeJobFacet"): job_type(),
    address("1-1-0", "DocumentationJobFacet"): facet("Job", "DocumentationJobFacet", DOCUMENTATION),
    address("1-0-1", "OwnershipJobFacet"): facet("Job", "OwnershipJobFacet", members(owners=list_of(OWNER))),
    address("1-0-0", "TagsJobFacet"): tags("Job"),
    address("1-0-0", "TagsRunFacet"): tags("Run"),
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (url, DRAFT202012.create_resource(schema)) for url, schema in PUBLISHED.items()
)
