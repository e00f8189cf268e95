"""Refusals of stores that speak S3 but do not know a header: a checksum, or the condition `If-None-Match`.

Stores word them in many ways, and some name nothing. AWS knows these headers, so its refusals are never among them.
"""

from __future__ import annotations

import re
from enum import Enum

from labelbox_export_provider.sinks.refusals import Refusal
from labelbox_export_provider.sinks.s3.checksums import CURE

ARRIVED_CHANGED = {"BadDigest", "XAmzContentChecksumMismatch", "IncompleteBody"}
"""What stores say that compare a checksum with other bytes."""
_NAMES_CHECKSUMS = re.compile(r"(?i)checksum|chunk|trailer|content-sha256|unsigned-payload|streaming|crc-?32")
_NAMES_CONDITION = re.compile(r"(?i)if-none-match|precondition|conditional")
_ABOUT_HEADERS = {400, 405, 501}
_CHECKSUMS = "the checksum that is sent with each upload"
# As text of a `Rule`, which is a format.
NO_CHECKSUMS = f"The store does not know {_CHECKSUMS}. {CURE}".replace("{", "{{").replace("}", "}}")
NO_CONDITION = (
    "The store does not know If-None-Match, which keeps an object that is there from being overwritten. Set "
    "replace=True, or choose another store"
)


class Fact(Enum):
    """What the table may want to know of a call besides."""

    CHECKSUM = "it carried a checksum to a store that is not AWS's own, and may not know it"
    UNSIGNED = "its body was not signed, for which a checksum is needed"
    CONDITION = "it carried If-None-Match"
    ACCEPTED = "the store has accepted these credentials before"


def knows_no_checksums(refusal: Refusal) -> bool:
    """Return whether the refusal is about the checksum that the call carried, as far as its text or code shows.

    Stores word it in many ways. A signature is refused where the store does not understand what was signed.
    """
    if Fact.CHECKSUM not in refusal.facts or refusal.code in ARRIVED_CHANGED:
        return False
    if refusal.code == "SignatureDoesNotMatch":
        return Fact.ACCEPTED in refusal.facts or "invalid argument" in refusal.text.lower()
    if refusal.code == "XAmzContentSHA256Mismatch":
        return Fact.UNSIGNED in refusal.facts
    if refusal.status == 411 or refusal.code in {"MissingContentLength", "MalformedTrailerError"}:
        return True
    return refusal.status in _ABOUT_HEADERS and _NAMES_CHECKSUMS.search(refusal.text) is not None


def may_be_about_checksums(refusal: Refusal) -> bool:
    """Return whether the same call without a checksum may be taken, though the refusal does not name it."""
    return refusal.status in _ABOUT_HEADERS or knows_no_checksums(refusal)


def knows_no_condition(refusal: Refusal) -> bool:
    """Return whether the refusal is about `If-None-Match`, which is all that a call without a checksum has of these."""
    if Fact.CONDITION not in refusal.facts or refusal.status not in _ABOUT_HEADERS:
        return False
    unnamed = refusal.status == 501 and Fact.CHECKSUM not in refusal.facts
    return unnamed or _NAMES_CONDITION.search(refusal.text) is not None


def unnamed_header(refusal: Refusal, advice: str = "") -> str:
    """Return the advice with the headers that may be at fault besides, though the refusal names none."""
    if Fact.CHECKSUM not in refusal.facts:
        return advice
    if not advice and Fact.CONDITION in refusal.facts:
        advice = f"The store may not know If-None-Match: set {NO_CONDITION.partition('Set ')[2]}"
    beginning = f"{advice}. If that is not it, the store" if advice else "The store"
    return f"{beginning} may not know {_CHECKSUMS}. {CURE}"
