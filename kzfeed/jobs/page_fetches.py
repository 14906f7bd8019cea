"""The job that fetches the pages of articles, beside polls: the daemon's, and that of `kzfeed poll` after its polls."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog

from kzfeed.errors import ClaimExpired, DatabaseError
from kzfeed.hosts import host_of
from kzfeed.jobs.held_claims import HeldClaims
from kzfeed.jobs.local_pauses import LocalPauses
from kzfeed.model.pages import DuePage, PageRecord
from kzfeed.page_fetch import PageFetcher
from kzfeed.store.queue.leases import LEASE, NewClaim
from kzfeed.store.queue.page_queue import claim_pages, release_pages, renew_pages

HOST_PAUSE = timedelta(minutes=1)
"""How long a host is left alone after a page of it could not be stored."""

log = structlog.get_logger()


@dataclass(slots=True)
class PageFetchJob:
    """Claims due pages and fetches them, at most `slots` at a time, and one of each host.

    `owner` names the process in claims, `source_ids` limits them to these sources, and `on_page` is called with what
    became of each page.
    """

    page_fetcher: PageFetcher
    owner: str
    slots: int
    source_ids: Collection[int] | None = None
    on_page: Callable[[DuePage, PageRecord], None] = lambda page, record: None
    lease: timedelta = LEASE
    may_claim: Callable[[], bool] = lambda: True
    """Whether pages may be fetched now; those under way go on."""
    _tasks: dict[asyncio.Task[None], DuePage] = field(default_factory=dict)
    _claims: HeldClaims = field(default_factory=HeldClaims)
    """The claims on the pages under way, by article."""
    _pauses: LocalPauses = field(default_factory=LocalPauses)
    """Pauses of hosts after a page that could not be stored."""
    _stopping: bool = False

    async def run(self) -> None:
        """Renew the claims on pages under way, claim due pages, and begin to fetch them."""
        await self._renew_claims()
        free = self.slots - len(self._tasks)
        if free <= 0 or self._stopping or not self.may_claim():
            return
        claim = NewClaim(self.owner, self.page_fetcher.clock(), self.lease)
        claimed = await asyncio.to_thread(
            claim_pages,
            self.page_fetcher.database,
            claim,
            limit=free,
            busy_hosts=self._busy_hosts(),
            source_ids=self.source_ids,
        )
        for page in [] if self._stopping else claimed:
            self._claims.add([page.article_id], claim.until)
            task = asyncio.create_task(self._fetch(page))
            self._tasks[task] = page
            task.add_done_callback(self._on_end)

    async def run_to_end(self) -> None:
        """Fetch pages until no more are due."""
        while True:
            await self.run()
            if not self._tasks:
                return
            await asyncio.wait(self._tasks, timeout=self.lease.total_seconds() / 4, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, grace: timedelta) -> None:
        """Begin no more pages. Those under way may go on for `grace`; then they are cancelled and stay due."""
        self._stopping = True
        if not self._tasks:
            return
        _, late = await asyncio.wait(list(self._tasks), timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            await asyncio.to_thread(release_pages, self.page_fetcher.database, self.owner)
        except DatabaseError as error:
            log.warning("claims on pages not released, they expire by themselves", error=str(error))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._claims.end(self._tasks.pop(task).article_id)

    def _busy_hosts(self) -> set[str]:
        return self._pauses.hosts() | {host_of(page.url) for page in self._tasks.values()}

    async def _renew_claims(self) -> None:
        now = self.page_fetcher.clock()
        if self._claims.expire_before(now + self.lease * 3 / 4):
            await self._claims.renew(partial(renew_pages, self.page_fetcher.database, self.owner), now + self.lease)

    async def _fetch(self, page: DuePage) -> None:
        def is_claimed() -> bool:
            return self._claims.is_valid(page.article_id, self.page_fetcher.clock())

        try:
            self.on_page(page, await self.page_fetcher.fetch(page, self.owner, is_claimed=is_claimed))
            return
        except ClaimExpired as error:
            log.warning("claim expired, page left out", source=page.source_name, error=str(error))
            return
        except DatabaseError as error:
            log.error("page not stored", source=page.source_name, article=page.article_id, error=str(error))
        except Exception:
            # A fault of kzfeed in one page must not end the fetching of all others.
            log.exception("internal error, page not stored", source=page.source_name, article=page.article_id)
        # The page stays due. Its host is left alone for a while, so that we do not repeat the request at once.
        self._pauses.pause(host_of(page.url), HOST_PAUSE)
