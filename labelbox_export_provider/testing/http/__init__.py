"""The fake's HTTP server, and what it was asked."""
