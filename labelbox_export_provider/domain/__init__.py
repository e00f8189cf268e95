"""Requests to Labelbox and records of exports: pure, without Airflow, HTTP or a store."""
