"""The message of a task that gave up: everything that the person on call needs, in one block (guarantee G11).

This module is the text. `execution/failures.py` raises it as an exception of Airflow, and `transfers/failure.py` fills
it in for a landing.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.records.handle import ExportHandle
from labelbox_export_provider.domain.windows.resolved import ResolvedWindow, describe_window
from labelbox_export_provider.errors import (
    AccessError,
    AnotherUsersExportError,
    AuthorizationError,
    ConfigurationError,
    ConnectionSettingsError,
    ExportEndedError,
    ExportNotReadyError,
    HandleError,
    IntegrityError,
    LabelboxExportError,
    ManualRunError,
    NotFoundError,
    NoTriggererError,
    ObjectChangedError,
    ObjectExistsError,
    ProtocolError,
    RefusedError,
    RunningExportLimitError,
    StartUncertainError,
    StorageError,
    StorageUnavailableError,
    StorageUnsupportedError,
    TaskStoppedError,
    TemporaryError,
    TooManyErrorRowsError,
    WaitTimeoutError,
    WindowError,
    WindowsNotLandedError,
)

NOTHING_WRITTEN = "nothing of this export"
NOTHING_STARTED = "as before; this try has started no export"
_MAYBE_STARTED = "as before; whether this try has started an export is not known"
WIDTH = 160
"""Longest line of the message, in characters: the log view does not wrap. Addresses are never broken."""

_SENTENCE_END = re.compile(r"(?<=[\w)'\"\]}>/][.?!]) +(?=[A-Z'\"])")
_UNUSED = "so none is used up"
_NEW_EXPORT = "starts a new export"


@dataclass(frozen=True)
class FailureReport:
    """The facts of a task that gives up; what is unknown is left out of the block.

    `window` is for a start that failed before there was a handle, which has its own. `start_task_id` names the task
    that starts the export, `link` is the source's page, `moved` holds bytes and rows and their totals, `in_store` what
    a reader of the bucket finds now, where the task wrote there, `kept` what the next try need not move again.
    `starts_export`: this task starts the export itself,
    so that its own retry replaces a dead one. `forgets`: such a task starts a new export when it is cleared, whatever
    failed. `without_export`: it only looks at a store. `stage_task_id` names the tasks that have to stage again what
    this one publishes. `appendix` is text below the block; its lines stay as they are.
    """

    error: LabelboxExportError
    handle: ExportHandle | None = None
    export_id: str | None = None
    source: str | None = None
    link: str | None = None
    window: ResolvedWindow | None = None
    start_task_id: str | None = None
    stage_task_id: str | None = None
    try_number: int | None = None
    tries: int | None = None
    moved: str | None = None
    in_store: str | None = None
    kept: str | None = None
    starts_export: bool = False
    forgets: bool = False
    without_export: bool = False
    extra: dict[str, str] = field(default_factory=dict)
    appendix: str = ""

    @property
    def retryable(self) -> bool:
        """Whether Airflow should use a retry of the failing task."""
        if self.stage_task_id is not None:
            return False
        return self.error.retryable or (self.starts_export and isinstance(self.error, ExportEndedError))

    def text(self) -> str:
        """Return the block: what happened, a sentence a line, then the facts."""
        lines = _lines(self.error.message)
        lines += (f"  {name + ':':<10} {value}" for name, value in self._facts() if value)
        return "\n".join([*lines, "", self.appendix] if self.appendix else lines)

    def _facts(self) -> list[tuple[str, str | None]]:
        handle = self.handle
        source = f"{handle.source.kind} {handle.source.id}" if handle is not None else self.source
        export = handle.export_id if handle is not None else self.export_id
        if export is not None and handle is not None:
            export = f"{export}, {'adopted' if handle.adopted else 'started'} {iso_utc(handle.started_at)}"
        asked = self.window if handle is None else handle.window
        window = None if asked is None else describe_window(asked)
        return [
            ("source", source),
            ("link", self.link),
            ("export", export),
            ("window", window),
            ("try", None if self.try_number is None else f"{self.try_number} of {self.tries or '?'}"),
            ("moved", self.moved),
            ("in store", self._in_store()),
            ("kept", self.kept),
            ("details", self.error.details),
            *self.extra.items(),
            ("retry", self._retry()),
            ("to do", self._to_do()),
        ]

    def _in_store(self) -> str:
        if self.in_store is None and self.starts_export and not self._knows_export():
            return _MAYBE_STARTED if isinstance(self.error, StartUncertainError) else NOTHING_STARTED
        found = self.in_store or NOTHING_WRITTEN
        if found == NOTHING_WRITTEN and (self.try_number or 1) > 1:
            return f"{NOTHING_WRITTEN} by this try"  # unknown: what earlier tries left
        return found

    def _knows_export(self) -> bool:
        return self.handle is not None or self.export_id is not None

    def _retry(self) -> str:
        if not self.retryable:
            waited = isinstance(self.error, WaitTimeoutError) and not isinstance(self.error, NoTriggererError)
            return f"none: {'timeout= is all the time there is' if waited else 'it would end the same way'}, {_UNUSED}"
        if self._is_last_try():
            return f"none is left; clearing this task {self._next_start(cleared=True)}"
        return self._next_start(cleared=False)

    def _is_last_try(self) -> bool:
        return self.try_number is not None and self.tries is not None and self.try_number >= self.tries

    def _next_start(self, *, cleared: bool) -> str:
        """Return what this task does when it runs again."""
        if self.without_export:
            return "looks at the store again"
        if self.starts_export and isinstance(self.error, StorageError) and not self._knows_export():
            return f"asks the store again, then {self._next_export(cleared=cleared)}"
        return self._next_export(cleared=cleared)

    def _next_export(self, *, cleared: bool) -> str:
        """Return what this task does about its export when it runs again."""
        dead = isinstance(self.error, (ExportEndedError, IntegrityError) if cleared else ExportEndedError)
        if self.starts_export and (dead or (cleared and self.forgets)):
            return _NEW_EXPORT
        if isinstance(self.error, StartUncertainError):
            return "looks for the export by its name and starts one only if there is none"
        if not self._knows_export():
            return "adopts the export if one was started, else starts it"
        if isinstance(self.error, (IntegrityError, StorageError)):
            return "reads the same export again and writes the same objects"
        return "resumes with the same export"

    def _external(self) -> bool:
        """Return whether no task of this package started the export."""
        return self.start_task_id is None and (
            self.export_id is not None if self.handle is None else self.handle.external
        )

    def _to_do(self) -> str:
        start_task = f"task {self.start_task_id!r}" if self.start_task_id else "the task that starts the export"
        table = _EXTERNAL_ADVICE + _ADVICE if self._external() else _ADVICE
        advice = next((advice for kind, advice in table if isinstance(self.error, kind)), _GENERAL)
        if self.starts_export and isinstance(self.error, (ExportEndedError, IntegrityError)):
            advice = "clear this task, which starts a new export"
        advice = advice.format(start_task=start_task)
        if self.stage_task_id is not None:
            again = f"; if it comes again, {advice}" if isinstance(self.error, IntegrityError) else ""
            return f"clear task {self.stage_task_id!r} with downstream{again}"
        remedy = self.error.remedy if isinstance(self.error, StorageUnavailableError) else None
        if remedy is not None:
            later = "the next retry then continues by itself; after the last try, clear this task"
            return f"{remedy}, then clear this task" if self._is_last_try() else f"{remedy} now; {later}"
        if self.retryable and not self._is_last_try():
            return f"nothing while retries are left; after the last one {advice}"
        return advice


def _lines(message: str) -> list[str]:
    sentences = _SENTENCE_END.split(message)
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)
    ]


_GENERAL = "do what the first lines say, then clear this task; if it comes again, report this message"
_ADVICE: tuple[tuple[type[LabelboxExportError], str], ...] = (
    (
        ConnectionSettingsError,
        "fix the connection (Admin, Connections) or what else the first lines name, then clear this task",
    ),
    (HandleError, "clear {start_task} with downstream"),
    (ManualRunError, "trigger the DAG again, as the first lines say; this run stays empty"),
    (WindowError, "fix the DAG's schedule or window=, as the first lines say; this run stays empty"),
    (ConfigurationError, "fix the option in the DAG file, then clear this task"),
    (
        AnotherUsersExportError,
        "put back a key of the user who started it, then clear this task, or start a new export",
    ),
    (AuthorizationError, "give the key's user access to the source in Labelbox, then clear this task"),
    (AccessError, "put a valid API key into the connection's password, then clear this task"),
    (NotFoundError, "check the id in the DAG and that the key's user can open the link, then clear this task"),
    (ExportEndedError, "clear {start_task} with downstream: only a new export helps"),
    (ExportNotReadyError, "put an ExportTaskSensor between {start_task} and this task, then clear this task"),
    (TooManyErrorRowsError, "read the landed errors, then clear {start_task} with downstream or raise max_error_rows"),
    (WindowsNotLandedError, "fill each gap as described below, then clear this task"),
    (NoTriggererError, "start a triggerer, or look why it does not run, then clear this task"),
    (WaitTimeoutError, "clear this task to wait longer for the same export, or raise timeout="),
    (TaskStoppedError, "clear this task, unless it was stopped on purpose"),
    (
        RunningExportLimitError,
        "run fewer exports at once (a pool), then clear this task",
    ),
    (ObjectExistsError, "keep what is there, or let it be replaced as the first lines say, then clear this task"),
    (ObjectChangedError, "check that nothing else writes to this place, then clear this task"),
    (StorageUnavailableError, "check the store, then clear this task"),
    (
        StorageUnsupportedError,
        "change the option that the first lines name or use another store, then clear this task",
    ),
    (StorageError, "fix bucket or directory, permissions or connection, as the first lines say, then clear this task"),
    (RefusedError, "fix what the details name, then clear this task"),
    (TemporaryError, "clear this task"),
    (IntegrityError, "clear {start_task} with downstream"),
    (ProtocolError, "check the connection's host, then clear this task; if it comes again, report this message"),
)
"""What to do, by branch of the error tree; the first match counts, so leaves come before their branch."""

_NEW_EXTERNAL = "start a new export in Labelbox, give its id in export=, then clear this task"
_EXTERNAL_ADVICE: tuple[tuple[type[LabelboxExportError], str], ...] = (
    (HandleError, "write export= as the first lines say, then clear this task"),
    (ExportNotReadyError, "put an ExportTaskSensor with the same export= before this task, then clear this task"),
    (ExportEndedError, _NEW_EXTERNAL),
    (IntegrityError, _NEW_EXTERNAL),
    (TooManyErrorRowsError, "read the landed errors, then raise max_error_rows, or give the id of a new export"),
)
"""The same where no task of this package started the export, so that none can be cleared to start another."""
