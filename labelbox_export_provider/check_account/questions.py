"""The questions that a client can settle on an account, and this package's assumption about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

FindingResult = Literal["ok", "differs", "open"]
EITHER = "either is handled"
NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `id` names it in the JSON report."""

    id: str
    text: str
    assumed: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question: `ok` agrees with the assumption, `differs` does not, `open` could not be settled."""

    question: Question
    found: str
    result: FindingResult
    facts: dict[str, Any] = field(default_factory=dict)


QUESTIONS = (
    Question("time_zone", "Has the key's owner a time zone?", "null or an IANA name; null is read as UTC"),
    Question("cancelable_types", "Does cancelableTaskTypes name exports?", "either; if not, nothing is canceled"),
    Question("unknown_task", "What does an unknown task id answer?", "RESOURCE_NOT_FOUND, or a null task"),
    Question("unknown_project", "What does a start with an unknown project id answer?", "a refusal, no export"),
    Question("unknown_dataset", "What does a start with an unknown dataset id answer?", "a refusal, no export"),
    Question("unknown_model_run", "What does a start with an unknown model run id answer?", "a refusal, no export"),
    Question(
        "model_run_frames", "Do model run exports take includeInterpolatedFrames?", "either; sent only on request"
    ),
    Question(
        "predictions", "Do catalog exports take includePredictions?", "yes; dataset and slice exports send it, too"
    ),
    Question("streamable", "Is a started export streamable?", "isStreamable is true"),
    Question("task_name_kept", "Is a task name of 103 characters kept whole?", "yes"),
    Question("found_by_name", "Does createdTasks(where: {name}) find a task?", "either; else the list is read"),
    Question("visible_after", "How soon is a started task among createdTasks?", "within 30 s"),
    Question("task_order", "Does createdTasks list the newest first?", EITHER),
    Question("task_type", "What is the type of an export's task?", "export-data-rows"),
    Question("status_in_task", "Does task(where) have status and completionPercentage?", EITHER),
    Question("completion_percentage", "Which scale has completionPercentage?", "0 to 1 or 0 to 100; shown only"),
    Question("aliases", "How many aliased createdTasks does one query take?", "100, halved where they are refused"),
    Question("uint64", "Is UInt64 answered as text or as a number?", EITHER),
    Question("row_timestamp", "Which form has last_activity_at in rows?", "ISO 8601 with an offset"),
    Question("offset_dates", "Does +0000 in the dates of a filter count?", "yes, or the zone sent beside it, UTC"),
    Question("range_ends", "Does BETWEEN include both of its ends?", "yes; windows ask 1 s more on each side"),
    Question("empty_header", "Which header has an empty export?", "null, 0/0 or null members"),
    Question("error_rows", "Has an export of an unknown data row error rows?", "any; kept as text"),
    Question("file_size", "Has a file the bytes and rows announced?", "yes"),
    Question("last_newline", "Does the last row end in a newline?", EITHER),
    Question("file_range", "What does a file host answer to a Range request?", "206 with Content-Range, or 200"),
    Question("file_length", "Does a file host announce Content-Length?", EITHER),
    Question("file_hash", "Does a file host send ETag and x-goog-hash?", "either; a hash has to fit the bytes"),
    Question("url_life", "How long does a signed URL live?", "any; a refused one is asked for again"),
    Question("file_from_line", "Is exportFileFromLine still served?", "not used"),
)
BY_ID = {question.id: question for question in QUESTIONS}
NEEDS_ROW = (
    "row_timestamp",
    "offset_dates",
    "range_ends",
    "uint64",
    "file_size",
    "last_newline",
    "file_range",
    "file_length",
    "file_hash",
    "url_life",
    "file_from_line",
)
"""The questions that only an export with a row can settle."""
