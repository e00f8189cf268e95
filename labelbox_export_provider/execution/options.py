"""The options of an operator: checked once it is constructed, and told apart from those that came by default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from labelbox_export_provider.airflow_compat import BaseOperatorMeta

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


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


def came_by_default(arguments: Mapping[str, Any], **options: object) -> frozenset[str]:
    """Return the names of the options that came by `default_args` and that the call did not write.

    Why: a DAG sets `labelbox_conn_id` once for tasks of every kind. Where it does not apply to a task it is ignored,
    while the same option written in the call is a mistake and is refused. Airflow fills in defaults before a
    constructor runs and passes those of DAG, task group and call along, merged, among the `arguments` for its own
    constructor; for a mapped task too, which is built at run time. So what equals its default came by default.
    """
    defaults: Mapping[str, Any] = arguments.get("default_args") or {}
    return frozenset(name for name, value in options.items() if name in defaults and _same(value, defaults[name]))


def _same(value: object, default: object) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


def written_first(by_default: Collection[str], **options: Any) -> tuple[Any, ...]:
    """Return options that exclude each other; where the call wrote one of them, those by default become None."""
    written = {name: value for name, value in options.items() if name not in by_default}
    if all(value is None for value in written.values()):
        return tuple(options.values())
    return tuple(written.get(name) for name in options)


def own_params(task: BaseOperator) -> set[str]:
    """Return the names of the params that the task itself sets, not its DAG."""
    params: Any = task.params
    of_dag: Any = task.dag.params if task.has_dag() else {}
    return {name for name in params if name not in of_dag or _replaces(params, of_dag, name)}


def _replaces(params: Any, of_dag: Any, name: str) -> bool:
    """Return whether a task gives a param that its DAG has, too."""
    source = getattr(params.get_param(name), "source", None)
    if source is not None:  # Airflow 3.3 notes where a param came from, older versions do not
        return bool(source == "task")
    # Not by index, which checks the value: a param that the trigger form has to fill in has none yet.
    return bool(params.get_param(name).value != of_dag.get_param(name).value)
