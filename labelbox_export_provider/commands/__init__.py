"""The commands: `windows` shows which windows are landed, and how to fill the gaps.

Each is there twice: under `python -m labelbox_export_provider`, with the credentials of the shell, and under
`airflow labelbox`, with Airflow's connections.
"""
