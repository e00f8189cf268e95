"""A store's refusal, and the table by which a store turns it into an error that names the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from labelbox_export_provider.errors import IntegrityError, LabelboxExportError, StorageError

MAX_QUOTED = 300
"""So many characters of a store's own text are shown at most."""

Test = Callable[["Refusal"], bool]
Text = Callable[["Refusal"], str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that did not succeed, with what the store or its client library reported of it.

    `code` is the store's own name for the answer, or the class of the client library's exception where no answer came;
    then `status` is 0. `text` may quote values and is shown only where the store answered. `connection` is how messages
    name the connection, "the AWS connection 'aws_default'" for instance. `facts` are what a store's table may want to
    know of the call besides.
    """

    operation: str
    uri: str
    bucket: str
    connection: str
    answered: bool = False
    status: int = 0
    code: str = ""
    text: str = ""
    facts: frozenset[Enum] = field(default_factory=frozenset)

    def is_uncertain(self) -> bool:
        """Return whether the call was perhaps carried out."""
        return self.status in {0, 408} or self.status >= 500


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a store's table: the refusals that it is for, the class of the error, and the advice.

    The advice is a sentence without its full stop. As text it may name the fields of the refusal, and `{Connection}`
    for the connection at the start of a sentence. `sent` is False where the client library refused to send the call.
    With `of_upload`, an answer of HTTP 400 is about the upload that was called, if one was: its parts or its key.
    """

    error: type[StorageError]
    matches: Test
    advice: str | Text
    sent: bool = True
    of_upload: bool = False


def has_code(*codes: str) -> Test:
    """Return a test for the store's own name of an answer, or for the class of an exception."""
    return lambda refusal: refusal.code in codes


def has_status(*statuses: int) -> Test:
    """Return a test for the HTTP status of an answer."""
    return lambda refusal: refusal.status in statuses


UPLOAD_IS_GONE = Rule(
    StorageError,
    has_code("NoSuchUpload"),
    "The upload was aborted, so another try of the same task has taken over, or a lifecycle rule removed it",
)


def storage_error(refusal: Refusal, rules: Sequence[Rule]) -> StorageError:
    """Return the error of the first rule that matches; the last rule must match everything."""
    rule = next(rule for rule in rules if rule.matches(refusal))
    of_upload = rule.of_upload and refusal.status == 400
    return rule.error(f"{_advice(rule, refusal)}.", details=_details(rule, refusal), of_upload=of_upload)


def wrong_size(
    uri: str, remove: Callable[[], None], *, found: int, sent: int, why: str | None = None, crc32c: str = ""
) -> LabelboxExportError:
    """Remove an object of another size or checksum than was sent, and return the error.

    No retry helps where it is known why. `crc32c` names both checksums, where the store reports its own.
    """
    removed = "It was removed again."
    try:
        remove()
    except StorageError as error:
        removed = f"It could not be removed: {error.message}"
    happened = f"The store made {found} bytes of {sent} that were sent{crc32c}. {removed} No manifest names it."
    if why is not None:
        return StorageError(f"{happened} {why}.", details=uri)
    return IntegrityError(happened, details=uri)


def _advice(rule: Rule, refusal: Refusal) -> str:
    if callable(rule.advice):
        return rule.advice(refusal)
    connection = refusal.connection
    return rule.advice.format(
        bucket=refusal.bucket,
        code=refusal.code,
        connection=connection,
        Connection=f"{connection[:1].upper()}{connection[1:]}",
        operation=refusal.operation,
    )


def _details(rule: Rule, refusal: Refusal) -> str:
    call = f"{refusal.operation} of {refusal.uri}"
    if not refusal.answered:
        return f"{call} {'got no answer' if rule.sent else 'was not sent'} ({refusal.code})"
    status = f"HTTP {refusal.status}"
    quoted = refusal.text[:MAX_QUOTED].rstrip(". ")
    text = f": {quoted}" if quoted else ""
    return f"{call} was answered with {f'{refusal.code} ({status})' if refusal.code else status}{text}"
