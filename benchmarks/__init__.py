"""Benchmarks of whole processes, of large archives, and of the polling policy. README.md lists the commands."""
