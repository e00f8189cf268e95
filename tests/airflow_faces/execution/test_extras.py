"""Providers that a transfer needs, by the module and by the extra that installs it."""

from __future__ import annotations

import pytest

from labelbox_export_provider.errors import ConfigurationError
from labelbox_export_provider.execution.extras import require_extra


@pytest.mark.parametrize("module", ["airflow.providers.no_such_vendor", "airflow.providers.no_such_vendor.cloud"])
def test_a_missing_provider_is_refused_at_any_depth(module: str) -> None:
    """The packages above a provider may be missing, too, which Python reports by an exception of its own."""
    with pytest.raises(ConfigurationError, match=r"^MyOperator needs some-provider, .*the 'cloud' extra .*\[cloud\]"):
        require_extra("MyOperator", module=module, extra="cloud", provider="some-provider")


def test_an_installed_provider_is_accepted() -> None:
    """The name of the extra need not be in the name of the module."""
    require_extra("MyOperator", module="importlib.metadata", extra="cloud", provider="some-provider")
