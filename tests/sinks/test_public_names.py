"""`labelbox_export_provider.sinks` has what an author of a store needs, and loads it on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labelbox_export_provider import sinks


@pytest.mark.parametrize("name", sinks.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(sinks, name) is not None
    assert name in dir(sinks)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'AzureSink'"):
        _ = sinks.AzureSink


def test_the_contract_loads_no_store() -> None:
    """An author of a store needs neither the other stores nor their client libraries."""
    code = (
        "import sys; from labelbox_export_provider.sinks import Sink, PartAccount; "
        "print([name for name in sys.modules if name.startswith(('labelbox_export_provider.sinks.s3', "
        "'labelbox_export_provider.sinks.gcs', 'boto', 'google.cloud.storage'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
