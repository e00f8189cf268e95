"""Real Airflow beside a fake Labelbox and an S3 server, started and ended by one command: `make demo`."""
