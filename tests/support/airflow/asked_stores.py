"""Transfers that ask their store before the start."""

from __future__ import annotations

from typing import Any

import pytest
from support.failing_tasks import DagHarness

from labelbox_export_provider.airflow_compat import AirflowException

START = "exportDataRowsInProject"


KMS = "User: arn:aws:iam::111122223333:user/w is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:k"


def refused(night: DagHarness, **options: Any) -> str:
    """The message of a try that ends before anything is started."""
    with pytest.raises(AirflowException) as failure:
        night.all_in_one(**options)
    assert night.fake.requests.asking(START) == []
    assert night.fake.exports == []
    assert "source:" in str(failure.value)
    return str(failure.value)
