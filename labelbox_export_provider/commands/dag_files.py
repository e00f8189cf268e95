"""DAGs by file or by id, parsed as Airflow parses them, without its database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labelbox_export_provider.airflow_compat import dags_folder, parse_dags
from labelbox_export_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import DAG


def find_dags(name: str) -> list[DAG]:
    """Return all DAGs of a file, or the one with this id; raises `ConfigurationError` with what parsing failed of."""
    path = Path(name)
    by_file = path.suffix in {".py", ".zip"}
    if by_file and not path.is_file():
        raise ConfigurationError(f"There is no file {name}. Name a DAG file, or the id of a DAG.")
    folder = path.resolve() if by_file else Path(dags_folder())
    sys.path.append(str(folder.parent if by_file else folder))  # where DAG files import their neighbours from
    dags, import_errors = parse_dags(folder)
    if by_file:
        if import_errors:
            raise ConfigurationError(f"{name} cannot be imported:\n{next(iter(import_errors.values()))}")
        return dags
    found = [dag for dag in dags if dag.dag_id == name]
    if not found:
        others = f" {len(import_errors)} of its files cannot be imported." if import_errors else ""
        raise ConfigurationError(
            f"There is no DAG {name!r} in {folder} (Airflow's [core] dags_folder).{others} Name its file instead."
        )
    return found
