"""What this package costs and gains, measured against what a user would do without it: `make bench`."""
