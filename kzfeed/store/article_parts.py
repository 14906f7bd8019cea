"""What belongs to articles beside their texts: media, tags, sightings, front matter, and pages to be fetched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import enclosures_of
from kzfeed.article.change import Change, Known, New, Same
from kzfeed.model.articles import Origin
from kzfeed.store import tables
from kzfeed.store.known_articles import ArticleBatch
from kzfeed.store.queue.page_queue import WantedPage, queue_pages
from kzfeed.store.value_batches import in_batches

Row = dict[str, Any]

_article, _sighting = tables.articles.c, tables.sightings.c
_media, _tag = tables.media.c, tables.tags.c


@dataclass(frozen=True, slots=True)
class ArticleWrite:
    """The write of one article: its change, with the article's id and what was known of it before the transaction."""

    change: Change
    id: int
    known: Known | None
    batch: ArticleBatch
    content_from: Origin | None = None
    """Where the text is from, if not from the batch."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert these rows, if there are any."""
    if rows:
        connection.execute(sa.insert(table), rows)


def add_media_and_tags(connection: sa.Connection, writes: Sequence[ArticleWrite]) -> None:
    """Insert the media and tags of new articles, those that a revision adds, and enclosures added later."""
    writes = [write for write in writes if not isinstance(write.change, Same) or _may_add_enclosures(write)]
    stored = _stored_media_and_tags(connection, {write.id for write in writes if not isinstance(write.change, New)})
    media: list[Row] = []
    tags: list[Row] = []
    for write in writes:
        article, is_new = write.change.article, isinstance(write.change, New)
        seen = stored.setdefault(write.id, set())
        media += [
            {
                "article_id": write.id,
                "kind": each.kind,
                "url": each.url,
                "proxy_url": each.proxy_url,
                "mime_type": each.mime_type,
                "size_bytes": each.size_bytes,
                "duration_seconds": each.duration_seconds,
            }
            for each in article.media
            if is_new or (each.kind, each.url) not in seen
        ]
        tags += [{"article_id": write.id, "tag": tag} for tag in article.tags if is_new or ("", tag) not in seen]
        seen |= {(each.kind, each.url) for each in article.media} | {("", tag) for tag in article.tags}
    insert_rows(connection, tables.media, media)
    insert_rows(connection, tables.tags, tags)


def _may_add_enclosures(write: ArticleWrite) -> bool:
    return write.batch.is_live and bool(enclosures_of(write.change.article.media))


def _stored_media_and_tags(connection: sa.Connection, article_ids: Iterable[int]) -> dict[int, set[tuple[str, str]]]:
    """The media of these articles as (kind, URL), and their tags as ("", tag)."""
    select_media = sa.select(_media.article_id, _media.kind, _media.url)
    select_tags = sa.select(_tag.article_id, sa.literal("").label("kind"), _tag.tag)
    stored: dict[int, set[tuple[str, str]]] = {}
    for ids in in_batches(article_ids):
        for query in (select_media.where(_media.article_id.in_(ids)), select_tags.where(_tag.article_id.in_(ids))):
            for article_id, kind, value in connection.execute(query):
                stored.setdefault(article_id, set()).add((kind, value))
    return stored


_UPDATE_SIGHTING = sa.update(tables.sightings).where(
    _sighting.article_id == sa.bindparam("sighted_article_id"), _sighting.source_id == sa.bindparam("by_source_id")
)


def record_sightings(connection: sa.Connection, writes: Sequence[ArticleWrite]) -> None:
    """Insert or update the sightings of these articles. Archive files do not change a sighting that exists."""
    last_writes = {write.id: write for write in writes if write.batch.content_from != "page"}.values()
    first_time = [write for write in last_writes if write.known is None or write.known.shown is None]
    again = [write for write in last_writes if write.known and write.known.shown is not None and write.batch.is_live]
    insert_rows(connection, tables.sightings, list(map(_sighting_row, first_time)))
    if again:
        connection.execute(_UPDATE_SIGHTING, list(map(_renewed_sighting_row, again)))


def _sighting_row(write: ArticleWrite) -> Row:
    return {
        "article_id": write.id,
        "source_id": write.batch.source_id,
        "guid": write.change.article.guid,
        "first_seen_at": write.batch.seen_at,
        "last_seen_at": write.batch.seen_at,
        "revision": write.change.revision,
    }


def _renewed_sighting_row(write: ArticleWrite) -> Row:
    return {
        "sighted_article_id": write.id,
        "by_source_id": write.batch.source_id,
        "guid": _guid_of(write),
        "last_seen_at": write.batch.seen_at,
        "revision": write.change.revision,
        "withdrawn_at": None,
    }


def _guid_of(write: ArticleWrite) -> str | None:
    article = write.change.article
    if write.known and article.link_hash and article.url_hash not in {article.link_hash, *article.own_hashes}:
        # An edit under a new guid: `verify` needs the guid that made the hash.
        return write.known.guid
    return article.guid


def add_front_matter(connection: sa.Connection, writes: Iterable[ArticleWrite]) -> None:
    """Add the front matter of files to versions that the archive holds without any."""
    rows = [
        {
            "of_article": write.id,
            "of_revision": write.change.revision,
            "given_front_matter": write.change.article.front_matter,
        }
        for write in writes
        if isinstance(write.change, Same) and write.change.article.front_matter
    ]
    if rows:
        for statement in _ADD_FRONT_MATTER:
            connection.execute(statement, rows)


def _with_front_matter(table: sa.Table, article_id: sa.Column[Any]) -> sa.Update:
    is_version = article_id == sa.bindparam("of_article"), table.c.revision == sa.bindparam("of_revision")
    update = sa.update(table).where(*is_version, table.c.front_matter.is_(None))
    return update.values(front_matter=sa.bindparam("given_front_matter", type_=table.c.front_matter.type))


_ADD_FRONT_MATTER = [
    _with_front_matter(tables.articles, _article.id),
    _with_front_matter(tables.revisions, tables.revisions.c.article_id),
]


def queue_pages_of(connection: sa.Connection, writes: Iterable[ArticleWrite]) -> None:
    """Queue the pages of articles that are new or changed, where their source wants pages."""
    wanted = [
        WantedPage(
            write.id,
            write.batch.source_id,
            write.change.article.url,
            write.batch.seen_at,
            was_read=write.known is not None and write.known.is_from_page,
        )
        for write in writes
        if write.batch.wants_pages and write.change.article.url
        if not isinstance(write.change, Same) or (write.known and write.known.shown is None)
    ]
    if wanted:
        queue_pages(connection, wanted)
