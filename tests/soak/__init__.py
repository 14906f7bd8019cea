"""A daemon for hours on a misbehaving server: `python -m tests.soak --hours 1`."""
