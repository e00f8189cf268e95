"""The commands: `windows` shows which windows are landed, `estimate` which exports a DAG would start.

Each is there twice: under `python -m labelbox_export_provider` and under `airflow labelbox`; `windows` takes the
credentials of the shell in the first, Airflow's connections in the second.
"""
