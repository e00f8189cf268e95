"""The window that a person fills into the trigger form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import Self

from labelbox_export_provider.domain.options.dates import iso_utc
from labelbox_export_provider.domain.options.templates import is_template
from labelbox_export_provider.domain.windows.fields import as_utc
from labelbox_export_provider.domain.windows.kinds import DataIntervalWindow, FixedWindow, PartitionWindow, Window
from labelbox_export_provider.domain.windows.resolved import ResolvedWindow, RunInterval
from labelbox_export_provider.errors import ConfigurationError, ManualRunError, WindowError

OtherWindow: TypeAlias = DataIntervalWindow | FixedWindow | PartitionWindow


def _other(value: object) -> object:
    """Build the window for runs without params; its kind names its class."""
    if isinstance(value, (DataIntervalWindow, FixedWindow, PartitionWindow)):
        return value
    kind = value.get("kind") if isinstance(value, Mapping) else None
    for model in (DataIntervalWindow, FixedWindow, PartitionWindow):
        if kind == model.model_fields["kind"].default:
            return model.parse(value)
    raise ValueError("must be DataIntervalWindow(), PartitionWindow(width) or FixedWindow(start, end).")


def _param_name(value: object) -> object:
    if not isinstance(value, str) or not value.strip() or is_template(value):
        raise ValueError("the name of a param of the DAG is needed, as in DAG(params=window_params('start', 'end')).")
    return value


ParamName = Annotated[str, BeforeValidator(_param_name)]


class ParamsWindow(Window):
    """The window given in a run's params; `otherwise` is the window of runs without any.

    `start` and `end` are the names of two params of the DAG, which `window_params()` makes. Both filled in: the window
    [start, end), with `field`, `trim` and `settle` of `otherwise`, without its look-back and its first load. Both
    empty: `otherwise`. Anything else is refused, with the labels of the form's fields; half a window is never
    replaced silently.
    """

    owner: ClassVar[str] = "a window from params"
    never_templates: ClassVar[frozenset[str]] = frozenset({"kind", "start", "end"})

    kind: Literal["params"] = "params"
    start: ParamName = "start"
    end: ParamName = "end"
    otherwise: Annotated[OtherWindow, BeforeValidator(_other)] = Field(default_factory=DataIntervalWindow)

    def __init__(self, /, start: object = "start", end: object = "end", **options: Any) -> None:
        super().__init__(**{"start": start, "end": end, **options})

    @model_validator(mode="after")
    def _two_params(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"start and end both name the param {self.start!r}; a window has two ends.")
        return self

    def resolve(self, run: RunInterval) -> ResolvedWindow:
        """Return the window of a run; raises `WindowError`, which names the fields of the form."""
        given = {name: self._given(run, name) for name in (self.start, self.end)}
        if all(value is None for value in given.values()):
            return self._otherwise(run)
        for name, value in given.items():
            if value is None:
                other = self.end if name == self.start else self.start
                raise _wrong_form(
                    run,
                    f"{run.describe()} was given {_field(run, other)} and not {_field(run, name)}: half a window.",
                    "both fields filled in, or with neither for the run's own window",
                )
        start, end = (_instant(run, name, value) for name, value in given.items())
        if start >= end:
            raise _wrong_form(
                run,
                f"{run.describe()} was given {_field(run, self.end)} ({iso_utc(end)}) not after "
                f"{_field(run, self.start)} ({iso_utc(start)}); the window is [start, end).",
                "an end that lies after the start",
            )
        return self.otherwise.resolved(start, end, queried_from=start)

    def _given(self, run: RunInterval, name: str) -> object:
        if run.params is None or name not in run.params:
            there = ", ".join(sorted(map(repr, run.params or ()))) or "none"
            raise WindowError(
                f"{run.describe()} has no param {name!r} (there are: {there}), which ParamsWindow reads. Nothing was "
                f"exported. Write DAG(params=window_params({self.start!r}, {self.end!r}))."
            )
        return run.params[name]

    def _otherwise(self, run: RunInterval) -> ResolvedWindow:
        try:
            return self.otherwise.resolve(replace(run, has_form=True))
        except WindowError as error:
            fields = f"{_field(run, self.start)} and {_field(run, self.end)}"
            raise type(error)(
                f"{error} Or trigger it with the fields {fields} filled in, which this run left empty."
            ) from None


def _field(run: RunInterval, name: str) -> str:
    """Return a field's label in the trigger form and its name in the API."""
    label = run.labels.get(name, name)
    return repr(name) if label == name else f"{label!r} (param {name!r})"


def _instant(run: RunInterval, name: str, value: object) -> datetime:
    try:
        return as_utc(value)
    except ConfigurationError as error:
        raise _wrong_form(
            run,
            f"{run.describe()} was given {value!r} in the field {_field(run, name)}: {error}",
            "an instant in this field, or with both fields empty for the run's own window",
        ) from None


def _wrong_form(run: RunInterval, what: str, needed: str) -> WindowError:
    if run.run_type and not run.is_manual:  # no form was filled in: these are the DAG's defaults
        return WindowError(f"{what} Nothing was exported. Correct the defaults of these params in the DAG file.")
    return ManualRunError(f"{what} Nothing was exported. Trigger the DAG again, with {needed}.")
