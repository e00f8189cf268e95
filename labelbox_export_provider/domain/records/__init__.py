"""What is written down about an export: its handle, start record, manifest, object names and failures."""
