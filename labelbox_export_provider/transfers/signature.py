"""Parameters of a constructor that are written once, as the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import Field
from typing import Any, TypeVar

ConstructorT = TypeVar("ConstructorT", bound=Callable[..., None])


def shows_parameters(fields: Iterable[Field[Any]], *, before: str) -> Callable[[ConstructorT], ConstructorT]:
    """Return a decorator that adds `fields` to the signature of a constructor that takes them by its `**kwargs`.

    Why: Airflow checks the arguments of `partial()`, and fills in `default_args`, by the signature of a constructor;
    `help()` and documentation tools show it. `typing.Unpack` does not change the signature, and a constructor with it
    could not pass on what `BaseOperator` takes.
    """

    def add(constructor: ConstructorT) -> ConstructorT:
        signature = inspect.signature(constructor)
        shown = list(signature.parameters.values())
        place = next(index for index, parameter in enumerate(shown) if parameter.name == before)
        shown[place:place] = [
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
            for field in fields
        ]
        constructor.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
        return constructor

    return add
