"""Jumps of the wall clock, also one that happened before the start, and the correction of the schedule after them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from kzfeed.schedule.interval import spread_time
from kzfeed.store.engine import Database
from kzfeed.store.queue import schedule_corrections

SLACK = timedelta(seconds=5)
"""A smaller correction of the clock is ignored."""
CHECK_EVERY = 1.0
"""Seconds from one look for times in the future to the next."""
CHECKS_AFTER_JUMP = 60
"""How many such looks follow a jump: polls that began before it may still be stored."""

log = structlog.get_logger()


@dataclass(slots=True)
class ClockJumps:
    """The wall clock of one daemon, compared with the clock of the event loop, which does not jump."""

    database: Database
    clock: Callable[[], datetime]
    _last: tuple[datetime, float] | None = None
    """The two clocks at the last comparison."""
    _checks: int = 1
    """How many looks for times in the future are left."""
    _next_check: float = 0.0

    async def follow(self) -> None:
        """Correct the schedule if the clock has jumped since the last call.

        After a jump back the whole schedule is moved back with it. After a jump ahead the sources that are due all at
        once are spread.
        """
        now, steady = self.clock(), asyncio.get_running_loop().time()
        last_now, last_steady = self._last or (now, steady)
        self._last = now, steady
        jump = now - last_now - timedelta(seconds=steady - last_steady)
        if jump < -SLACK:
            self._checks, self._next_check = CHECKS_AFTER_JUMP, steady
        if jump > SLACK:
            log.warning("clock jumped ahead", seconds=round(jump.total_seconds()))
            await asyncio.to_thread(schedule_corrections.spread_due, self.database, spread_time, now)
        if self._checks and steady >= self._next_check:
            self._next_check = steady + CHECK_EVERY
            by = await asyncio.to_thread(schedule_corrections.move_schedule_back, self.database, now, tolerance=SLACK)
            self._checks -= 1
            if by:
                log.warning("clock went back, schedule moved back with it", seconds=round(by.total_seconds()))
