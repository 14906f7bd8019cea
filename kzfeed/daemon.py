"""The daemon: polls what is due, for ever, until a signal; once a second it asks the database who that is.

The only clock and the only signals are here. The wall clock says what is due and nothing else: the rhythm of the daemon
itself is that of the event loop, whose clock does not jump. A database that is away is asked again at the next tick.
"""

import asyncio
import os
import secrets
import signal
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from kzfeed.errors import ConfigError, DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model import Source
from kzfeed.poll import Poller
from kzfeed.schedule.interval import spread_start
from kzfeed.store import claims

TICK = timedelta(seconds=1)
GRACE = timedelta(seconds=3)
"""How long polls under way may still finish after a signal, before they are abandoned."""
CLOCK_SLACK = timedelta(seconds=5)
"""A clock that leaps by less is only being set right."""
REST = timedelta(minutes=1)
"""How long at least a host is left alone whose poll could not be stored, where its own interval is no shorter."""
WATCH_AFTER_JUMP = 60
"""For how many ticks polls may still be stored whose times are from before the clock went back."""

log = structlog.get_logger()


@dataclass(slots=True)
class Daemon:
    """One running daemon. `slots` bounds its polls at a time, `lease` how long a killed one's sources stay claimed.

    `reload` is called on SIGHUP, puts the configuration in force anew, and raises ConfigError where that has a mistake;
    `on_stop` hears of the first signal to stop.
    """

    poller: Poller
    slots: int = 100
    lease: timedelta = timedelta(seconds=55)
    reload: Callable[[], None] = lambda: None
    on_stop: Callable[[], None] = lambda: None
    tick: timedelta = TICK
    # Process ids are few, and each container begins with the same: chance tells two daemons apart.
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: dict[asyncio.Task[None], Source] = field(default_factory=dict)
    _renewed_at: float = 0.0
    """When the claims were renewed last, by the event loop's clock."""
    _resting: dict[str, float] = field(default_factory=dict)
    """Hosts whose poll could not be stored, and until when (by the event loop's clock) they are left alone."""
    _reload_wanted: bool = False
    _database_away: bool = False
    _clock_was: tuple[datetime, float] | None = None
    """What the wall clock and the event loop's clock said at the last tick."""
    _clock_checks: int = 1

    async def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then finish or abandon what is under way. A second signal ends at once."""
        self._listen_for_signals()
        log.info("running", owner=self.owner)
        ticking = asyncio.create_task(self._tick_until_stopped())
        await self._stop.wait()
        await self._wind_down(ticking)
        log.info("stopped")

    # --- what is due -------------------------------------------------------------------------------------------------

    async def _tick_until_stopped(self) -> None:
        while not self._stop.is_set():
            try:
                await self._tick()
                self._say_database_is_back()
            except DatabaseError as error:
                if not self._database_away:
                    log.error("the database is away, trying again every second", error=str(error))
                self._database_away = True
            except Exception:
                # A fault of ours must not end the polling of all sources.
                log.exception("tick broke off")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self.tick.total_seconds())

    async def _tick(self) -> None:
        now = self.poller.clock()
        if self._reload_wanted:
            await self._reload()
        await self._mind_the_clock(now)
        await self._renew_claims(now)
        free = self.slots - len(self._under_way)
        if free <= 0:
            return
        visitors = Counter(host_of(source.url) for source in self._under_way.values())
        due = await asyncio.to_thread(
            claims.claim_due,
            self.poller.database,
            now=now,
            owner=self.owner,
            lease=self.lease,
            limit=free,
            busy=claims.Busy(
                source_ids=[source.id for source in self._under_way.values()],
                hosts=self._busy_hosts(visitors),
                slots={host: most - visitors[host] for host, most in self.poller.host_queues.wide_hosts.items()},
            ),
        )
        for source in due if not self._stop.is_set() else ():
            task = asyncio.create_task(self._poll(source))
            self._under_way[task] = source
            task.add_done_callback(self._under_way.pop)

    async def _renew_claims(self, now: datetime) -> None:
        steady = asyncio.get_running_loop().time()
        held = [source.id for source in self._under_way.values()]
        # A poll that waits for its turns may outlast a claim.
        if not held or steady - self._renewed_at < self.lease.total_seconds() / 3:
            return
        await asyncio.to_thread(claims.renew, self.poller.database, self.owner, held, now + self.lease)
        self._renewed_at = steady

    def _busy_hosts(self, visitors: Mapping[str, int]) -> set[str]:
        now = asyncio.get_running_loop().time()
        self._resting = {host: until for host, until in self._resting.items() if until > now}
        most = self.poller.host_queues.connections
        return {*self._resting, *(host for host, count in visitors.items() if count >= most(host))}

    async def _poll(self, source: Source) -> None:
        try:
            await self.poller.poll(source)
            return
        except DatabaseError as error:
            log.error("poll not stored", source=source.name, error=str(error))
        except Exception:
            # A fault of ours must not end the polling of all other sources.
            log.exception("poll broke off", source=source.name)
        # It comes again, but no server must suffer for our faults: no sooner than another visit might have come.
        rest = min(source.every, max(self.poller.bounds.min_interval, REST))
        self._resting[host_of(source.url)] = asyncio.get_running_loop().time() + rest.total_seconds()

    def _say_database_is_back(self) -> None:
        if self._database_away:
            log.info("the database is back")
        self._database_away = False

    async def _mind_the_clock(self, now: datetime) -> None:
        """Where the clock went back, the schedule goes with it; where it leapt ahead, what is due takes turns.

        It may have gone back before the start too.
        """
        steady = asyncio.get_running_loop().time()
        was, steady_was = self._clock_was or (now, steady)
        ahead = now - was - timedelta(seconds=steady - steady_was)
        self._clock_was = now, steady
        if ahead < -CLOCK_SLACK:
            self._clock_checks = WATCH_AFTER_JUMP
        if ahead > CLOCK_SLACK:
            log.warning("the clock leapt ahead", seconds=round(ahead.total_seconds()))
            await asyncio.to_thread(claims.spread_due, self.poller.database, spread_start, now)
        if self._clock_checks:
            by = await asyncio.to_thread(claims.move_schedule_back, self.poller.database, now, tolerance=CLOCK_SLACK)
            self._clock_checks -= 1
            if by:
                log.warning("the clock went back, and the schedule with it", seconds=round(by.total_seconds()))

    async def _reload(self) -> None:
        self._reload_wanted = False
        try:
            await asyncio.to_thread(self.reload)
        except ConfigError as error:
            log.error("configuration refused, the one before stays in force", error=str(error))
        except DatabaseError:
            self._reload_wanted = True
            raise

    # --- signals -----------------------------------------------------------------------------------------------------

    def _listen_for_signals(self) -> None:
        def on_first() -> None:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
                # The second is the kernel's to carry out, whatever the process hangs on.
                signal.signal(number, signal.SIG_DFL)
            self.on_stop()
            self._stop.set()

        def on_hangup() -> None:
            self._reload_wanted = True

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_first)
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
        # The command line held it back until somebody listens.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])

    async def _wind_down(self, ticking: asyncio.Task[None]) -> None:
        self.poller.fetcher.stop_requests()
        log.info("stopping", polls_under_way=len(self._under_way))
        _, late = await asyncio.wait([ticking, *self._under_way], timeout=GRACE.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            await asyncio.wait_for(asyncio.to_thread(claims.release, self.poller.database, self.owner), timeout=2)
        except (DatabaseError, TimeoutError) as error:
            log.warning("claims not given back, they run out by themselves", error=str(error))
