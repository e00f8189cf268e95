"""Windows have no gap: whole years of runs over a project that is edited all the time, each decided by a seed.

Premise: the index shows every edit within `settle + lookback`. The windows of the manifests tile the year.
`LABELBOX_SEEDS=2000` runs more of them, `LABELBOX_SEED=17` one of them again.
"""

from __future__ import annotations

import os

import pytest
from support.simulated_year import faults, make_year, run_year

pytestmark = pytest.mark.thorough

SEEDS = int(os.environ.get("LABELBOX_SEEDS", "200"))
ONE = os.environ.get("LABELBOX_SEED")


@pytest.mark.parametrize("seed", [int(ONE)] if ONE else range(SEEDS))
def test_every_row_is_in_the_lake(seed: int) -> None:
    """Windows have no gap.

    The newest version of every row is in the lake and a row that is not modified again in exactly one window.
    """
    year = make_year(seed)
    assert not faults(year, run_year(year)), f"LABELBOX_SEED={seed} repeats it"
