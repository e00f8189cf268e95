"""Cloud providers that a transfer needs: a missing one is refused while the DAG is parsed."""

from __future__ import annotations

from importlib.util import find_spec

from labelbox_export_provider.errors import ConfigurationError


def require_extra(operator: str, extra: str, provider: str) -> None:
    """Fail with `ConfigurationError` where a provider is not installed; the provider is not imported."""
    # A dotted name makes find_spec import what is above it, which is Airflow's empty namespace and nothing else.
    if find_spec(f"airflow.providers.{extra}") is None:
        raise ConfigurationError(
            f"{operator} needs {provider}, which is not installed here. Install the {extra!r} extra of this package "
            "wherever DAGs are parsed and tasks run: "
            f"pip install 'airflow-provider-labelbox-export[{extra}]', with the constraint file of your Airflow "
            "(see the README)."
        )
