"""Queue of the pages of articles that are to be fetched (table `page_fetches`), shared by all daemons of a database.

A page is queued in the transaction that stores its article. A daemon claims pages for the time of a lease, one of each
host at a time. `page_results` writes what became of a page.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from kzfeed.hosts import host_of
from kzfeed.model.pages import DuePage, PageCounts, PageProblem
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.leases import NewClaim
from kzfeed.store.queue.source_conditions import is_not_paused, is_polled, is_valid_claim
from kzfeed.store.value_batches import in_batches

REST = timedelta(days=1)
"""How long a page is left alone after it was fetched, though the feed's entry changes."""
MAX_PROBLEMS = 5

_page, _article, _source = tables.page_fetches.c, tables.articles.c, tables.sources.c
_UPDATE = sa.update(tables.page_fetches)


@dataclass(frozen=True, slots=True)
class WantedPage:
    """The page of an article, wanted since `now` by a source that showed the article for the first time or changed.

    `was_read` says that the archive has its text; without a row in the queue it was restored.
    """

    article_id: int
    source_id: int
    url: str
    now: datetime
    was_read: bool = False


def queue_pages(connection: sa.Connection, wanted: Sequence[WantedPage]) -> None:
    """Queue these pages. One that was fetched before is due again, after `REST`, if the same source wants it."""
    by_article = {page.article_id: page for page in wanted if host_of(page.url)}
    query = sa.select(_page.article_id, _page.source_id, _page.fetched_at)
    held = {
        row.article_id: row
        for ids in in_batches(by_article)
        for row in connection.execute(query.where(_page.article_id.in_(ids)))
    }
    new, again = [], []
    for article_id, page in by_article.items():
        row = held.get(article_id)
        if row is None:
            new.append(
                {
                    "article_id": article_id,
                    "source_id": page.source_id,
                    "host": host_of(page.url),
                    "next_try_at": page.now + REST if page.was_read else page.now,
                    "tries": 0,
                }
            )
        elif row.source_id == page.source_id:
            # A time in the future was written before the clock went back.
            rested = max(page.now, min(row.fetched_at, page.now) + REST) if row.fetched_at else page.now
            again.append({"of_article": article_id, "at": rested})
    if new:
        connection.execute(sa.insert(tables.page_fetches), new)
    if again:
        update = _UPDATE.where(_page.article_id == sa.bindparam("of_article"))
        at = sa.bindparam("at", type_=_page.next_try_at.type)
        connection.execute(update.values(next_try_at=sa.func.coalesce(_page.next_try_at, at), tries=0), again)


def fetch_refused_again(connection: sa.Connection, source_id: int, now: datetime) -> None:
    """Queue again the pages in which the selector that the source had so far found no article."""
    is_of_source = sa.and_(_page.source_id == source_id, _page.outcome == "refused", _page.error_kind == "no-article")
    connection.execute(_UPDATE.where(is_of_source).values(next_try_at=now, tries=0))


# --- claims ----------------------------------------------------------------------------------------------------------


IsReady = Callable[[Any], sa.ColumnElement[bool]]
"""Condition on the columns of a page: it may be claimed now."""


def claim_pages(
    database: Database,
    claim: NewClaim,
    *,
    limit: int,
    busy_hosts: Collection[str] = (),
    source_ids: Collection[int] | None = None,
) -> list[DuePage]:
    """Claim up to `limit` due pages, the longest due one of each host that is neither paused nor one of `busy_hosts`.

    If `source_ids` is given, only pages that these sources want.
    """
    is_ready = partial(_is_ready, claim, source_ids)
    with database.read() as connection:
        found = _due_of_each_host(connection, claim.now, is_ready, busy_hosts, limit)
    if not found:
        return []
    update = _UPDATE.where(_page.article_id.in_(found), is_ready(_page))
    update = update.values(claimed_by=claim.owner, claimed_until=claim.until).returning(_page.article_id)

    def claimed(connection: sa.Connection) -> list[DuePage]:
        return _due_pages(connection, connection.execute(update).scalars().all())

    return database.write_concurrently({"claims of pages"}, claimed)


def _due_of_each_host(
    connection: sa.Connection, now: datetime, is_ready: IsReady, busy_hosts: Collection[str], limit: int
) -> list[int]:
    # One step from host to host in the index of waiting pages, however many pages a host has.
    first, following, of_host = (tables.page_fetches.alias() for _ in range(3))
    hosts = (
        sa.select(sa.func.min(first.c.host).label("host"))
        .where(first.c.next_try_at.is_not(None))
        .cte("waiting_hosts", recursive=True)
    )
    next_host = sa.select(sa.func.min(following.c.host)).where(
        following.c.next_try_at.is_not(None), following.c.host > hosts.c.host
    )
    hosts = hosts.union_all(sa.select(next_host.scalar_subquery()).where(hosts.c.host.is_not(None)))
    longest_due = (
        sa.select(of_host.c.article_id)
        .where(of_host.c.host == hosts.c.host, is_ready(of_host.c))
        .order_by(of_host.c.next_try_at, of_host.c.article_id)
        .limit(1)
        .scalar_subquery()
        .label("article_id")
    )
    is_free = sa.and_(hosts.c.host.not_in(list(busy_hosts)), is_not_paused(hosts.c.host, now))
    due = sa.select(longest_due).where(is_free)
    due = sa.select(due.subquery().c.article_id)
    return list(connection.execute(due.where(due.selected_columns.article_id.is_not(None)).limit(limit)).scalars())


