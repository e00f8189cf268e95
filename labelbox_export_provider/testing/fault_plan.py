"""The list of pending faults, and their JSON form."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from labelbox_export_provider.testing.faults import KINDS, Fault

F = TypeVar("F", bound=Fault)


class FaultPlan:
    """The pending faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[_Pending] = []
        self.happened: list[Fault] = []
        """Every fault that happened, oldest first."""

    def add(self, *faults: Fault) -> None:
        """Add faults."""
        with self._lock:
            self._pending.extend(_Pending(fault, fault.after, fault.times) for fault in faults)

    def clear(self) -> None:
        """Remove every fault that has not happened yet."""
        with self._lock:
            self._pending.clear()

    @property
    def pending(self) -> list[Fault]:
        """Faults that can still happen."""
        with self._lock:
            return [entry.fault for entry in self._pending]

    def take(self, kinds: type[F] | tuple[type[F], ...], concerns: Callable[[F], bool]) -> F | None:
        """Return the first due fault of these kinds that fits this occasion, and count it as having happened."""
        with self._lock:
            for entry in self._pending:
                if isinstance(entry.fault, kinds) and concerns(entry.fault):
                    if entry.skip > 0:
                        entry.skip -= 1
                        continue
                    entry.skip = entry.fault.every - 1
                    if entry.left is not None:
                        entry.left -= 1
                        if entry.left <= 0:
                            self._pending.remove(entry)
                    self.happened.append(entry.fault)
                    return entry.fault
        return None


@dataclass
class _Pending:
    fault: Fault
    skip: int
    left: int | None


def fault_from_json(content: Mapping[str, Any]) -> Fault:
    """Return a fault from its JSON form: `fault` names the kind, every other member is one of its fields."""
    values = dict(content)
    kind = KINDS.get(values.pop("fault", ""))
    if kind is None:
        raise ValueError(f"`fault` must be one of {', '.join(KINDS)}")
    names = [field.name for field in fields(kind)]
    if unknown := sorted(values.keys() - set(names)):
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(names)}")
    arguments: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return kind(**arguments)


def fault_as_json(fault: Fault) -> dict[str, Any]:
    """Return the JSON form of a fault."""
    return {"fault": type(fault).__name__, **asdict(fault)}
