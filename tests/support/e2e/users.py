"""The users of the stage's Airflow, who log in with passwords."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class User(NamedTuple):
    """Somebody with a password and a role of Airflow's simple auth manager."""

    name: str
    password: str
    role: str


ADMIN = User("admin", "password-of-the-admin", "admin")
VIEWER = User("viewer", "password-of-the-viewer", "viewer")
OUTSIDER = User("outsider", "password-of-the-outsider", "viewer")
"""May read DAGs, but none whose id begins with one of `HIDDEN`."""
HIDDEN = ("windows_", "gaps_")


def with_users(home: Path) -> dict[str, str]:
    """Write the passwords into a file and return the settings under which these users, and no others, log in."""
    users = (ADMIN, VIEWER, OUTSIDER)
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({user.name: user.password for user in users}) + "\n")
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": "support.e2e.auth_manager.PerDagAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user.name}:{user.role}" for user in users),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
    }
