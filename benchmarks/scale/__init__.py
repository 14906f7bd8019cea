"""Benchmark of large archives and of many sources."""
