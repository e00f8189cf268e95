"""Parts so small that an export of some hundred rows has many of them."""

from __future__ import annotations

import pytest

PART_BYTES = 16 * 1024


def use_small_parts(patch: pytest.MonkeyPatch, part_bytes: int = PART_BYTES) -> None:
    """Make all parts this large, whatever memory there is; a store still has its own minimum."""
    for name in ("MIN_PART", "MAX_PART"):
        patch.setattr(f"labelbox_export_provider.streaming.pipeline.memory_plan.{name}", part_bytes)
