"""The faults of a case: of the source, of the store's methods, and on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from support.stores.faulty_sink import Injection, area_of
from support.streaming.fault_cases import FILE_BYTES, INJECTIONS, Case, Place

from labelbox_export_provider.testing import faults
from labelbox_export_provider.testing.object_store import Call, Fault


def turn_of(place: Place, number: int) -> int:
    assert number, "there is no such call in a landing without faults"
    return {"first": 0, "middle": number // 2, "last": number - 1}[place]


def injection_of(how: str) -> Injection:
    (inject,) = (each for each in INJECTIONS if each == how)
    return inject


def source_fault(case: Case) -> faults.Fault:
    """A fault of a whole file, or at one of its bytes; in the first, a middle or the last file or byte."""
    kind = case.how.removesuffix(" for ever")
    errors = case.area == "errors"
    index = turn_of(case.place, 1 if errors else 9) if case.what == "file" else 0
    byte = {"first": 0, "middle": FILE_BYTES // 2, "last": FILE_BYTES - 2_000}[case.place]
    byte = 7 if case.what == "file" else byte
    common: dict[str, Any] = {
        "stream": "ERRORS" if errors else "RESULT",
        "file_index": index,
        "times": None if case.how.endswith("for ever") else 1,
    }
    made: dict[str, Callable[[], faults.Fault]] = {
        "broken": lambda: faults.BrokenFile(after_bytes=byte, **common),
        "truncated": lambda: faults.TruncatedFile(keep=byte, **common),
        "corrupt": lambda: faults.CorruptFile(position=byte, **common),
        "too long": lambda: faults.LongerFile(**common),
        "expired": lambda: faults.ExpiredFile(**common),
        "refused": lambda: faults.RefusedFile(**common),
    }
    return made[kind]()


@dataclass
class WireFault:
    """What a server of our own does wrong, once or from then on."""

    case: Case
    turn: int
    hit: bool = False
    calls: int = 0

    def __call__(self, call: Call) -> Any:
        if call.operation != self.case.what or area_of(call.key) != self.case.area:
            return None
        self.calls += 1
        for_ever = self.case.how.endswith("for ever")
        if self.calls - 1 != self.turn and not (for_ever and self.calls > self.turn):
            return None
        self.hit = True
        if self.case.store == "gcs":
            return {
                "reset before": Fault("before"),
                "reset after": Fault("after"),
                "reset": Fault("before"),
                "half kept": Fault("half"),
                "500": Fault("before", 500, "backendError"),
                "slow down": Fault("before", 429, "rateLimitExceeded"),
                "error in the body": Fault("before", code="InternalError", in_body=True),
                "error in the body after": Fault("after", code="InternalError", in_body=True),
            }[self.case.how.removesuffix(" for ever")]
        return {
            "reset before": Fault("before"),
            "reset after": Fault("after"),
            "reset": Fault("before"),
            "500": Fault("before", 500, "InternalError"),
            "slow down": Fault("before", 503, "SlowDown"),
            "error in the body": Fault("before", code="InternalError", in_body=True),
            "error in the body after": Fault("after", code="InternalError", in_body=True),
        }[self.case.how.removesuffix(" for ever")]
