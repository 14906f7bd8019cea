"""Storage of articles with their revisions, many articles in few statements.

`article.change` decides what is new, unchanged or revised, from what the same transaction has read. `article_parts`
stores what belongs to the articles.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import text_and_fingerprint
from kzfeed.article.change import Change, Known, New, Revised, Same, compare, takes_date
from kzfeed.article.identity import Words, contested, identify
from kzfeed.model.articles import Article, Tally
from kzfeed.store import tables
from kzfeed.store.article_parts import (
    ArticleWrite,
    Row,
    add_front_matter,
    add_media_and_tags,
    insert_rows,
    queue_pages_of,
    record_sightings,
)
from kzfeed.store.day_counts import DayCounts
from kzfeed.store.known_articles import ArticleBatch, find_known, find_words
from kzfeed.store.log_end import announce_ids
from kzfeed.store.value_batches import BODY_BATCH, in_batches

_article = tables.articles.c


def store_articles(connection: sa.Connection, batches: Sequence[ArticleBatch]) -> list[Tally]:
    """Store what is new or revised, record what is seen again, and return a tally for each batch.

    No two batches may share an article: the changes of one must not depend on those of another.
    """
    if not batches:
        return []
    stored = find_known(connection, batches)
    known = stored.known
    undecided = {url_hash for batch in batches for url_hash in contested(batch.articles, known)}
    words = find_words(connection, {url_hash: stored.ids[url_hash] for url_hash in undecided})
    changes_by_batch = [_changes(batch, known, words) for batch in batches]
    new = [change.article for each in changes_by_batch for change in each if isinstance(change, New)]
    new_ids = zip((article.url_hash for article in new), _next_ids(connection, len(new)), strict=True)
    ids = {**stored.ids, **dict(new_ids)}
    writes = [
        ArticleWrite(change, ids[change.article.url_hash], known.get(change.article.url_hash), batch)
        for batch, batch_changes in zip(batches, changes_by_batch, strict=True)
        for change in batch_changes
    ]
    day_counts = DayCounts()
    _insert_articles(connection, [write for write in writes if isinstance(write.change, New)], day_counts)
    _update_derived_text(connection, [write for write in writes if write.known])
    revised = [write for write in writes if isinstance(write.change, Revised)]
    _revise(connection, [*revised, *_kept_pages(connection, revised)], day_counts)
    # If a document shows an article twice, the last write is what the source shows now: only its date counts.
    last_writes = {write.id: write for write in writes}.values()
    _correct_dates(
        connection, [write for write in last_writes if isinstance(write.change, Same) and write.known], day_counts
    )
    day_counts.write(connection)
    add_front_matter(connection, writes)
    add_media_and_tags(connection, writes)
    _update_last_seen(connection, [write for write in writes if isinstance(write.change, Same) and write.known])
    record_sightings(connection, writes)
    queue_pages_of(connection, last_writes)
    return list(map(_tally, changes_by_batch))


def _changes(batch: ArticleBatch, known: Mapping[str, Known], words: Mapping[str, Words]) -> list[Change]:
    articles = [
        article if article.url_hash == url_hash else replace(article, url_hash=url_hash)
        for article, url_hash in zip(batch.articles, identify(batch.articles, known, words), strict=True)
    ]
    return compare(articles, known, live=batch.is_live or batch.content_from == "page")


def _tally(batch_changes: Iterable[Change]) -> Tally:
    kinds = [type(change) for change in batch_changes]
    return Tally(new=kinds.count(New), revised=kinds.count(Revised), unchanged=kinds.count(Same))


def _next_ids(connection: sa.Connection, count: int) -> Iterable[int]:
    """The ids of `count` new articles, as the engine would assign them.

    They are needed before the INSERT, so that all articles and then all their media, tags and sightings can be
    inserted at once.
    """
    if not count:
        return ()
    if connection.dialect.name == "postgresql":
        announce_ids(connection, tables.articles)
        sequence = sa.func.pg_get_serial_sequence("articles", "id")
        numbers = sa.func.generate_series(1, count).table_valued("number")
        return connection.execute(sa.select(sa.func.nextval(sequence)).select_from(numbers)).scalars().all()
    highest = connection.execute(sa.select(sa.func.max(_article.id))).scalar() or 0
    return range(highest + 1, highest + count + 1)


def _insert_articles(connection: sa.Connection, writes: Sequence[ArticleWrite], day_counts: DayCounts) -> None:
    insert_rows(connection, tables.articles, list(map(_article_row, writes)))
    for write in writes:
        day_counts.count_article(write.batch.source_id, write.change.article.published_at, write.batch.seen_at)


def _article_row(write: ArticleWrite) -> Row:
    article, source_id, now = write.change.article, write.batch.source_id, write.batch.seen_at
    return {
        "id": write.id,
        "url_hash": article.url_hash,
        "url": article.url,
        "title": article.title,
        "content": article.content,
        "text": article.text,
        "fingerprint": article.fingerprint,
        "content_from": write.batch.content_from,
        "published_at": article.published_at,
        "published_raw": article.published_raw,
        "author": article.author,
        "language": article.language,
        "first_seen_at": now,
        "last_seen_at": now,
        "source_id": source_id,
        "revision": 1,
        "revision_seen_at": now,
        "revision_source_id": source_id,
        "front_matter": article.front_matter,
    }


def _note_changes(connection: sa.Connection, article_ids: Iterable[int]) -> None:
    """Tell the search index which articles have another title, text or date than when they were stored."""
    if rows := [{"article_id": each} for each in article_ids]:
        announce_ids(connection, tables.article_changes)
        insert_rows(connection, tables.article_changes, rows)


# --- articles that the archive holds already -------------------------------------------------------------------------


_UPDATE_ARTICLE = sa.update(tables.articles).where(_article.id == sa.bindparam("article_id"))


def _update_last_seen(connection: sa.Connection, writes: Sequence[ArticleWrite]) -> None:
    rows = {
        write.id: {"article_id": write.id, "last_seen_at": write.batch.seen_at}
        for write in writes
        if write.batch.is_live
    }
    if rows:
        connection.execute(_UPDATE_ARTICLE, list(rows.values()))


def _update_derived_text(connection: sa.Connection, writes: Sequence[ArticleWrite]) -> None:
    """Update text and fingerprint of articles whose text another version of kzfeed extracted in another way.

    Both are derived again from the stored content. They are updated only if the result has the document's fingerprint;
    otherwise the stored fingerprint stays.
    """
    outdated = {
        write.id: write.change.article.fingerprint
        for write in writes
        if isinstance(write.change, Same)
        and write.known
        and write.batch.is_live
        and write.change.revision == write.known.revision
        and write.change.article.fingerprint != write.known.stored_fingerprint
    }
    query = sa.select(_article.id, _article.title, _article.content)
    for ids in in_batches(outdated, BODY_BATCH):
        derived = {
            article_id: text_and_fingerprint(title, content)
            for article_id, title, content in connection.execute(query.where(_article.id.in_(ids)))
        }
        rows = [
            {"article_id": article_id, "text": text, "fingerprint": fingerprint}
            for article_id, (text, fingerprint) in derived.items()
            if fingerprint == outdated[article_id]
        ]
        if rows:
            connection.execute(_UPDATE_ARTICLE, rows)
            _note_changes(connection, [row["article_id"] for row in rows])


def _takes_date_of_document(write: ArticleWrite) -> bool:
    """Whether the date in a document that shows the article now becomes the date of the article."""
    # An article that this document is the first to hold has the date of its first version.
    return bool(
        write.known and write.batch.is_live and takes_date(write.change.article, write.known, write.batch.source_id)
    )


def _takes_date_of_file(write: ArticleWrite) -> bool:
    """Whether the date of an archive file, which holds a newer version, becomes the date of the article."""
    article, known = write.change.article, write.known
    if article.published_at is None:
        return False
    return known is None or known.published_at is None or known.dated_by == write.batch.source_id


_CORRECT_DATE = _UPDATE_ARTICLE.values(
    published_at=sa.bindparam("given_published_at", type_=_article.published_at.type),
    published_raw=sa.bindparam("given_published_raw", type_=_article.published_raw.type),
)
_KEEP_FORMER_DATE = sa.insert(tables.former_dates).from_select(
    ["article_id", "published_at", "published_raw", "replaced_at", "source_id"],
    sa.select(
        *(_article.id, _article.published_at, _article.published_raw),
        sa.bindparam("replaced_at", type_=_article.last_seen_at.type),
        sa.bindparam("by_source_id", type_=sa.Integer),
    ).where(_article.id == sa.bindparam("article_id")),
)


def _may_correct_date(write: ArticleWrite, known: Known) -> bool:
    # The date of a page's text is that of the entry.
    return known.is_from_page or write.change.revision == known.revision


def _correct_dates(connection: sa.Connection, writes: Sequence[ArticleWrite], day_counts: DayCounts) -> None:
    """Take dates that arrive later or are corrected, where the words stay; the former date becomes a row."""
    rows = {
        write.id: {
            "article_id": write.id,
            "given_published_at": write.change.article.published_at,
            "given_published_raw": write.change.article.published_raw,
            "replaced_at": write.batch.seen_at,
            "by_source_id": write.batch.source_id,
        }
        for write in writes
        if write.known and _may_correct_date(write, write.known) and _takes_date_of_document(write)
    }
    if rows:
        connection.execute(_KEEP_FORMER_DATE, list(rows.values()))
        with day_counts.changed_dates(connection, rows):
            connection.execute(_CORRECT_DATE, list(rows.values()))
        _note_changes(connection, rows)


_COPY_NEWEST_TO_REVISIONS = sa.insert(tables.revisions).from_select(
    [
        *("article_id", "revision", "title", "content", "text"),
        *("published_at", "published_raw", "seen_at", "source_id", "front_matter", "content_from"),
    ],
    sa.select(
        _article.id,
        _article.revision,
        _article.title,
        _article.content,
        _article.text,
        _article.published_at,
        _article.published_raw,
        _article.revision_seen_at,
        _article.revision_source_id,
        _article.front_matter,
        _article.content_from,
    ).where(_article.id == sa.bindparam("article_id")),
)


def _given(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(f"given_{column.name}", type_=column.type)


_takes_date = sa.bindparam("takes_date", type_=sa.Boolean)
_REPLACE_NEWEST = _UPDATE_ARTICLE.values(
    # Both columns of the date belong together.
    published_at=sa.case((_takes_date, _given(_article.published_at)), else_=_article.published_at),
    published_raw=sa.case((_takes_date, _given(_article.published_raw)), else_=_article.published_raw),
    author=sa.func.coalesce(_given(_article.author), _article.author),
    language=sa.func.coalesce(_given(_article.language), _article.language),
    last_seen_at=sa.func.coalesce(_given(_article.last_seen_at), _article.last_seen_at),
)


def _revise(connection: sa.Connection, writes: Sequence[ArticleWrite], day_counts: DayCounts) -> None:
    """Copy the newest version of each article to `revisions`, and replace it."""
    for writes_of_different_articles in _apart(writes):
        connection.execute(
            _COPY_NEWEST_TO_REVISIONS, [{"article_id": write.id} for write in writes_of_different_articles]
        )
        rows = list(map(_newest_row, writes_of_different_articles))
        with day_counts.changed_dates(connection, [row["article_id"] for row in rows if row["takes_date"]]):
            connection.execute(_REPLACE_NEWEST, rows)
        _note_changes(connection, [row["article_id"] for row in rows])
    for write in writes:
        day_counts.count_version(write.batch.source_id, write.batch.seen_at)


def _kept_pages(connection: sa.Connection, writes: Sequence[ArticleWrite]) -> list[ArticleWrite]:
    """Writes that make the text of an article's page its newest version again, after a feed has revised the article.

    The text of the feed stays an older version; its title is taken.
    """
    last = {
        write.id: write
        for write in writes
        if write.known and write.known.is_from_page and write.batch.content_from == "feed"
    }
    query = sa.select(_article.id, _article.content)
    kept = []
    for ids in in_batches(last, BODY_BATCH):
        for article_id, content in connection.execute(query.where(_article.id.in_(ids))):
            write = last[article_id]
            article = write.change.article
            text, fingerprint = text_and_fingerprint(article.title, content)
            page = Article(article.url_hash, article.url, article.title, content, text, fingerprint)
            change = Revised(page, write.change.revision + 1)
            kept.append(replace(write, change=change, content_from="page"))
    return kept


def _apart(writes: Iterable[ArticleWrite]) -> list[list[ArticleWrite]]:
    """The writes in lists that hold no article twice: one document may hold several versions of an article."""
    lists: list[list[ArticleWrite]] = []
    counts: dict[int, int] = {}
    for write in writes:
        number = counts[write.id] = counts.get(write.id, -1) + 1
        if number == len(lists):
            lists.append([])
        lists[number].append(write)
    return lists


def _newest_row(write: ArticleWrite) -> Row:
    article, now = write.change.article, write.batch.seen_at
    return {
        "article_id": write.id,
        "title": article.title,
        "content": article.content,
        "text": article.text,
        "fingerprint": article.fingerprint,
        "revision": write.change.revision,
        "revision_seen_at": now,
        "revision_source_id": write.batch.source_id,
        "front_matter": article.front_matter,
        "content_from": write.content_from or write.batch.content_from,
        # A page is no feed that shows the article.
        "given_last_seen_at": None if write.batch.content_from == "page" else now,
        "takes_date": _takes_date_of_document(write) if write.batch.is_live else _takes_date_of_file(write),
        "given_published_at": article.published_at,
        "given_published_raw": article.published_raw,
        "given_author": article.author,
        "given_language": article.language,
    }
