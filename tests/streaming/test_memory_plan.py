"""Memory is planned before anything starts; what cannot work is refused with the numbers that would."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.streaming.pipeline.memory_plan import (
    MIB,
    SAFETY,
    SLACK_BYTES,
    WORKER_BYTES,
    check_memory_options,
    plan_memory,
)


def test_an_object_longer_than_the_store_takes_is_refused() -> None:
    """5 TiB in S3 and Google Cloud Storage; a prefix splits the export."""
    with pytest.raises(ConfigurationError, match=r"One object of 6597069766656 bytes .* Land below a prefix"):
        plan_memory(size=6 << 40, max_memory=8 << 30, maximum_object_bytes=5 << 40)


@pytest.mark.parametrize(("maximum_parts", "part_mib"), [(10_000, 48), (1_000_000_000, 16)], ids=["S3", "a directory"])
def test_parts_are_sized_by_the_number_that_a_store_takes(maximum_parts: int, part_mib: int) -> None:
    """A directory takes any number of them, so an object there has no limit that comes from its parts."""
    plan = plan_memory(size=420 << 30, maximum_parts=maximum_parts)
    assert plan.part_bytes // MIB in {part_mib - 1, part_mib}


def test_the_defaults_are_four_workers_with_parts_of_16_mib() -> None:
    plan = plan_memory(size=10 * 1024 * MIB, members=320)
    assert (plan.workers, plan.part_bytes) == (4, 16 * MIB)
    assert plan.held_bytes > 5 * plan.part_bytes


@given(
    st.integers(0, 400 * 1024 * MIB),
    st.integers(8 * MIB, 1024 * MIB),
    st.one_of(st.none(), st.integers(1, 32)),
    st.one_of(st.none(), st.integers(5 * MIB, 64 * MIB)),
)
def test_a_plan_never_exceeds_the_bound_and_given_values_win(
    size: int, max_memory: int, workers: int | None, part_bytes: int | None
) -> None:
    """G5: one bound, stated."""
    try:
        plan = plan_memory(size=size, max_memory=max_memory, workers=workers, part_bytes=part_bytes)
    except ConfigurationError:
        return
    assert (plan.held_bytes + plan.workers * WORKER_BYTES) * SAFETY <= max_memory
    assert plan.held_bytes >= 2 * plan.part_bytes + SLACK_BYTES
    assert plan.part_bytes * 10_000 > size
    assert plan.part_bytes >= 5 * MIB
    assert workers in {None, plan.workers}
    assert part_bytes in {None, plan.part_bytes}


def test_many_workers_halve_the_parts() -> None:
    """Many workers halve the parts as often as needed, where the store takes small ones."""
    plan = plan_memory(size=1024 * MIB, workers=12, minimum_part_bytes=MIB // 4)
    assert (plan.workers, plan.part_bytes) == (12, 2 * MIB)


def test_little_memory_means_smaller_parts_and_fewer_workers() -> None:
    plan = plan_memory(size=1024 * MIB, max_memory=40 * MIB)
    assert (plan.workers, plan.part_bytes) == (2, 5 * MIB)


def test_a_small_export_has_a_worker_per_member_at_most() -> None:
    """A small export has no more workers than it has members."""
    assert plan_memory(size=MIB, members=1).workers == 1


def test_an_impossible_combination_names_a_value_that_works() -> None:
    """An impossible combination is refused with the options and a value that works.

    G10: a bad setting fails before the first call.
    """
    with pytest.raises(ConfigurationError, match=r"max_memory=33554432, workers=8, part_bytes=16777216") as caught:
        plan_memory(size=0, max_memory=32 * MIB, workers=8, part_bytes=16 * MIB)
    enough = int(re.search(r"max_memory=(\d+) at least", str(caught.value))[1])  # type: ignore[index]  # the match is the test
    plan_memory(size=0, max_memory=enough, workers=8, part_bytes=16 * MIB)


def test_parts_that_would_be_too_many_for_the_store_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="part_bytes=5242880"):
        plan_memory(size=300 * 1024 * MIB, part_bytes=5 * MIB)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers=0: must be a whole number above 0"),
        ({"workers": 33}, "must be 1 to 32"),
        ({"workers": True}, "workers=True"),
        ({"part_bytes": 1024}, "part_bytes=1024"),
        ({"max_memory": MIB}, "max_memory=1048576"),
    ],
)
def test_impossible_values_are_refused_at_parse_time(options: dict[str, int], message: str) -> None:
    """Values that can never work are refused while the DAG is parsed.

    G10: a bad setting fails at parse time.
    """
    with pytest.raises(ConfigurationError, match=message):
        check_memory_options(**options)
