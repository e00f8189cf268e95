"""Ids that look like Labelbox's: 25 characters, the same for the same seed."""

from __future__ import annotations

import base64
import hashlib

ID_LENGTH = 25

# The ids in docs and example DAGs, so that these run against the fake unchanged.
DEMO_PROJECT_ID = "clprojectdemo000000000000"
DEMO_DATASET_ID = "cldatasetdemo000000000000"
DEMO_SLICE_ID = "clslicedemo00000000000000"
DEMO_MODEL_RUN_ID = "clmodelrundemo00000000000"


def make_id(seed: str) -> str:
    """Return the id of a seed. Different seeds give different ids."""
    letters = base64.b32hexencode(hashlib.sha256(seed.encode()).digest()).decode().lower()
    return "cl" + letters[: ID_LENGTH - 2]
