"""Links shown on a task in the Airflow UI."""
