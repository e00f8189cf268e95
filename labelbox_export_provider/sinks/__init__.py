"""Where objects are stored: the contract of a sink, and the sinks for directories, S3 and GCS."""
