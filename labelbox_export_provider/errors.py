"""The tree of all errors of this package, sorted by what to do next.

::

    LabelboxExportError                 the root
    ├── ConfigurationError              change the DAG, the connection or the value (also a ValueError)
    │   ├── WindowError                 the run has no usable interval: use the timetable that the message names
    │   │   └── ManualRunError          the timetable is right: trigger the DAG again as described
    │   ├── HandleError                 not an export handle of this package: pass `start.output`
    │   └── ConnectionSettingsError     the Airflow connection cannot work as it stands
    ├── AccessError                     renew the key, or grant it access
    │   ├── AuthenticationError         the key is not accepted
    │   ├── AuthorizationError          the key is accepted but may not do this
    │   └── AnotherUsersExportError     the export belongs to the user of another key
    ├── NotFoundError                   the id is unknown to Labelbox, or hidden from this key
    ├── RefusedError                    Labelbox refused the request as it stands; sending it again changes nothing
    ├── TemporaryError                  wait: retrying helps
    │   ├── RateLimitedError            too many requests per minute
    │   ├── RunningExportLimitError     too many exports run at once
    │   ├── UnreachableError            no sound answer within the time bound
    │   ├── ListChangedError            a list of projects or datasets changed all the time while it was read
    │   └── StartUncertainError         an export may or may not have started; the next try looks for it first
    ├── ProtocolError                   an answer of Labelbox or of a host of files that is not part of the protocol
    ├── ExportEndedError                the export ended without a result: clear the start task
    │   ├── ExportFailedError
    │   ├── ExportCanceledError
    │   └── ExportPurgedError           it ended long ago, and its results may have been removed since
    ├── ExportNotReadyError             results were asked for before the export ended
    ├── WaitTimeoutError                the wait ended, the export continues
    │   └── NoTriggererError            no triggerer reported for that long: start one
    ├── TaskStoppedError                Airflow stopped the task, which can be tried again
    ├── IntegrityError                  bytes or rows differ from what Labelbox announced; nothing was published
    ├── TooManyErrorRowsError           the error stream is longer than `max_error_rows` allows; no result was published
    ├── WindowsNotLandedError           a check found windows that are due and not landed: fill them as it describes
    └── StorageError                    the store refused: fix what the message names, such as bucket or connection
        ├── StorageDeniedError          a permission is missing, or a policy of the bucket forbids the call: grant it
        ├── StorageUnsupportedError     the store lacks a call that an option needs: choose another option or store
        ├── ObjectExistsError           another export is there, and `replace` or `rerun` refuses
        └── StorageUnavailableError     retrying may help
            └── ObjectChangedError      another writer came first: retrying compares again

`retryable` is whether Airflow should use a retry for it. A message begins with the sentence that helps; `details` has
the request and the answer. Neither ever holds a key or a signed URL.
"""

from __future__ import annotations

from typing import ClassVar


