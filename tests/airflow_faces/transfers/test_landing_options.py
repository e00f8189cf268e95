"""The options of a landing are written once, and known to Airflow as if every transfer had written them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from support.airflow.tasks import some_dag

from labelbox_export_provider import (
    LabelboxExportToFileOperator,
    LabelboxExportToGCSOperator,
    LabelboxExportToS3Operator,
)
from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.streaming.landing.options import TRANSFER_OPTIONS, LandingOptions
from labelbox_export_provider.transfers.base import LabelboxExportTransferOperator

TARGETS: dict[type[LabelboxExportTransferOperator], dict[str, Any]] = {
    LabelboxExportToFileOperator: {"root": "/"},
    LabelboxExportToGCSOperator: {"bucket_name": "lake", "object_prefix": "labelbox"},
    LabelboxExportToS3Operator: {"s3_bucket": "lake", "s3_prefix": "labelbox"},
}
OTHERS: dict[str, Any] = {
    "compression": None,
    "verify_compression": True,
    "on_empty": "skip_task",
    "max_error_rows": 3,
    "rerun": "refuse",
    "max_object_bytes": None,
    "max_memory": 256 * 1024**2,
    "workers": 2,
    "part_bytes": 8 * 1024**2,
}
"""A value beside the default for each option that goes with a prefix; `replace` goes with an explicit key."""

each_transfer = pytest.mark.parametrize("transfer", TARGETS, ids=lambda transfer: transfer.__name__)


def test_the_signature_shows_them_with_their_defaults() -> None:
    """`help()`, documentation tools and Airflow see names, defaults and types as `LandingOptions` has them."""
    shown = inspect.signature(LabelboxExportTransferOperator.__init__).parameters
    for field in TRANSFER_OPTIONS:
        assert (shown[field.name].default, shown[field.name].annotation) == (field.default, field.type)
    assert {field.name for field in TRANSFER_OPTIONS} == {*OTHERS, "replace"}


def test_each_is_described_in_the_docstring() -> None:
    """The docstring of `LandingOptions` describes every option."""
    described = inspect.getdoc(LandingOptions)
    assert described is not None
    assert [field.name for field in TRANSFER_OPTIONS if f":param {field.name}:" not in described] == []


@each_transfer
def test_a_call_sets_them(transfer: Any) -> None:
    """What a task is given is what it lands with; what is left out has its default."""
    task = transfer(task_id="land", export="{{ export }}", **TARGETS[transfer], **OTHERS)
    assert task.landing == LandingOptions(**OTHERS)
    assert transfer(task_id="land", export="{{ export }}", **TARGETS[transfer]).landing == LandingOptions()


@each_transfer
def test_partial_and_expand_take_them(transfer: Any) -> None:
    """Airflow checks the arguments of a mapped task by the signatures of its constructors."""
    given = {name: value for name, value in OTHERS.items() if name != "max_error_rows"}
    with some_dag():
        mapped = transfer.partial(task_id="land", export="{{ export }}", **TARGETS[transfer], **given).expand(
            max_error_rows=[1, 3]
        )
        with pytest.raises(TypeError, match="max_trim_row"):
            transfer.partial(task_id="other", max_trim_row=1)
    assert mapped.unmap({"max_error_rows": 3}).landing == LandingOptions(**OTHERS)


@each_transfer
def test_default_args_of_a_dag_set_them(transfer: Any) -> None:
    """Airflow fills in `default_args` by the signature; what a call writes goes first."""
    with some_dag(default_args={**OTHERS, "workers": 9}):
        task = transfer(task_id="land", export="{{ export }}", workers=2, **TARGETS[transfer])
    assert task.landing == LandingOptions(**OTHERS)


@each_transfer
def test_unknown_and_wrong_ones_fail_while_parsing(transfer: Any) -> None:
    """A name that is not an option is refused by Airflow, a value that cannot work by the option's own check."""
    for unknown in ("compresion", "max_trim_row"):
        with pytest.raises(TypeError, match=unknown):
            transfer(task_id="land", export="{{ export }}", **TARGETS[transfer], **{unknown: 1})
    with pytest.raises(ConfigurationError, match="on_empty"):
        transfer(task_id="land", export="{{ export }}", **TARGETS[transfer], on_empty="fail")
