"""Airflow sensor that waits for an export."""
