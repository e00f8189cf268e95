"""The fake's HTTP server and its request log."""
