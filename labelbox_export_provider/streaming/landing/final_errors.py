"""Which failures end resuming: the one place where it is decided what a later try may use of this one."""

from __future__ import annotations

from labelbox_export_provider.errors import (
    ConfigurationError,
    ExportEndedError,
    IntegrityError,
    ObjectExistsError,
    TooManyErrorRowsError,
)

_NOT_CURED_BY_RESUMING = (
    IntegrityError,
    TooManyErrorRowsError,
    ObjectExistsError,
    ExportEndedError,
)


def why_ended(error: BaseException) -> str:
    """Return why nothing is kept after a failure that ends resuming, as the rest of a sentence."""
    if isinstance(error, IntegrityError):
        return "which of the bytes are wrong is not known"
    return "this export is not landed from what was stored"


def ends_resuming(error: BaseException) -> bool:
    """Return whether a later try must not resume what this one has stored.

    Bytes that differ from what was announced have to be read again, all of them: which ones are wrong is not known. An
    export that is refused, gives way or has another form is not landed from these objects. Everything else (a stop, a
    host that does not answer, a permission or a key that is missing, an option or a connection that is wrong) may be
    over at the next try: a receipt records in which form its bytes are, so other options make no other use of it.
    """
    is_ruled_out = isinstance(error, ConfigurationError) and error.ruled_out
    return is_ruled_out or isinstance(error, _NOT_CURED_BY_RESUMING)
