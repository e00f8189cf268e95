"""Windows from the trigger form."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError
from support.airflow.runs import PRESSED, fired_at, triggered
from support.airflow.windows import FORM, window_of
from support.kinds_of_run import INTERVALS, NIGHTLY, RUNS

from labelbox_export_provider import DataIntervalWindow, ParamsWindow, window_params
from labelbox_export_provider.errors import ConfigurationError, ManualRunError, WindowError


@pytest.mark.parametrize("how", RUNS)
def test_a_form_left_empty_changes_nothing(how: str) -> None:
    run = RUNS[how]()
    try:
        expected = window_of(run, DataIntervalWindow())
    except WindowError:
        with pytest.raises(
            WindowError, match=r"with the fields 'Window start' .* and 'Window end' .* filled in"
        ) as raised:
            window_of(run, ParamsWindow(), window_params())
        assert "ParamsWindow()" not in str(raised.value), "which the DAG has"
    else:
        assert window_of(run, ParamsWindow(), window_params()) == expected


@pytest.mark.parametrize("body", [{}, {"logical_date": PRESSED.isoformat()}])
@pytest.mark.parametrize("schedule", [None, INTERVALS, NIGHTLY])
def test_a_form_filled_in_gives_any_run_by_hand_its_window(schedule: Any, body: dict[str, Any]) -> None:
    window = window_of(triggered(schedule, conf=FORM, **body), ParamsWindow(), window_params())
    assert (window.start, window.end) == (pendulum.datetime(2026, 1, 1), pendulum.datetime(2026, 2, 1))


@pytest.mark.parametrize(
    ("conf", "part"),
    [
        ({"start": FORM["start"]}, "given 'Window start' (param 'start') and not 'Window end' (param 'end')"),
        (
            {"end": FORM["end"], "start": None},
            "given 'Window end' (param 'end') and not 'Window start' (param 'start')",
        ),
    ],
)
def test_a_half_filled_form_is_refused_by_its_labels(conf: dict[str, Any], part: str) -> None:
    """The remedy is to trigger again; the schedule is right."""
    with pytest.raises(ManualRunError) as raised:
        window_of(triggered(INTERVALS, conf=conf, logical_date=PRESSED.isoformat()), ParamsWindow(), window_params())
    assert part in str(raised.value)
    assert "Trigger the DAG again, with both fields filled in" in str(raised.value)
    assert "chedule" not in str(raised.value)


def test_half_a_window_in_defaults_is_not_blamed_on_a_form() -> None:
    """Nobody fills in a form for a scheduled run."""
    params = {**window_params(), "start": Param(FORM["start"], type="string")}
    with pytest.raises(WindowError, match="Correct the defaults of these params in the DAG file") as raised:
        window_of(fired_at(INTERVALS), ParamsWindow(), params)
    assert not isinstance(raised.value, ManualRunError)


@pytest.mark.parametrize("value", ["tomorrow", "", 7, "2026-01-01"])
def test_the_form_itself_takes_nothing_but_instants(value: object) -> None:
    with pytest.raises((ParamValidationError, WindowError)):
        window_of(triggered(None, conf=FORM | {"start": value}), ParamsWindow(), window_params())


def test_the_form_may_have_other_names_and_params() -> None:
    """The form's fields may have other names, and other params beside them."""
    params = {**window_params("since", "until"), "project_id": "x"}
    run = triggered(None, conf={"since": FORM["start"], "until": FORM["end"]})
    assert window_of(run, ParamsWindow("since", "until"), params).start == pendulum.datetime(2026, 1, 1)
    with pytest.raises(WindowError, match=r"no param 'start' \(there are: 'project_id', 'since', 'until'\)"):
        window_of(run, ParamsWindow(), params)
    with pytest.raises(ConfigurationError, match="both name the param"):
        window_params("x", "x")
