"""Whether the daemon's machine has a connection, and what follows for its sources.

While it has none, no source is blamed for a failure and only a few are tried. When it has one again, all that waited
are polled, at spread times.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from kzfeed.errors import DatabaseError
from kzfeed.model.polls import Poll, Source
from kzfeed.poll import Poller
from kzfeed.schedule.interval import spread_start
from kzfeed.schedule.outage import TRY_EVERY, OutageWatch
from kzfeed.schedule.policy import VisitResult
from kzfeed.store import schedule_corrections

log = structlog.get_logger()


@dataclass(slots=True)
class NetworkStatus:
    """The connection of this machine, as the visits of one daemon show it."""

    poller: Poller
    _watch: OutageWatch = field(default_factory=OutageWatch)
    _said: datetime | None = None
    """Since when the last outage was that the log and the database know of; None after its end."""
    _last_try: datetime | None = None
    _forgiven_at: datetime | None = None
    """When `_watch` found the failures that were taken back last."""
    _failed_for_it: bool = True
    """Whether a poll has failed for lack of a connection since the last success; perhaps one before the start."""

    @property
    def offline_since(self) -> datetime | None:
        """Since when there is no connection; None while there is one."""
        return self._watch.since

    def judge(self, source: Source, visit: VisitResult) -> VisitResult:
        """The result of a visit as it counts for its source."""
        return self._watch.judge(source, visit, self.poller.clock())

    def slots(self, free: int) -> int:
        """How many of the free slots may be used now: in an outage one for each `TRY_EVERY`."""
        if self._watch.since is None or free <= 0:
            return free
        now = self.poller.clock()
        if self._last_try and self._last_try <= now < self._last_try + TRY_EVERY:
            return 0
        self._last_try = now
        return 1

    async def after(self, poll: Poll) -> None:
        """Say that the connection is lost or there again, and correct the schedule. Called after each stored poll."""
        if poll.error_kind == "offline":
            self._failed_for_it = True
        since = self._watch.since
        try:
            await self._forgive(poll)
            if since and not self._said:
                self._said = since
                log.warning("offline", reason=self._watch.reason, tries_every=f"{TRY_EVERY.seconds} s")
            elif self._said and not since:
                now, began = self.poller.clock(), self._said
                self._said = None
                log.warning("online again", since=began, seconds=round((now - began).total_seconds()))
                await asyncio.to_thread(schedule_corrections.spread_due, self.poller.database, spread_start, now)
            if not since and poll.outcome != "failed" and self._failed_for_it:
                self._failed_for_it = False  # at once, so that the next polls do not do the same
                await self._bring_forward()
        except DatabaseError as error:
            self._failed_for_it = True
            log.warning("sources not brought forward, trying again after the next poll", error=str(error))

    async def _forgive(self, poll: Poll) -> None:
        """Take back failures that were not the fault of their sources.

        A failure that was judged before, but is stored later, is taken back when it is stored.
        """
        at, forgiven = self._watch.forgiven_at, self._watch.forgiven
        if at and at == self._forgiven_at:
            forgiven &= {poll.source_id} if poll.started_at <= at else frozenset()
        if at and forgiven:
            await asyncio.to_thread(schedule_corrections.forgive, self.poller.database, forgiven)
        self._forgiven_at = at

    async def _bring_forward(self) -> None:
        """Poll soon what failed for lack of a connection."""
        await asyncio.to_thread(
            schedule_corrections.bring_forward,
            self.poller.database,
            spread_start,
            self.poller.clock(),
            min_interval=self.poller.bounds.min_interval,
        )
