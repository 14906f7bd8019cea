"""Whether the daemon's machine has a connection, and what follows for its sources.

While it has none, no failure of a source counts and only a few are tried. When it has one again, all that waited
are polled, at spread times.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from kzfeed.errors import DatabaseError
from kzfeed.model.polls import Poll, Source
from kzfeed.poll import Poller
from kzfeed.schedule.interval import spread_time
from kzfeed.schedule.outage import TRY_EVERY, OutageWatch
from kzfeed.schedule.policy import VisitResult
from kzfeed.store.queue import schedule_corrections

log = structlog.get_logger()


@dataclass(slots=True)
class NetworkStatus:
    """The connection of this machine, as the visits of one daemon show it."""

    poller: Poller
    _watch: OutageWatch = field(default_factory=OutageWatch)
    _logged_since: datetime | None = None
    """When the outage began that was logged; None after its end."""
    _last_try: datetime | None = None
    _taken_back_at: datetime | None = None
    """When `_watch` found the failures that were taken back last."""
    _failed_offline: bool = True
    """Whether a poll has failed for lack of a connection since the last success; perhaps one before the start."""

    @property
    def offline_since(self) -> datetime | None:
        """Since when there is no connection; None while there is one."""
        return self._watch.since

    def is_online(self) -> bool:
        """Whether there is a connection."""
        return self._watch.since is None

    def judge(self, source: Source, visit: VisitResult) -> VisitResult:
        """The result of a visit as it counts for its source."""
        return self._watch.judge(source, visit, self.poller.clock())

    def usable_slots(self, free: int) -> int:
        """How many of these free slots may be used now: in an outage one for each `TRY_EVERY`."""
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
            self._failed_offline = True
        since = self._watch.since
        try:
            await self._take_back_failures(poll)
            if since and not self._logged_since:
                self._logged_since = since
                log.warning("offline", reason=self._watch.reason, tries_every=f"{TRY_EVERY.seconds} s")
            elif self._logged_since and not since:
                now, began = self.poller.clock(), self._logged_since
                self._logged_since = None
                log.warning("online again", since=began, seconds=round((now - began).total_seconds()))
                await asyncio.to_thread(schedule_corrections.spread_due, self.poller.database, spread_time, now)
            if not since and poll.outcome != "failed" and self._failed_offline:
                self._failed_offline = False  # at once, so that the next polls do not do the same
                await self._bring_forward()
        except DatabaseError as error:
            self._failed_offline = True
            log.warning("sources not brought forward, trying again after the next poll", error=str(error))

    async def _take_back_failures(self, poll: Poll) -> None:
        """Take back failures that were not the fault of their sources.

        A failure that was judged before, but is stored later, is taken back when it is stored.
        """
        at, taken_back = self._watch.taken_back_at, self._watch.taken_back
        if at and at == self._taken_back_at:
            taken_back &= {poll.source_id} if poll.started_at <= at else frozenset()
        if at and taken_back:
            await asyncio.to_thread(schedule_corrections.take_back_failures, self.poller.database, taken_back)
        self._taken_back_at = at

    async def _bring_forward(self) -> None:
        """Poll soon what failed for lack of a connection."""
        await asyncio.to_thread(
            schedule_corrections.bring_forward,
            self.poller.database,
            spread_time,
            self.poller.clock(),
            min_interval=self.poller.bounds.min_interval,
        )
