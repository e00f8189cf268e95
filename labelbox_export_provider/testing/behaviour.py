"""The switches of the fake, for unverified behaviour of Labelbox and for tests of unusual behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from labelbox_export_provider.testing.data.streams import StreamLayout


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Every switch of the fake; change a running one with `fake.change(name=value)`.

    The defaults are the known or most likely behaviour of the real service. A client is robust when its tests also pass
    with each of the other values.
    """

    seconds_per_export: float = 0.0
    """How long an export stays IN_PROGRESS, by the fake's clock."""
    polls_per_export: int = 0
    """How many reads of an export's status say IN_PROGRESS, whatever the clock says."""
    seconds_to_cancel: float = 0.0
    """How long a canceled export stays CANCELLING before it is CANCELED."""
    exports_cancelable: bool = True
    """Whether `cancelableTaskTypes` names exports; if False, canceling one is refused."""
    running_exports_per_project: int | None = 10
    """Exports that may run at once in one project; None lifts the limit."""
    running_exports_per_organization: int | None = 20
    """Exports that may run at once in the organization; None lifts the limit."""
    running_limit_form: Literal["graphql", "http", "not_allowed"] = "graphql"
    """How a running-export limit is reported: `exception.status` 429, HTTP status 429, or OPERATION_NOT_ALLOWED."""
    is_streamable: bool = True
    """The `isStreamable` with which the mutations answer a request for a streamable export."""
    completion_percentage_of: Literal[1, 100] = 100
    """Whether `completionPercentage` runs to 1 or to 100."""

    authentication_status: Literal[200, 401] = 401
    """The HTTP status of AUTHENTICATION_ERROR."""
    variables_code: str = "GRAPHQL_VALIDATION_FAILED"
    """`extensions.code` for variables that do not fit their types, unknown input members among them."""
    uint64_as_text: bool = True
    """Whether UInt64 is answered as a decimal string, or as a JSON number."""
    tasks_of_other_users: bool = False
    """Whether a key sees tasks that other users of its organization started."""
    created_tasks_newest_first: bool = True
    """The order of `createdTasks`."""
    created_tasks_by_name: bool = True
    """Whether `createdTasks(where: {name})` is in the schema."""
    name_characters: int | None = None
    """Characters of a task's name that are kept; None keeps all."""
    aliases_per_query: int | None = None
    """Aliased fields that one query may have; more are refused as too complex. None lifts the limit."""
    unknown_task: Literal["not_found", "null"] = "not_found"
    """Whether `task(where)` of an unknown id is an error, or null without one."""
    status_in_task: bool = True
    """Whether `task(where)` has the fields that `createdTasks` has, `status` among them."""
    file_from_line: bool = False
    """Whether `exportFileFromLine`, which old clients use, is in the schema."""
    model_run_interpolated_frames: bool = True
    """Whether model run exports know `includeInterpolatedFrames`."""
    catalog_predictions: bool = True
    """Whether catalog, dataset and slice exports know `includePredictions`."""

    places_newest_first: bool = False
    """The order of `projects` and `datasets`."""
    places_per_page: int | None = None
    """How many projects or datasets one page has at most, however many are asked for; None sets no limit."""

    unknown_project: Literal["not_found", "empty"] = "not_found"
    """Whether a project export with an unknown id is refused, or completes empty."""
    unknown_model_run: Literal["not_found", "empty"] = "not_found"
    """Whether a model run export with an unknown id is refused, or completes empty."""
    unknown_dataset: Literal["not_found", "empty"] = "not_found"
    """Whether a dataset export with an unknown id is refused, or completes empty as one of unknown rows does."""
    id_filters_exclude_each_other: bool = True
    """Whether a search for row ids and global keys at once is refused, or finds rows that both name."""
    between_includes_ends: bool | Literal["start", "end"] = True
    """Whether BETWEEN takes rows exactly on its ends, or on one of them alone."""
    offset_dates: Literal["honoured", "named_zone", "owner_zone"] = "honoured"
    """Whether `+0000` in a date counts, or is ignored: the date is read in the search's or in the key owner's zone."""
    search_resolution: Literal["millisecond", "second"] = "millisecond"
    """Whether the search index knows instants to the millisecond or cuts them to whole seconds."""
    search_lag_seconds: float = 0.0
    """How long a search still finds an edited row at its former `last_activity_at`."""

    streams: StreamLayout = field(default_factory=StreamLayout)
    """How streams are cut into files."""
    empty_header: Literal["null", "zero", "null_members"] = "null"
    """The `exportMetadataHeader` of an empty stream."""
    results_kept_seconds: float | None = None
    """How long after its end an export's results are kept, by the fake's clock; None keeps them."""
    removed_results: Literal["empty", "refused"] = "empty"
    """How an export whose results are removed looks: as one without rows, or as before with files that are refused."""
    url_seconds: float = 900.0
    """How long a signed file URL is valid, by the fake's clock."""
    file_ranges: bool = True
    """Whether the file server honours Range."""
    file_content_length: bool = True
    """Whether the file server announces Content-Length, or sends chunks."""
    file_hash: bool = True
    """Whether the file server sends `x-goog-hash` and ETag."""
