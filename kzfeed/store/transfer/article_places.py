"""What decides where the files of articles lie: their sources and dates, and those that they had before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database

_article, _source = tables.articles.c, tables.sources.c
_DATES = tables.former_dates, tables.revisions


@dataclass(frozen=True, slots=True)
class FormerPlaces:
    """The names of all sources that have shown an article, and all dates that it had before its present one."""

    sources: frozenset[str]
    dates: frozenset[datetime | None]


@dataclass(frozen=True, slots=True)
class ArticleOfSource:
    """An article as the list of its source shows it."""

    url_hash: str
    title: str
    published_at: datetime | None


def former_places(connection: sa.Connection, ids: Sequence[int]) -> dict[int, FormerPlaces]:
    """What is known of the former places of these articles, by id."""
    sighting = tables.sightings.c
    sources: dict[int, set[str]] = {each: set() for each in ids}
    query = sa.select(sighting.article_id, _source.name).join_from(
        tables.sightings, tables.sources, sighting.source_id == _source.id
    )
    for article_id, name in connection.execute(query.where(sighting.article_id.in_(ids))):
        sources[article_id].add(name)
    dates: dict[int, set[datetime | None]] = {each: set() for each in ids}
    for table in _DATES:
        dated = sa.select(table.c.article_id, table.c.published_at).where(table.c.article_id.in_(ids))
        for article_id, published_at in connection.execute(dated):
            dates[article_id].add(published_at)
    return {each: FormerPlaces(frozenset(sources[each]), frozenset(dates[each])) for each in ids}


def sources_with_articles(database: Database) -> list[str]:
    """The names of the sources that had some article first, in order."""
    has_articles = sa.exists().where(_article.source_id == _source.id)
    with database.read() as connection:
        return list(connection.execute(sa.select(_source.name).where(has_articles).order_by(_source.name)).scalars())


def newest_of_source(database: Database, name: str, limit: int) -> tuple[str | None, list[ArticleOfSource]]:
    """The time zone of a source, and the newest articles that it had first; the undated come last, as they were seen.

    Articles of one time are ordered by `url_hash`, which is the same in every database.
    """
    date = _article.published_at
    with database.read() as connection:
        row = connection.execute(sa.select(_source.id, _source.timezone).where(_source.name == name)).first()
        if row is None:
            return None, []
        query = sa.select(_article.url_hash, _article.title, date).where(_article.source_id == row.id)
        dated = query.where(date.is_not(None)).order_by(date.desc(), _article.url_hash)
        undated = query.where(date.is_(None)).order_by(_article.first_seen_at.desc(), _article.url_hash)
        found = list(connection.execute(dated.limit(limit)))
        if len(found) < limit:
            found += connection.execute(undated.limit(limit - len(found)))
    return row.timezone, [ArticleOfSource(*each) for each in found]
