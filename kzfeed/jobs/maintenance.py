"""The daemon's jobs that keep the database small and fast, beside polls: each run does a bounded piece of work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import structlog

from kzfeed.store import poll_months
from kzfeed.store.engine import Database
from kzfeed.store.poll_days import BATCH, sum_up

TICK = timedelta(seconds=30)
BATCHES = 20
"""The most batches of old polls in one run of the job: 333 polls a second. 1,000,000 hourly sources make 278."""
PARTITIONS_EVERY = timedelta(hours=1)
TIDY_EVERY = timedelta(hours=1)
"""How often the database is tidied, at a moment without polls."""
TIDY_AT_LAST = timedelta(days=1)
"""It is tidied beside polls if there was no such moment for so long."""

log = structlog.get_logger()


@dataclass(slots=True)
class MaintenanceJobs:
    """The upkeep of one database. Polls are kept one by one for `keep_polls`; zero keeps them for ever."""

    database: Database
    keep_polls: timedelta
    clock: Callable[[], datetime]
    _tidied_at: datetime | None = None

    async def sum_up_polls(self) -> None:
        """Sum up some polls that are older than `keep_polls`, whole days only."""
        if not self.keep_polls:
            return
        summed = 0
        for _ in range(BATCHES):
            batch = await asyncio.to_thread(sum_up, self.database, self._kept_since())
            summed += batch
            if batch < BATCH:
                break
        if summed:
            log.debug("old polls summed up", polls=summed)

    async def keep_partitions(self) -> None:
        """Make PostgreSQL's partitions of `polls` for the next months, and clear an old one that is summed up."""
        if made := await asyncio.to_thread(poll_months.make_ahead, self.database, self.clock()):
            log.debug("partitions made", partitions=made)
        if self.keep_polls and (name := await asyncio.to_thread(poll_months.retire, self.database, self._kept_since())):
            log.debug("partition cleared of polls that are summed up", partition=name)

    def _kept_since(self) -> datetime:
        return datetime.combine((self.clock() - self.keep_polls).astimezone(UTC).date(), time(), UTC)

    async def tidy(self, *, is_quiet: bool) -> None:
        """Renew the statistics of SQLite's planner and empty its WAL, if it is time. PostgreSQL does so by itself."""
        now = self.clock()
        # Not at the start, when all sources may be due.
        since = now - (self._tidied_at or now)
        self._tidied_at = self._tidied_at or now
        if since > TIDY_AT_LAST or (is_quiet and since > TIDY_EVERY):
            self._tidied_at = now
            await asyncio.to_thread(self.database.tidy)
