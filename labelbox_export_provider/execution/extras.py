"""Cloud providers that a transfer needs: a missing one is refused while the DAG is parsed."""

from __future__ import annotations

from importlib.util import find_spec

from labelbox_export_provider.errors import ConfigurationError


def require_extra(operator: str, *, module: str, extra: str, provider: str) -> None:
    """Fail with `ConfigurationError` where a provider is not installed; the provider is not imported.

    `module` is what the provider installs, "airflow.providers.microsoft.azure" for instance; `extra` is that of this
    package, and `provider` the name of the distribution.
    """
    if not _is_installed(module):
        raise ConfigurationError(
            f"{operator} needs {provider}, which is not installed here. Install the {extra!r} extra of this package "
            "wherever DAGs are parsed and tasks run: "
            f"pip install 'airflow-provider-labelbox-export[{extra}]', with the constraint file of your Airflow "
            "(see the README)."
        )


def _is_installed(module: str) -> bool:
    # A dotted name makes find_spec import the packages above it, which are Airflow's empty namespaces.
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
