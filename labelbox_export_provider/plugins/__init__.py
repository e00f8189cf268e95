"""The plugin that adds a page to Airflow's UI."""
