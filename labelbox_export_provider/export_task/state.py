"""The properties of one export task, with the names that Labelbox uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.http_clients import LabelboxClient
from labelbox_export_provider.client.types import ExportTaskState, KeyOwner
from labelbox_export_provider.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization of Labelbox."""

    uid: str
    name: str | None


class TaskProperties:
    """The properties of a task as of the last poll; the first use of one polls where none was made.

    `user_id` is the user who started it, by default the key's owner. `owner` is the owner of the client's key, where
    that is known.
    """

    def __init__(
        self, client: LabelboxClient, uid: str, *, user_id: str | None = None, owner: KeyOwner | None = None
    ) -> None:
        self._client = client
        self._uid = uid
        self._user_id = user_id
        self._owner = owner
        self._last_seen: ExportTaskState | None = None

    @property
    def uid(self) -> str:
        """The task's id."""
        return self._uid

    def refresh(self) -> None:
        """Poll the task now."""
        self._last_seen = self._client.run(flows.task_state(self.uid, self._creator()))

    @property
    def name(self) -> str | None:
        """The task's name in Labelbox."""
        return self._state().name

    @property
    def status(self) -> str:
        """IN_PROGRESS, COMPLETE, FAILED, CANCELLING, CANCELED, or whatever else Labelbox reports."""
        return self._state().status

    @property
    def type(self) -> str | None:
        """What kind of task it is: `export-data-rows`."""
        return self._state().type

    @property
    def completion_percentage(self) -> float | None:
        """The progress that Labelbox reports; whether it runs to 1 or to 100 is not documented."""
        return self._state().completion_percentage

    @property
    def created_at(self) -> datetime | None:
        """When it was started, in UTC."""
        return self._state().created_at

    @property
    def updated_at(self) -> datetime | None:
        """When it changed last, in UTC."""
        return self._state().updated_at

    @property
    def deleted(self) -> bool:
        """Whether Labelbox does not show the task any more, polled now: there is no field for it.

        A task that was started seconds ago may not be shown yet, and counts as deleted until then.
        """
        try:
            self.refresh()
        except NotFoundError:
            return True
        return False

    @property
    def created_by(self) -> str | None:
        """Id of the user among whose tasks Labelbox lists this one, read now: the handle's user, else the key's owner.

        None where neither list has it: Labelbox then shows the task, but not its user.
        """
        candidates = dict.fromkeys((self._creator(), self._key_owner().user_id))
        return next((user for user in candidates if self._client.run(flows.was_created_by(self.uid, user))), None)

    @property
    def organization(self) -> Organization:
        """The organization of the key, which sees the tasks of no other organization."""
        owner = self._key_owner()
        return Organization(owner.organization_id, owner.organization_name)

    def __repr__(self) -> str:
        return f"<ExportTask ID: {self.uid}>"

    def __str__(self) -> str:
        seen = self._last_seen
        shown = {
            "uid": self.uid,
            "name": seen and seen.name,
            "status": seen.status if seen else "not polled yet",
            "type": seen and seen.type,
            "completion_percentage": seen and seen.completion_percentage,
            "created_at": seen and seen.created_at,
            "updated_at": seen and seen.updated_at,
        }
        return f"<ExportTask {json.dumps(shown, indent=4, default=str)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskProperties) and other.uid == self.uid

    def __hash__(self) -> int:
        return hash(self.uid)

    def _state(self) -> ExportTaskState:
        if self._last_seen is None:
            self.refresh()
        assert self._last_seen is not None  # noqa: S101  a poll that found nothing has raised
        return self._last_seen

    def _key_owner(self) -> KeyOwner:
        if self._owner is None:
            self._owner = self._client.run(flows.who_am_i())
        return self._owner

    def _creator(self) -> str:
        return self._user_id or self._key_owner().user_id