def _is_ready(claim: NewClaim, source_ids: Collection[int] | None, page: Any) -> sa.ColumnElement[bool]:
    """Whether a page is due and not claimed by others, and its source still wants it."""
    source = tables.sources.alias().c
    wants_pages = sa.exists().where(source.id == page.source_id, is_polled(source), source.full_text.is_not(None))
    is_held = sa.and_(page.claimed_by != claim.owner, is_valid_claim(page.claimed_until, claim.now))
    conditions = [page.next_try_at <= claim.now, sa.or_(page.claimed_by.is_(None), ~is_held), wants_pages]
    if source_ids is not None:
        conditions.append(page.source_id.in_(list(source_ids)))
    return sa.and_(*conditions)


def _due_pages(connection: sa.Connection, article_ids: Collection[int]) -> list[DuePage]:
    query = (
        sa.select(
            *(_article.id, _article.url_hash, _article.url, _article.title, _article.first_seen_at),
            *(_page.source_id, _source.name, _source.full_text, _source.configured_url, _source.every_seconds),
            _page.tries,
        )
        .join_from(tables.page_fetches, tables.articles, _article.id == _page.article_id)
        .join(tables.sources, _source.id == _page.source_id)
        .where(_page.article_id.in_(list(article_ids)))
        .order_by(_page.next_try_at, _page.article_id)
    )
    return [
        DuePage(
            article_id=row.id,
            url_hash=row.url_hash,
            url=row.url,
            title=row.title,
            source_id=row.source_id,
            source_name=row.name,
            full_text=row.full_text,
            trusted_host=host_of(row.configured_url or ""),
            every=timedelta(seconds=row.every_seconds or 3600),
            first_seen_at=row.first_seen_at,
            tries=row.tries,
        )
        for row in connection.execute(query)
    ]


def renew_pages(database: Database, owner: str, article_ids: Collection[int], until: datetime) -> set[int]:
    """Renew the claims that `owner` still holds on the pages of these articles, and return their ids."""
    is_held = sa.and_(_page.claimed_by == owner, _page.article_id.in_(sorted(article_ids)))
    renewal = _UPDATE.where(is_held).values(claimed_until=until).returning(_page.article_id)
    return database.write_concurrently((), lambda connection: set(connection.execute(renewal).scalars()))


def release_pages(database: Database, owner: str) -> None:
    """End the claims of `owner` on pages, so that any daemon may fetch them at once."""
    is_held = sa.and_(_page.claimed_by == owner, _page.next_try_at.is_not(None))
    with database.write() as connection:
        connection.execute(_UPDATE.where(is_held).values(claimed_by=None, claimed_until=None))


# --- for people ------------------------------------------------------------------------------------------------------


def count_pages(database: Database, source_ids: Collection[int]) -> PageCounts:
    """How many pages of these sources wait, and what became of the others."""
    is_waiting = _page.next_try_at.is_not(None)
    query = sa.select(_page.outcome, is_waiting.label("waits"), sa.func.count(), sa.func.min(_page.next_try_at))
    query = query.where(_page.source_id.in_(list(source_ids))).group_by(_page.outcome, is_waiting)
    counts: dict[str, int] = {}
    times = []
    with database.read() as connection:
        for outcome, waits, count, earliest in connection.execute(query):
            what = "waiting" if waits else outcome
            counts[what] = counts.get(what, 0) + count
            times += [earliest] if earliest else []
    return PageCounts(**counts, next_try_at=min(times, default=None))


def page_problems(database: Database, source_id: int) -> list[PageProblem]:
    """The pages of a source whose text was not taken or is in doubt, at most `MAX_PROBLEMS`.

    Those whose text was not taken come first, and of each kind the latest.
    """
    is_taken = _page.outcome.in_(("stored", "same"))
    query = (
        sa.select(_article.id, _article.title, _page.outcome, _page.error_kind, _page.error)
        .join_from(tables.page_fetches, tables.articles, _article.id == _page.article_id)
        .where(_page.source_id == source_id, _page.error.is_not(None))
        .order_by(is_taken, _page.tried_at.desc(), _article.id.desc())
        .limit(MAX_PROBLEMS)
    )
    with database.read() as connection:
        return [PageProblem(*row) for row in connection.execute(query)]
