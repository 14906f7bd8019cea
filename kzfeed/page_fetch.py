"""One page of one article: ask robots.txt, fetch, read, commit.

It takes the same road as a poll: the same client, queues of hosts, limits and pauses. A page that fails costs nothing
but itself.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog

from kzfeed.clock import utc_now
from kzfeed.errors import ClaimExpired, DocumentError
from kzfeed.fetch.client import Fetcher, Hop
from kzfeed.fetch.errors import VisitError
from kzfeed.fetch.host_queue import HostQueues, HostSlot
from kzfeed.hosts import host_of
from kzfeed.model.pages import ArticlePage, DuePage, PageRecord, PageVisit, RobotsQuestion
from kzfeed.model.polls import Failed, Fetched, Outcome, Visit
from kzfeed.sandbox.pool import Workers
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.page_tries import after_failed_visit, crawl_delay
from kzfeed.schedule.policy import Circumstances
from kzfeed.store.engine import Database
from kzfeed.store.page_results import finish_page
from kzfeed.store.queue.robots import RobotsFile, load_robots, save_robots
from kzfeed.text import without_address

AGENT = "kzfeed"
"""The name by which robots.txt calls us (RFC 9309 §2.2.1)."""
ACCEPT = "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.1"
ROBOTS_AGE = timedelta(days=1)
"""How long a robots.txt counts before it is fetched again."""
ROBOTS_RETRY = timedelta(minutes=30)
"""How long a robots.txt that could not be read is left alone: no longer than from the first try of a page to the
second, two of the shortest intervals, so that each try of a page asks again."""
MAX_RULES = 500 * 1024
"""The bytes of a robots.txt that count (RFC 9309 §2.5)."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PageFetcher:
    """What all visits to pages of a process share.

    `workers` read pages, and no feeds. `delay` is the usual one between two requests to a host.
    """

    fetcher: Fetcher
    database: Database
    host_queues: HostQueues
    bounds: IntervalBounds
    workers: Workers
    delay: timedelta
    clock: Callable[[], datetime] = utc_now
    random: Callable[[], float] = field(default=random.random)

    async def fetch(self, page: DuePage, owner: str, *, is_claimed: Callable[[], bool] = lambda: True) -> PageRecord:
        """Fetch the page and commit what the visit brought. Waits for a slot at its host.

        Raises ClaimExpired if the page is not claimed any more, and DatabaseError where nothing can be committed: then
        the page is still due.
        """
        started = self.clock()
        visit = await self._visit(page, is_claimed)
        now = self.clock()
        record = await asyncio.to_thread(finish_page, self.database, page, visit, owner, now)
        if record is None:
            raise ClaimExpired(f"the claim on the page {page.url} expired during its visit: another daemon has it")
        _log_page(page, visit, record, now - started)
        return record

    async def _visit(self, page: DuePage, is_claimed: Callable[[], bool]) -> PageVisit:
        delays: list[float | None] = []

        async def obey(url: str, slot: HostSlot) -> None:
            delays.append(await self._obey_robots(url, page, slot))

        async def follow(hop: Hop) -> None:
            await slot.move_to(hop.host)
            await obey(hop.url, slot)

        try:
            async with self.host_queues.slot(host_of(page.url)) as slot:
                if not is_claimed():
                    raise ClaimExpired(f"the claim on the page {page.url} expired before its visit")
                await obey(page.url, slot)
                outcome = await self.fetcher.visit(self._request(page, page.url), on_hop=follow)
            visit = await self._read(page, outcome)
        except _RobotsError as error:
            visit = self._failed(page, error.failed, of_robots=True)
        except VisitError as error:
            visit = self._failed(page, Failed(error.kind, error.words))
        # Of all robots.txt on the way, that of the page's own host decides.
        return replace(visit, crawl_delay=crawl_delay(delays[0] if delays else None, self.delay))

    async def _read(self, page: DuePage, outcome: Outcome) -> PageVisit:
        if not isinstance(outcome, Fetched):
            return self._failed(page, outcome if isinstance(outcome, Failed) else _UNEXPECTED)
        question = ArticlePage(
            body=outcome.body,
            content_type=outcome.headers.get("content-type"),
            url=outcome.url,
            full_text=page.full_text,
            article_url=page.url,
            url_hash=page.url_hash,
            title=page.title,
        )
        try:
            return PageVisit(await self.workers.read_page(question), outcome.status)
        except DocumentError as error:
            return self._failed(page, Failed(error.kind, str(error), outcome.status))

    def _request(self, page: DuePage, url: str) -> Visit:
        # As with feeds, only the host that the operator configured may have a private address.
        return Visit(url, trusted_host=page.trusted_host, source_name=page.source_name, accept=ACCEPT)

    def _failed(self, page: DuePage, failed: Failed, *, of_robots: bool = False) -> PageVisit:
        return after_failed_visit(
            page, failed, Circumstances(self.clock(), self.bounds, self.random()), of_robots=of_robots
        )

    # --- robots.txt --------------------------------------------------------------------------------------------------

    async def _obey_robots(self, url: str, page: DuePage, slot: HostSlot) -> float | None:
        """Raise VisitError unless robots.txt allows the URL; returns the pause in seconds that it asks for.

        `slot` is at the URL's host, before and after.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        file = await asyncio.to_thread(load_robots, self.database, origin)
        if file is None or not self._is_fresh(file):
            file = await self._fetch_robots(origin, page, slot)
            await slot.move_to(host_of(url))
        if file.rules is None:
            raise _RobotsError(Failed(file.error_kind or "unexpected-status", _unread(origin, file.error)))
        if not file.rules:
            return None
        try:
            answer = await self.workers.ask_robots(RobotsQuestion(file.rules, url, AGENT))
        except DocumentError as error:
            raise _RobotsError(Failed(error.kind, _unread(origin, str(error)))) from error
        if not answer.is_allowed:
            raise VisitError("robots", f"{origin}/robots.txt does not allow this page")
        return answer.crawl_delay

    def _is_fresh(self, file: RobotsFile) -> bool:
        age = self.clock() - file.fetched_at
        return timedelta() <= age < (ROBOTS_RETRY if file.rules is None else ROBOTS_AGE)

    async def _fetch_robots(self, origin: str, page: DuePage, slot: HostSlot) -> RobotsFile:
        """Fetch the robots.txt and keep it. Raises VisitError if it cannot be read."""
        outcome = await self.fetcher.visit(
            self._request(page, f"{origin}/robots.txt"), on_hop=lambda hop: slot.move_to(hop.host)
        )
        now = self.clock()
        if isinstance(outcome, Fetched):
            file = RobotsFile(now, _rules(outcome.body))
        elif isinstance(outcome, Failed) and _has_no_rules(outcome):
            file = RobotsFile(now, "")
        else:
            failed = outcome if isinstance(outcome, Failed) else _UNEXPECTED
            if failed.kind != "offline":  # no fault of the server
                file = RobotsFile(now, None, failed.kind, failed.error)
                await asyncio.to_thread(save_robots, self.database, origin, file)
            raise _RobotsError(replace(failed, error=_unread(origin, failed.error)))
        await asyncio.to_thread(save_robots, self.database, origin, file)
        return file


class _RobotsError(VisitError):
    """A robots.txt cannot be read: the failed visit to it says how long its server wants to be left alone."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.kind, failed.error)
        self.failed = failed


