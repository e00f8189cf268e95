"""Checks of an operator's options, once it is constructed."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from labelbox_export_provider.airflow_compat import BaseOperatorMeta


class Checked(Protocol):
    """An operator that checks its options."""

    def _check_options(self) -> None: ...


OperatorT = TypeVar("OperatorT", bound=Checked)


class CheckedOperatorMeta(BaseOperatorMeta):
    """Checks an operator's options once all of its constructors have run, those of a third party's subclass included.

    Why: a constructor of a base class runs before the subclass has assigned its own options, and a check that each
    subclass has to call is forgotten. A mapped task is constructed, and so checked, when it runs.
    """

    # By the annotation of `cls`, type checkers check a call against the constructor.
    def __call__(cls: type[OperatorT], *args: Any, **kwargs: Any) -> OperatorT:  # noqa: N805
        """Construct the operator, then check it."""
        operator: OperatorT = super().__call__(*args, **kwargs)  # type: ignore[misc]
        operator._check_options()  # noqa: SLF001  a hook of the same class
        return operator
