"""The oracle of the simulated years is not blind: what loses rows shows up in it."""

from __future__ import annotations

from typing import get_args

import pytest
from support.simulated_year import Bug, faults, make_year, run_year

pytestmark = pytest.mark.thorough


def test_index_lag_beyond_the_settings_shows_as_loss() -> None:
    """An index that lags longer than settle and lookback cover shows as loss."""
    lost = 0
    for seed in range(12):
        year = make_year(seed, late=True)
        assert year.lag > year.settle + year.lookback
        lost += any("newest version" in fault for fault in faults(year, run_year(year)))
    assert lost >= 6, f"{lost} of 12 years lost a row"


@pytest.mark.parametrize("bug", get_args(Bug))
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    caught = 0
    for seed in range(12):
        year = make_year(seed)
        caught += any("newest version" in fault for fault in faults(year, run_year(year, bug)))
    assert caught >= 3, f"{bug}: seen in {caught} of 12 years"
