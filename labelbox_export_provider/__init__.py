"""Airflow provider that lands Labelbox exports in a data lake: once, whole, verified."""
