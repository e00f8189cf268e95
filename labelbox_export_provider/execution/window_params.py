"""The two fields of the trigger form that `ParamsWindow` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labelbox_export_provider.domain.windows.params import ParamsWindow

if TYPE_CHECKING:
    from airflow.sdk import Param


def window_params(start: str = "start", end: str = "end") -> dict[str, Param]:
    """Return the params of a DAG whose runs may be given a window: `DAG(params=window_params())`.

    Both are instants that may stay empty, which scheduled runs need. Merge them with a DAG's other params:
    `params={**window_params(), "project_id": ...}`. Fails with `ConfigurationError` on a name that is not valid.
    """
    from airflow.sdk import Param  # here, so that parsing a DAG without a form does not load it

    ParamsWindow(start, end)  # refuses the same names
    return {
        name: Param(None, type=["string", "null"], format="date-time", title=title, description=text)
        for name, title, text in (
            (start, "Window start", f"First instant whose changes are exported. Fill in {end} as well, or neither."),
            (end, "Window end", f"First instant whose changes are not exported. Fill in {start} as well, or neither."),
        )
    }
