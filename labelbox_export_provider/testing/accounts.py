"""The accounts of the fake: one organization, its users and their API keys."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime
from datetime import timezone as fixed_zone

from labelbox_export_provider.testing.ids import make_id


@dataclass(frozen=True, kw_only=True)
class FakeUser:
    """A user of the fake. `api_key` is the key made with the user; `Accounts` may hold more."""

    email: str = "data.engineer@example.com"
    name: str = "Data Engineer"
    timezone: str | None = "UTC"
    may_export: bool = True
    """If False, the mutations answer AUTHORIZATION_ERROR."""
    user_id: str = field(default_factory=lambda: make_id(secrets.token_hex(8)))
    api_key: str = field(default_factory=lambda: f"fake-key-{secrets.token_hex(16)}", repr=False)
    created_at: datetime = datetime(2024, 1, 2, 3, 4, 5, tzinfo=fixed_zone.utc)


class Accounts:
    """The organization and the owner of each key. Keys can be added and revoked while the fake runs."""

    organization_id = "clorganizationfake0000000"
    organization_name = "Fake Labelbox"

    def __init__(self, owner: FakeUser) -> None:
        self._lock = threading.Lock()
        self.users: list[FakeUser] = []
        self._keys: dict[str, FakeUser] = {}
        self.add(owner)

    def add(self, user: FakeUser) -> FakeUser:
        """Add a user with their key."""
        with self._lock:
            if user.api_key in self._keys:
                raise ValueError("this API key belongs to another user already")
            self.users.append(user)
            self._keys[user.api_key] = user
        return user

    def add_key(self, user: FakeUser) -> str:
        """Create one more key for a known user, as in a rotation."""
        key = f"fake-key-{secrets.token_hex(16)}"
        with self._lock:
            self._keys[key] = user
        return key

    def revoke(self, api_key: str) -> None:
        """Refuse this key from now on."""
        with self._lock:
            if self._keys.pop(api_key, None) is None:
                raise ValueError("no such API key is in use")

    def user_of(self, api_key: str) -> FakeUser | None:
        """Return the owner of a key; None when it is unknown or revoked."""
        with self._lock:
            return self._keys.get(api_key)

    def find(self, user_id: str) -> FakeUser | None:
        """Return a user by id."""
        with self._lock:
            return next((user for user in self.users if user.user_id == user_id), None)
