"""A task that leaks its secrets, which proves that the search for secrets finds them."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, Param, task

with DAG(
    "leak",
    schedule=None,
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow takes it for UTC
    params={"half": Param("", type="string")},
):

    @task
    def give_away(**context: object) -> str:
        """Log and return a text that was never whole before."""
        whole = context["params"]["half"] * 2  # type: ignore[index]  # the context is a mapping of anything
        print("the address is", whole)
        return str(whole)

    give_away()
