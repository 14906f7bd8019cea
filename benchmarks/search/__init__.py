"""Benchmark of search in a large archive."""
