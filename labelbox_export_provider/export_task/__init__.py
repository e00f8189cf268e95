"""The Python API for one export: `ExportTask` and its streams. Operators do not use it."""
