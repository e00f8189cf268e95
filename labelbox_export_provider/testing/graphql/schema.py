"""The GraphQL schema of the fake: exactly the types, fields, arguments and input members that exports need."""

from __future__ import annotations

from labelbox_export_provider.testing.behaviour import Behaviour

_COMMON_PARAMS = (
    "includeAttachments",
    "includeMetadata",
    "includeEmbeddings",
    "includeDataRowDetails",
)
_LABEL_PARAMS = ("includeProjectDetails", "includeLabelDetails", "includePerformanceDetails")
_CATALOG_MEMBERS = "modelRunIds: [ID!]\n  projectIds: [ID!]\n  allProjects: Boolean\n  allModelRuns: Boolean"

_TASK_FIELDS = """
  name: String
  status: String!
  type: String!
  completionPercentage: Float
  createdAt: DateTime!
  updatedAt: DateTime!
  result: String
  errors: String
  metadata: JSON
  deleted: Boolean
  createdBy: User
  organization: Organization
"""

_FIXED = """
schema { query: Query mutation: Mutation }
enum TaskStreamType { RESULT ERRORS }
enum MediaType { AUDIO CONVERSATIONAL PDF TMS_GEO HTML IMAGE TMS_SIMPLE TEXT VIDEO POINT_CLOUD LLM }
enum SearchType {
  data_row_id global_key dataset batch task_queue_status task_queue_not_exist data_row_last_activity_at labeled_at
}
enum SearchOperator { is }
enum SearchDateOperator { BETWEEN GREATER_THAN_OR_EQUAL LESS_THAN_OR_EQUAL }

type Query {
  user(where: WhereUniqueIdInput): User
  organization: Organization
  project(where: WhereUniqueIdInput): Project
  projects(where: WhereNotDeletedInput, skip: Int, first: Int): [Project!]!
  dataset(where: WhereUniqueIdInput): Dataset
  datasets(where: WhereNotDeletedInput, skip: Int, first: Int): [Dataset!]!
  model(where: WhereUniqueIdInput): Model
  models(skip: Int, first: Int): [Model!]!
  modelRun(where: WhereUniqueIdInput): ModelRun
  getSavedQuery(id: ID!): SavedQuery
  catalogSavedQueries: [SavedQuery!]!
  task(where: WhereUniqueIdInput): TaskByIdType
  cancelableTaskTypes: [String!]!
}

type Mutation {
  exportDataRowsInProject(input: ExportDataRowsInProjectInput!): ExportTaskStart
  exportDataRowsInCatalog(input: ExportDataRowsInCatalogInput!): ExportTaskStart
  exportDataRowsInSlice(input: ExportDataRowsInSliceInput!): ExportTaskStart
  exportDataRowsInModelRun(input: ExportDataRowsInModelRunInput!): ExportTaskStart
  cancelBulkOperationJob(id: ID!): BulkOperationResult
}

input WhereUniqueIdInput { id: ID! }
input WhereNotDeletedInput { deleted: Boolean }

type User {
  id: ID!
  email: String!
  name: String
  nickname: String
  picture: String
  timezone: String
  isViewer: Boolean
  isExternalUser: Boolean
  createdAt: DateTime!
  updatedAt: DateTime!
  lastLoginAt: DateTime
  organization: Organization
  createdTasks(where: TaskWhereInput, skip: Int, first: Int): [Task!]!
}

type Organization {
  id: ID!
  name: String!
  createdAt: DateTime!
  updatedAt: DateTime!
  tasks(where: TaskWhereInput, skip: Int, first: Int): [Task!]!
}

type Project {
  id: ID!
  name: String!
  description: String
  createdAt: DateTime!
  updatedAt: DateTime!
  lastActivityTime: DateTime
  setupComplete: DateTime
  modelSetupComplete: Boolean
  autoAuditNumberOfLabels: Float
  autoAuditPercentage: Float
  dataRowCount: Int
  editorTaskType: String
  isBenchmarkEnabled: Boolean
  isConsensusEnabled: Boolean
  allowedMediaType: String
  uploadType: String
  batches(after: String, first: PageSize): BatchPage!
}

type Batch {
  id: ID!
  name: String!
  size: Int!
  consensusSettingsJson: String
  createdAt: DateTime!
  updatedAt: DateTime!
}
type BatchPage { nodes: [Batch!]! pageInfo: PageInfo! }
type PageInfo { endCursor: String hasNextPage: Boolean! }

type Dataset {
  id: ID!
  name: String!
  description: String
  rowCount: Int
  createdAt: DateTime!
  updatedAt: DateTime!
}

type Model {
  id: ID!
  name: String!
  ontologyId: ID
}

type ModelRun {
  id: ID!
  name: String!
  modelId: ID!
  modelAppId: ID
  createdBy: ID
  trainingMetadata: JSON
  createdAt: DateTime!
  updatedAt: DateTime!
}

type SavedQuery {
  id: ID!
  name: String!
  description: String
  filter: JSON
  createdAt: DateTime!
  updatedAt: DateTime!
}

type ExportTaskStart { taskId: ID! isStreamable: Boolean! }
type BulkOperationResult { success: Boolean! }
type ExportMetadataHeader { totalSize: UInt64 totalLines: UInt64 }
type UInt64Range { start: UInt64! end: UInt64! }
type ExportFile { offsets: UInt64Range! lines: UInt64Range! file: String! }

input SearchDateInput { operator: SearchDateOperator! timezone: String! value: SearchDateBounds! }
input SearchEntryInput {
  type: SearchType!
  operator: SearchOperator
  ids: [ID!]
  status: String
  value: SearchDateInput
}
input SearchQueryInput { scope: JSON query: [SearchEntryInput!]! }

input ProjectExportFiltersInput { projectId: ID! searchQuery: SearchQueryInput! }
input CatalogExportFiltersInput { searchQuery: SearchQueryInput! }
input SliceExportFiltersInput { sliceId: ID! }
input ModelRunExportFiltersInput { modelRunId: ID! }
"""


