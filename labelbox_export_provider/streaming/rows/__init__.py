"""Rows: their counts, their timestamps, trimming (which leaves out whole rows), and whether they are all there."""
