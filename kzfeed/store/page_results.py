"""Results of visits to the pages of articles: the text that a page brought, or why it brought none."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import fingerprint
from kzfeed.article.page_judgement import why_not_taken
from kzfeed.hosts import host_of
from kzfeed.model.pages import REFUSALS, DuePage, PageFailure, PageOutcome, PageRecord, PageVisit, ReadPage
from kzfeed.store import tables
from kzfeed.store.articles import store_articles
from kzfeed.store.engine import Database, name_of_host, name_of_source
from kzfeed.store.known_articles import ArticleBatch
from kzfeed.store.queue.host_pauses import pause_hosts

_page, _article = tables.page_fetches.c, tables.articles.c
_revision, _sighting = tables.revisions.c, tables.sightings.c
_UPDATE = sa.update(tables.page_fetches)


def finish_page(database: Database, page: DuePage, visit: PageVisit, owner: str, now: datetime) -> PageRecord | None:
    """Store what a visit to a page brought, all in one transaction; None if the claim on it has passed to another."""
    locked_names = {name_of_source(page.source_id), name_of_host(page.url)}
    return database.write_concurrently(locked_names, partial(_finish, page, visit, owner, now))


def _finish(page: DuePage, visit: PageVisit, owner: str, now: datetime, connection: sa.Connection) -> PageRecord | None:
    if connection.execute(sa.select(_page.claimed_by).where(_page.article_id == page.article_id)).scalar() != owner:
        return None
    result = _judged(connection, page, visit.result) if isinstance(visit.result, ReadPage) else visit.result
    if isinstance(result, ReadPage):
        record, tries = _store_text(connection, page, result, now), page.tries + 1
    else:
        record, tries = _record_of(result), result.tries
    values = _values(record, tries, now)
    if isinstance(visit.result, ReadPage):
        values["fetched_at"] = now
    connection.execute(_UPDATE.where(_page.article_id == page.article_id).values(values))
    _leave_alone(connection, page, visit, now)
    return record


def _store_text(connection: sa.Connection, page: DuePage, read: ReadPage, now: datetime) -> PageRecord:
    """Store the text as the article's newest version, unless it is that already."""
    batch = ArticleBatch(page.source_id, [read.article], now, is_live=False, content_from="page")
    [tally] = store_articles(connection, [batch])
    return PageRecord("stored" if tally.revised else "same", flaw=read.flaw)


def _record_of(failure: PageFailure) -> PageRecord:
    outcome: PageOutcome = "refused" if failure.kind in REFUSALS else "failed"
    return PageRecord(outcome, failure.kind, failure.error, failure.next_try_at)


def _values(record: PageRecord, tries: int, now: datetime) -> dict[str, Any]:
    """What the record becomes in the row of the page, which nobody claims any more."""
    return {
        "next_try_at": record.next_try_at,
        "tries": tries,
        "tried_at": now,
        "outcome": record.outcome,
        "error_kind": record.error_kind,
        "error": record.error or record.flaw,
        "claimed_by": None,
        "claimed_until": None,
    }


def _judged(connection: sa.Connection, page: DuePage, read: ReadPage) -> ReadPage | PageFailure:
    """The article with its present title, or the reason why its text does not replace what the archive has."""
    shown = sa.and_(_sighting.article_id == _article.id, _sighting.source_id == page.source_id)
    older = sa.and_(_revision.article_id == _article.id, _revision.revision == _sighting.revision)
    row = connection.execute(
        sa.select(_article.title, _article.text, _article.content_from, _revision.text.label("shown"))
        .outerjoin_from(tables.articles, tables.sightings, shown)
        .outerjoin(tables.revisions, older)
        .where(_article.id == page.article_id)
    ).one()
    # What the page said before may be replaced by less: the publisher has shortened it.
    texts = [row.shown or "", "" if row.content_from == "page" else row.text]
    article = read.article
    if why := why_not_taken(article.text, texts):
        return PageFailure("no-article", why)
    if row.title == article.title:
        return read
    return replace(read, article=replace(article, title=row.title, fingerprint=fingerprint(row.title, article.content)))


def _leave_alone(connection: sa.Connection, page: DuePage, visit: PageVisit, now: datetime) -> None:
    """Record what the server asks for: a pause of the whole host, and a pause between two of its pages."""
    if visit.pause:
        pause_hosts(connection, [(visit.paused_host or host_of(page.url), visit.pause)])
    if visit.crawl_delay:
        until = now + visit.crawl_delay
        of_host = sa.and_(_page.host == host_of(page.url), _page.next_try_at < until)
        connection.execute(_UPDATE.where(of_host).values(next_try_at=until))
