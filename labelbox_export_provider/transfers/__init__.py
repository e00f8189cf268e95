"""Airflow operators that land an export in a store."""