def schema_text(behaviour: Behaviour) -> str:
    """Return the schema definition, without its scalars, which the engine adds."""
    streams = "exportMetadataHeader(streamType: TaskStreamType!): ExportMetadataHeader\n"
    streams += "  exportFileFromOffset(streamType: TaskStreamType!, offset: UInt64!): ExportFile\n"
    if behaviour.file_from_line:
        streams += "  exportFileFromLine(streamType: TaskStreamType!, line: UInt64!): ExportFile\n"
    parts = [
        _FIXED.replace("TaskByIdType", "Task" if behaviour.status_in_task else "ExportTaskStreams"),
        f"type Task {{\n  id: ID!{_TASK_FIELDS}  {streams}}}",
        f"input TaskWhereInput {{ id: ID {'name: String' if behaviour.created_tasks_by_name else ''} }}",
        *_export_inputs(behaviour),
    ]
    if not behaviour.status_in_task:
        parts.append(f"type ExportTaskStreams {{\n  id: ID!\n  {streams}}}")
    return "\n".join(parts)


def _export_inputs(behaviour: Behaviour) -> list[str]:
    predictions = ("includePredictions",) if behaviour.catalog_predictions else ()
    frames = ("includeInterpolatedFrames",)
    catalog = _params((*_COMMON_PARAMS, *_LABEL_PARAMS, *frames, *predictions), _CATALOG_MEMBERS)
    model_run = (*_COMMON_PARAMS, "includePredictions", "includeModelRunDetails")
    params = {
        "Project": _params((*_COMMON_PARAMS, *_LABEL_PARAMS, *frames)),
        "Catalog": catalog,
        "Slice": catalog,
        "ModelRun": _params((*model_run, *(frames if behaviour.model_run_interpolated_frames else ()))),
    }
    return [
        f"input {place}ExportParamsInput {{\n  {members}\n}}\n"
        f"input ExportDataRowsIn{place}Input {{\n"
        "  taskName: String\n  isStreamableReady: Boolean\n  streamable: Boolean\n"
        f"  filters: {place}ExportFiltersInput!\n  params: {place}ExportParamsInput\n}}"
        for place, members in params.items()
    ]


def _params(flags: tuple[str, ...], more: str = "") -> str:
    return "\n  ".join(("mediaTypeOverride: MediaType", *(f"{flag}: Boolean" for flag in flags), more))
