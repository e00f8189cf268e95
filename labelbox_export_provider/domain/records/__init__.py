"""Records of an export: its handle, start record, manifest, object names and failures."""
