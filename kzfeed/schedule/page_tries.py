"""Times of the tries for the page of an article: a failed one is repeated later, with the back-off of polls."""

from datetime import timedelta

from kzfeed.model.pages import REFUSALS, DuePage, PageFailure, PageVisit
from kzfeed.model.polls import Failed
from kzfeed.schedule.policy import CHALLENGE_BACK_OFF, Circumstances, asked_wait, back_off, paused_host

MAX_TRIES = 3
MAX_CRAWL_DELAY = timedelta(hours=1)
MAX_WAIT_FOR_ROBOTS = timedelta(days=7)
"""The age of an article until which a try does not count if only robots.txt could not be read."""
_NO_TIME = timedelta()


def after_failed_visit(page: DuePage, failed: Failed, at: Circumstances, *, of_robots: bool = False) -> PageVisit:
    """The failure of a page, with the time of the next try; without one after `MAX_TRIES`, or if it is gone.

    A try at which only robots.txt could not be read (`of_robots`) does not count for a week, but its waits grow too. A
    server that asks to be left alone (429 or 503 with Retry-After) pauses the whole host, as it does for feeds.
    """
    now = at.now
    is_ours = failed.kind == "offline"
    age = now - page.first_seen_at
    waits_for_robots = of_robots and age < MAX_WAIT_FOR_ROBOTS
    tries = page.tries + (not is_ours and not waits_for_robots)
    interval = max(page.every, at.bounds.min_interval, age / 2 if waits_for_robots else _NO_TIME)
    asked = asked_wait(failed, now)
    wait = max(
        back_off(interval, page.tries + (not is_ours), _NO_TIME, at.jitter),
        CHALLENGE_BACK_OFF if failed.kind == "challenge" else _NO_TIME,
        asked,
    )
    is_over = tries >= MAX_TRIES or failed.kind in ("gone", *REFUSALS)
    may_wait = is_ours or waits_for_robots
    failure = PageFailure(failed.kind, failed.error, tries, None if is_over and not may_wait else now + wait)
    host = paused_host(failed, page.url) if asked else None
    return PageVisit(failure, failed.status, pause=now + asked if host else None, paused_host=host)


def crawl_delay(seconds: float | None, usual: timedelta) -> timedelta | None:
    """The pause between two pages of a host that its robots.txt asks for, if it is longer than the usual delay."""
    # A number may be too large for a timedelta.
    delay = timedelta(seconds=min(seconds or 0.0, MAX_CRAWL_DELAY.total_seconds()))
    return delay if delay > usual else None
