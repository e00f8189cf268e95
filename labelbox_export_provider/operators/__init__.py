"""Airflow operators that start exports."""
