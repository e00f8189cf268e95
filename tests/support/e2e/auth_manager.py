"""An auth manager with rights per DAG, as those of production have: Airflow's simple one knows roles only."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from support.e2e.users import HIDDEN, OUTSIDER


class PerDagAuthManager(SimpleAuthManager):
    """The simple auth manager, but for one of the users some DAGs do not exist."""

    def is_authorized_dag(self, *, user: Any, details: Any = None, **kwargs: Any) -> bool:
        """Return whether a user may do something with a DAG, or with any DAG where none is named."""
        hidden = user.username == OUTSIDER.name and details is not None and (details.id or "").startswith(HIDDEN)
        return not hidden and super().is_authorized_dag(user=user, details=details, **kwargs)
