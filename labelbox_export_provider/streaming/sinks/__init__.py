"""Stores that an export can be landed in."""