_UNEXPECTED = Failed("unexpected-status", "the server answered 304 to an unconditional request", 304)


def _rules(body: bytes) -> str:
    """The rules of a robots.txt, as far as they count, without a byte order mark, which would hide the first line."""
    if len(body) > MAX_RULES:
        # Half a rule may forbid or allow much more than the whole one.
        body = body[: body.rfind(b"\n", 0, MAX_RULES) + 1]
    return body.decode("utf-8-sig", "replace").replace("\x00", "")


def _has_no_rules(robots: Failed) -> bool:
    """Whether the answer allows everything (RFC 9309 §2.3.1.3). A server that says 429 wants to be left alone."""
    if robots.kind == "empty":
        return True
    is_missing = robots.status is not None and 400 <= robots.status < 500
    return is_missing and robots.status != 429 and robots.kind != "challenge"


def _unread(origin: str, why: str | None) -> str:
    url = f"{origin}/robots.txt"
    return f"{url} cannot be read, so the page was not fetched: {without_address(why or '')}"


def _log_page(page: DuePage, visit: PageVisit, record: PageRecord, duration: timedelta) -> None:
    event = log.bind(
        source=page.source_name,
        article=page.article_id,
        outcome=record.outcome,
        http_status=visit.status,
        duration_ms=round(duration.total_seconds() * 1000),
    )
    if record.flaw:
        event.warning("page", flaw=record.flaw)
    elif record.error is None:
        event.info("page")
    else:
        event.warning("page", error_kind=record.error_kind, error=record.error, next_try_at=record.next_try_at)
