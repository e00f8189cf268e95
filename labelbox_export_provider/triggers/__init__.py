"""Airflow trigger that waits without a worker slot."""
