"""A client that starts an export of the fake and polls it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from support.client.conversations import Runner

from labelbox_export_provider.client import flows
from labelbox_export_provider.client.graphql import START_PROJECT_EXPORT
from labelbox_export_provider.client.polling import (
    CompletedTotals,
    PollResult,
    completed_totals,
    poll,
)
from labelbox_export_provider.client.retry import ONCE
from labelbox_export_provider.client.settings import ConnectionSettings
from labelbox_export_provider.domain.request.sources import ProjectSource
from labelbox_export_provider.testing import FakeLabelbox, ManualClock, generate_rows

ROWS = generate_rows(2)
RUNS_FOR = 600.0


class Waiter:
    """Polls one export, with either of the two drivers."""

    def __init__(self, fake: FakeLabelbox, clock: ManualClock, runner: Runner) -> None:
        self.fake, self.clock, self.runner = fake, clock, runner
        self.settings = ConnectionSettings(api_key=fake.api_key, endpoint=fake.endpoint, timeout=5)
        self.export_id, self.started_at = "", clock()

    def start(self, **filters: Any) -> None:
        source = ProjectSource.parse({"project_id": self.fake.project_id, "filters": filters})
        asked = source.render_input(task_name="waited for", owner_timezone=None, window=None)
        self.export_id = self.runner.run(self.settings, flows.start_once(START_PROJECT_EXPORT, asked)).export_id
        self.started_at = self.clock()

    def poll(self, user_id: str | None = "own", started_at: datetime | None = None) -> PollResult:
        user = self.fake.user.user_id if user_id == "own" else user_id
        since = started_at or self.started_at
        result: PollResult = self.runner.run(self.settings, poll(self.export_id, user, since, self.clock, ONCE))
        return result

    def totals(self) -> CompletedTotals:
        totals: CompletedTotals = self.runner.run(self.settings, completed_totals(self.export_id))
        return totals
