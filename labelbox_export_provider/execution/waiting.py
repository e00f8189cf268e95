"""How Airflow stops a task: the base of operators and of transfers."""

from __future__ import annotations

from airflow.sdk import BaseOperator

from labelbox_export_provider.cancellation import CancelToken
from labelbox_export_provider.errors import TaskStoppedError


class WaitingTask(BaseOperator):
    """A task whose every wait, request and landing ends when Airflow stops it."""

    _token: CancelToken | None = None

    @property
    def cancel_token(self) -> CancelToken:
        """The token of this phase: Airflow runs each phase on a copy of the task."""
        if self._token is None:
            self._token = CancelToken()
        return self._token

    def on_kill(self) -> None:
        """End the phase under way, which then raises the error by itself.

        Airflow calls this inside a signal handler (SIGTERM), and kills the process five seconds later. It also does so
        after `execution_timeout`, when the phase is over.
        """
        self.cancel_token.cancel(
            TaskStoppedError(
                "Airflow stopped this task (SIGTERM): somebody marked or cleared it, or its worker shuts down. A task "
                "that was marked as failed or successful is not tried again."
            )
        )
