"""Scheduler of the daemon's jobs, on APScheduler."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

TICK = timedelta(seconds=1)

OnEnd = Callable[[str, BaseException | None], None]
"""Called with the name of each job that has run, and the exception that it raised, if it did."""


class Every(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Trigger that fires one interval after the last run.

    APScheduler's IntervalTrigger computes each firing from the one before: when the clock jumps ahead by a year, it
    lists every second of that year.
    """

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval

    def get_next_fire_time(self, _: datetime | None, now: datetime) -> datetime:
        return now + self.interval


class Scheduler:
    """Jobs that run again and again: each at the start, then one interval after its last run, and never twice at once.

    `tick` is the shortest interval of a job. Jobs go on when the clock is set back.
    """

    def __init__(self, clock: Callable[[], datetime], tick: timedelta = TICK) -> None:
        self.tick = tick
        self._clock = clock
        self._scheduler: Any = AsyncIOScheduler(timezone=UTC)
        self._on_end: OnEnd = lambda name, error: None

    def add(self, name: str, function: Callable[[], Any], interval: timedelta) -> None:
        """Add a job, which may be a coroutine function."""
        options = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        begin = self._clock()
        self._scheduler.add_job(function, Every(interval), id=name, name=name, next_run_time=begin, **options)

    def run_within(self, name: str, time: timedelta) -> None:
        """Run this job after so long, if it would not run earlier."""
        job, soon = self._scheduler.get_job(name), self._clock() + time
        if job.next_run_time > soon:
            job.modify(next_run_time=soon)

    def start(self, on_end: OnEnd) -> None:
        """Begin to run the jobs."""
        self._on_end = on_end
        # `on_end` hears of errors, and a job that is still running when it is due again is no event.
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler.add_listener(self._on_event, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.start()
        self._restart_stalled_jobs()

    def pause(self) -> None:
        """Begin no job any more. Those under way go on."""
        self._scheduler.pause()

    def stop(self) -> None:
        """Cancel the jobs under way, of which `on_end` hears nothing more."""
        self._scheduler.remove_listener(self._on_event)
        self._scheduler.shutdown(wait=False)

    def _on_event(self, event: JobExecutionEvent) -> None:
        self._on_end(event.job_id, event.exception)

    def _restart_stalled_jobs(self) -> None:
        """Run jobs now that wait for longer than their interval, and look again after a tick.

        APScheduler waits by the wall clock: when that goes back by an hour, every job waits for an hour. The clock of
        the event loop does not jump.
        """
        now = self._clock()
        for job in self._scheduler.get_jobs():
            if job.next_run_time > now + job.trigger.interval:
                job.modify(next_run_time=now)
        asyncio.get_running_loop().call_later(self.tick.total_seconds(), self._restart_stalled_jobs)
