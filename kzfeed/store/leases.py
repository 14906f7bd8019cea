"""Lengths of leases: how long a claim or a lock lasts without renewal."""

from datetime import timedelta

LEASE = timedelta(seconds=12)
"""How long claims and locks last without renewal: those of a process that was killed or stopped, or whose machine
vanished, pass to another one.
"""
MAX_LEASE = timedelta(hours=1)
"""The longest lease that any daemon takes. A claim that ends later was made before the clock went back."""
