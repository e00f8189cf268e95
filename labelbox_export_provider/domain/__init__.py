"""What may be asked of Labelbox and what is recorded of it: pure, without Airflow, HTTP or a store."""
