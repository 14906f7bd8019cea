"""Leases: how long a claim or a lock lasts without renewal."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LEASE = timedelta(seconds=12)
"""How long claims and locks last without renewal: those of a process that was killed or stopped, or whose machine
vanished, pass to another one.
"""
MAX_LEASE = timedelta(hours=1)
"""The longest lease that any daemon takes. A claim that ends later was made before the clock went back."""


@dataclass(frozen=True, slots=True)
class NewClaim:
    """A claim to be made: who makes it, when, and how long it lasts without renewal."""

    owner: str
    now: datetime
    lease: timedelta

    @property
    def until(self) -> datetime:
        """When it expires."""
        return self.now + self.lease