class LabelboxExportError(Exception):
    """Root of all errors of this package.

    `message` is what happened and what to do, `details` the request and the answer; `str` has both.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, details: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} Details: {self.details}" if self.details else self.message


class ConfigurationError(LabelboxExportError, ValueError):
    """A setting is wrong; nothing was sent. The message names the option, the value and what it must be.

    `ruled_out` is whether what is landed already rules this landing out, so that nothing is resumed with other options.
    """

    def __init__(self, message: str = "", *, details: str | None = None, ruled_out: bool = False) -> None:
        super().__init__(message, details=details)
        self.ruled_out = ruled_out


class WindowError(ConfigurationError):
    """The DAG run has no usable window; the message names the timetable or option that has one."""


class ManualRunError(WindowError):
    """A manual run has no usable window, though its DAG can have one; the message describes how to trigger it."""


class HandleError(ConfigurationError):
    """The value of `export=` is not a handle of this package."""


class ConnectionSettingsError(ConfigurationError):
    """The Airflow connection is missing, incomplete or contradictory."""


class AccessError(LabelboxExportError):
    """Labelbox does not let this key do this."""


class AuthenticationError(AccessError):
    """The API key is not accepted: expired, revoked, mistyped, or API access is off for the plan."""


class AuthorizationError(AccessError):
    """The API key is accepted, but its user may not see or export this."""


class AnotherUsersExportError(AccessError):
    """The export was started with the key of another user, whose tasks this key cannot see."""


class NotFoundError(LabelboxExportError):
    """There is no such project, task or file in Labelbox, or this key cannot see it."""


class RefusedError(LabelboxExportError):
    """Labelbox refused the request permanently: validation, conflict, plan limit."""


class TemporaryError(LabelboxExportError):
    """A temporary failure; `retry_after` has the seconds that the server asked for, if it did."""

    retryable: ClassVar[bool] = True

    def __init__(self, message: str = "", *, details: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, details=details)
        self.retry_after = retry_after


class RateLimitedError(TemporaryError):
    """Too many requests in a minute; the request was not carried out."""


class RunningExportLimitError(TemporaryError):
    """Too many exports run at once in the project or organization; none was started.

    `in_project` is whether Labelbox named the limit of the project; other sources may start exports then.
    """

    in_project: bool = False


class UnreachableError(TemporaryError):
    """No sound answer came within the time bound: refused, reset, timed out, or 5xx throughout."""


class ListChangedError(TemporaryError):
    """A list of projects or datasets changed each time that it was read, so one could be missing; none is returned."""


class StartUncertainError(TemporaryError):
    """The answer to a start was lost and the export is not visible yet; the next try looks for it before starting."""


class ProtocolError(LabelboxExportError):
    """An answer that is not part of the protocol. Its text is in the message, without secrets."""


class ExportEndedError(LabelboxExportError):
    """The export ended without a result; only a new export helps."""


class ExportFailedError(ExportEndedError):
    """Labelbox reports the export as FAILED; it gives no reason."""


class ExportCanceledError(ExportEndedError):
    """Somebody canceled the export."""


class ExportPurgedError(ExportEndedError):
    """The export ended long ago and reads empty, or its files are refused: its results may have been removed."""


class ExportNotReadyError(LabelboxExportError):
    """The export is neither COMPLETE nor FAILED, so its streams cannot be read yet."""


class WaitTimeoutError(LabelboxExportError):
    """The time given to wait is over; the export itself continues."""


class NoTriggererError(WaitTimeoutError):
    """Airflow itself ended the wait, since no triggerer reported in time."""


class TaskStoppedError(LabelboxExportError):
    """Airflow stopped the task while it worked. What is not whole was removed; another try resumes."""

    retryable = True


class IntegrityError(LabelboxExportError):
    """Bytes, rows or order differ from what Labelbox announced. Nothing was published; a retry reads it again."""

    retryable: ClassVar[bool] = True


class TooManyErrorRowsError(LabelboxExportError):
    """The error stream holds more rows than `max_error_rows`; errors were landed, results were not."""


class WindowsNotLandedError(LabelboxExportError):
    """A check of windows found some that are due and missing, or rejected; the message has the way to fill each."""


class StorageError(LabelboxExportError):
    """The object store refused for a reason that retrying does not help with: no such bucket, no valid credentials.

    `of_upload` is whether it refused a part or the completion of one upload as it stands, rather than whoever made the
    call: begun again, that upload may be taken.
    """

    def __init__(self, message: str = "", *, details: str | None = None, of_upload: bool = False) -> None:
        super().__init__(message, details=details)
        self.of_upload = of_upload


class StorageDeniedError(StorageError):
    """The store does not let this identity make the call: no permission, a retention policy, a read-only mount.

    Calls that only improve a transfer, such as looking for an earlier object, may continue without their answer.
    """


class StorageUnsupportedError(StorageError):
    """The store does not offer a call of its protocol that an option needs."""


class ObjectExistsError(StorageError):
    """Another object is at the explicit key, or another generation of the window, and the options refuse it."""


class StorageUnavailableError(StorageError):
    """The object store could not be reached or failed inside; retrying may help.

    `remedy` is what somebody has to do before a retry helps, as the start of a sentence; None where waiting may do.
    """

    retryable: ClassVar[bool] = True

    def __init__(
        self, message: str = "", *, details: str | None = None, of_upload: bool = False, remedy: str | None = None
    ) -> None:
        super().__init__(message, details=details, of_upload=of_upload)
        self.remedy = remedy


class ObjectChangedError(StorageUnavailableError):
    """What is under the key is not what was there when the object was begun; another writer came first."""
