"""Servers that the benchmarks start on 127.0.0.1 and end themselves."""
