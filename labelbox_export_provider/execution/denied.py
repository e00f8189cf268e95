"""What a task does where Labelbox denies its source: the option `on_denied` of starts and transfers.

Labelbox hides what a user may not see, so an id that is unknown, deleted or not this user's reads the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from labelbox_export_provider.airflow_compat import AirflowFailException, AirflowSkipException
from labelbox_export_provider.errors import AuthorizationError, ConfigurationError, NotFoundError

OnDenied = Literal["fail", "skip_task"]


def check_on_denied(on_denied: object) -> None:
    """Refuse another value."""
    if on_denied not in get_args(OnDenied):
        raise ConfigurationError(f"on_denied={on_denied!r}: must be one of {', '.join(map(repr, get_args(OnDenied)))}.")


@contextmanager
def skipping_denied(on_denied: OnDenied) -> Iterator[None]:
    """Skip the task, if so asked, where the start inside fails since Labelbox denies the source; log the same report.

    A key that is not accepted, and an export of another user, are failures all the same.
    """
    try:
        yield
    except AirflowFailException as failure:
        if on_denied == "skip_task" and isinstance(failure.__cause__, (AuthorizationError, NotFoundError)):
            raise AirflowSkipException(f"{failure}\n  skipped:   on_denied is 'skip_task'") from failure.__cause__
        raise
