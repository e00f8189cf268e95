"""The time windows of a run and the rows that belong to them."""
