"""From this package's errors to Airflow's: which ones use up a retry, and with which message."""

from __future__ import annotations

from typing import NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from labelbox_export_provider.spec.failure_report import FailureReport


def give_up(report: FailureReport) -> NoReturn:
    """Raise the Airflow exception for a failure: without retry where a retry would end the same way."""
    kind = AirflowException if report.retryable else AirflowFailException
    raise kind(report.text()) from report.error
