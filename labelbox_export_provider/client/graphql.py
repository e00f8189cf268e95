"""The GraphQL operations that this package sends, and no others.

Operation names are our own, so that Labelbox's support can identify our requests. Documents are constants, or built
from a number alone: all values are sent as variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Document:
    """One GraphQL operation: its name, which error messages use, and its text."""

    name: str
    text: str


def _start(name: str, mutation: str, input_type: str) -> Document:
    return Document(
        name, f"mutation {name}($input: {input_type}!) {{ {mutation}(input: $input) {{ taskId isStreamable }} }}"
    )


START_PROJECT_EXPORT = _start("StartProjectExport", "exportDataRowsInProject", "ExportDataRowsInProjectInput")
START_CATALOG_EXPORT = _start("StartCatalogExport", "exportDataRowsInCatalog", "ExportDataRowsInCatalogInput")
START_SLICE_EXPORT = _start("StartSliceExport", "exportDataRowsInSlice", "ExportDataRowsInSliceInput")
START_MODEL_RUN_EXPORT = _start("StartModelRunExport", "exportDataRowsInModelRun", "ExportDataRowsInModelRunInput")

START_BY_MUTATION: Mapping[str, Document] = MappingProxyType(
    {
        "exportDataRowsInProject": START_PROJECT_EXPORT,
        "exportDataRowsInCatalog": START_CATALOG_EXPORT,
        "exportDataRowsInSlice": START_SLICE_EXPORT,
        "exportDataRowsInModelRun": START_MODEL_RUN_EXPORT,
    }
)
"""The document of each start mutation. Sources know the mutation by its Labelbox name only."""

WHO_AM_I = Document("WhoAmI", "query WhoAmI { user { id email timezone } organization { id name } }")

PROJECTS = Document(
    "Projects",
    "query Projects($skip: Int!, $first: Int!) "
    "{ projects(where: {deleted: false} skip: $skip first: $first) { id name } }",
)
DATASETS = Document(
    "Datasets",
    "query Datasets($skip: Int!, $first: Int!) "
    "{ datasets(where: {deleted: false} skip: $skip first: $first) { id name } }",
)

_TASK_FIELDS = "id name status type completionPercentage createdAt updatedAt"

CREATED_TASK_BY_ID = Document(
    "CreatedTaskById",
    "query CreatedTaskById($userId: ID!, $taskId: ID!) { user(where: {id: $userId}) "
    f"{{ createdTasks(where: {{id: $taskId}} skip: 0 first: 1) {{ {_TASK_FIELDS} }} }} }}",
)


def created_tasks_by_id(number: int) -> Document:
    """Return the query for the states of that many tasks of one user; variables `taskId0`, `taskId1`, ... name them."""
    ids = range(number)
    declared = " ".join(f"$taskId{each}: ID!" for each in ids)
    fields = " ".join(
        f"{alias_of(each)}: createdTasks(where: {{id: $taskId{each}}} skip: 0 first: 1) {{ {_TASK_FIELDS} }}"
        for each in ids
    )
    return Document(
        "CreatedTasksById",
        f"query CreatedTasksById($userId: ID! {declared}) {{ user(where: {{id: $userId}}) {{ {fields} }} }}",
    )


def task_variables(user_id: str, export_ids: Sequence[str]) -> dict[str, str]:
    """Return the variables of `created_tasks_by_id` for these exports."""
    return {"userId": user_id, **{f"taskId{position}": each for position, each in enumerate(export_ids)}}


def alias_of(position: int) -> str:
    """Return the alias under which `created_tasks_by_id` asks for the task at that position."""
    return f"task{position}"


CREATED_TASKS_BY_NAME = Document(
    "CreatedTasksByName",
    "query CreatedTasksByName($userId: ID!, $name: String!, $skip: Int!, $first: Int!) { user(where: {id: $userId}) "
    f"{{ createdTasks(where: {{name: $name}} skip: $skip first: $first) {{ {_TASK_FIELDS} }} }} }}",
)
"""It is unverified that `where` takes a name; `CREATED_TASKS` is used where it is refused."""

CREATED_TASKS = Document(
    "CreatedTasks",
    "query CreatedTasks($userId: ID!, $skip: Int!, $first: Int!) { user(where: {id: $userId}) "
    f"{{ createdTasks(skip: $skip first: $first) {{ {_TASK_FIELDS} }} }} }}",
)

TASK = Document(
    "Task",
    f"query Task($where: WhereUniqueIdInput) {{ task(where: $where) {{ {_TASK_FIELDS} }} }}",
)
"""The state of any user's task; it is likely but unverified that `task` has these members."""

STREAM_HEADER = Document(
    "StreamHeader",
    "query StreamHeader($where: WhereUniqueIdInput, $streamType: TaskStreamType!) "
    "{ task(where: $where) { exportMetadataHeader(streamType: $streamType) { totalSize totalLines } } }",
)

FILE_FROM_OFFSET = Document(
    "FileFromOffset",
    "query FileFromOffset($where: WhereUniqueIdInput, $streamType: TaskStreamType!, $offset: UInt64!) "
    "{ task(where: $where) { exportFileFromOffset(streamType: $streamType, offset: $offset) "
    "{ offsets { start end } lines { start end } file } } }",
)

CANCELABLE_TASK_TYPES = Document("CancelableTaskTypes", "query CancelableTaskTypes { cancelableTaskTypes }")

CANCEL_TASK = Document("CancelTask", "mutation CancelTask($id: ID!) { cancelBulkOperationJob(id: $id) { success } }")
