"""The workspaces, rows and streams of the fake."""
