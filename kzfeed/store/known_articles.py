"""Look-up of articles from a document or files in the archive: which of them it holds, and in which versions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from kzfeed.article.build import derivation_version_of, fingerprint, first_fingerprint, has_fingerprint
from kzfeed.article.change import Known
from kzfeed.article.identity import Words, candidate_hashes, without_query
from kzfeed.model.articles import Article, Origin
from kzfeed.store import tables
from kzfeed.store.value_batches import BODY_BATCH, in_batches
from kzfeed.store.windows import select_last_window

_article, _revision, _sighting = tables.articles.c, tables.revisions.c, tables.sightings.c
_media = tables.media.c
_COLUMNS = (
    *(_article.id, _article.url_hash, _article.revision, _article.fingerprint, _article.published_at),
    *(_article.source_id.label("dated_by"), _article.revision_source_id, _article.content_from),
)


@dataclass(frozen=True, slots=True)
class ArticleBatch:
    """Articles of one source, from one document, from archive files, or the text of a page.

    `is_live` says that the source shows them at `seen_at`; articles of files were seen at unknown times. With
    `wants_pages`, the pages of those that are new to the source are to be fetched.
    """

    source_id: int
    articles: Sequence[Article]
    seen_at: datetime
    is_live: bool
    content_from: Origin = "feed"
    wants_pages: bool = False


@dataclass(frozen=True, slots=True)
class KnownArticles:
    """What the archive holds of the articles that were looked up, and their ids, both by url_hash."""

    known: Mapping[str, Known]
    ids: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _StoredRow:
    """A row of `articles`, with the revision and guid that the batch's source showed last, if it ever did."""

    by_source_id: int
    id: int
    url_hash: str
    revision: int
    fingerprint: str
    published_at: datetime | None
    dated_by: int
    revision_source_id: int
    content_from: Origin | None
    shown: int | None = None
    guid: str | None = None
    url: str | None = None


def find_known(connection: sa.Connection, batches: Sequence[ArticleBatch]) -> KnownArticles:
    """Look up the articles of all batches. No article may be in two batches.

    All versions of an article are read only if its newest one differs from what the batch holds.
    """
    expected: dict[str, list[Article]] = {}
    source_ids: dict[str, int] = {}
    for batch in batches:
        for article in batch.articles:
            for url_hash in candidate_hashes(article):
                expected.setdefault(url_hash, []).append(article)
                source_ids[url_hash] = batch.source_id
    # A source's last window lies together in the table; a hash can lie anywhere, so that its look-up costs more.
    rows = _rows_in_last_windows(connection, [batch for batch in batches if batch.is_live])
    rows += _rows_by_hash(connection, source_ids.keys() - {row.url_hash for row in rows}, source_ids)
    differing = [
        row
        for row in rows
        if not all(has_fingerprint(each, row.fingerprint) for each in expected.get(row.url_hash, ()))
    ]
    versions = _versions(connection, differing)
    of_pages = [row for row in differing if row.content_from == "page"]
    entry_revisions = _entry_revisions(connection, [row.id for row in of_pages])
    known = {
        row.url_hash: Known(
            url_hash=row.url_hash,
            revision=row.revision,
            versions=versions.get(row.id) or {row.revision: row.fingerprint},
            entry_revision=entry_revisions.get(row.id),
            is_from_page=row.content_from == "page",
            is_own=row.content_from == "feed" and row.revision_source_id == row.by_source_id,
            shown=row.shown,
            guid=row.guid,
            stored_fingerprint=row.fingerprint,
            url=row.url,
            published_at=row.published_at,
            dated_by=row.dated_by,
        )
        for row in rows
    }
    return KnownArticles(known, {row.url_hash: row.id for row in rows})


_older = tables.revisions.alias().c
_LAST_OF_ENTRY = (
    sa.select(sa.func.max(_older.revision))
    .where(_older.article_id == _article.id, _older.content_from.is_distinct_from("page"))
    .correlate(tables.articles)
    .scalar_subquery()
)
"""The newest revision of an article that is not from its page, if its newest one is."""
_ENTRY_TEXT = sa.func.coalesce(
    sa.select(_revision.text)
    .where(_article.content_from == "page", _revision.article_id == _article.id, _revision.revision == _LAST_OF_ENTRY)
    .correlate(tables.articles)
    .scalar_subquery(),
    _article.text,
)
"""The text by which entries are told apart: that of a page is much longer than what feeds show."""


def _entry_revisions(connection: sa.Connection, ids: Sequence[int]) -> dict[int, int]:
    """The newest revision that is not from a page, for these articles by id; none where all are."""
    query = sa.select(_article.id, _LAST_OF_ENTRY.label("revision"))
    rows = (row for batch in in_batches(ids) for row in connection.execute(query.where(_article.id.in_(batch))))
    return {row.id: row.revision for row in rows if row.revision is not None}


def find_words(connection: sa.Connection, ids: Mapping[str, int]) -> dict[str, Words]:
    """The words of the articles with these ids, by url_hash. `ids` has the id of each url_hash."""
    url_hashes = {article_id: url_hash for url_hash, article_id in ids.items()}
    files: dict[tuple[int, bool], set[str]] = {}
    is_image = _media.kind == "image"
    select_media = sa.select(_media.article_id, is_image, _media.url).join(
        tables.articles, _article.id == _media.article_id
    )
    select_media = select_media.where(sa.or_(~is_image, _article.text == ""))
    words: dict[str, Words] = {}
    for batch in in_batches(url_hashes, BODY_BATCH):
        for article_id, image, url in connection.execute(select_media.where(_media.article_id.in_(batch))):
            files.setdefault((article_id, bool(image)), set()).add(without_query(url) if image else url)
        query = sa.select(_article.id, _article.title, _ENTRY_TEXT).where(_article.id.in_(batch))
        for article_id, title, text in connection.execute(query):
            enclosures, images = (frozenset(files.get((article_id, image), ())) for image in (False, True))
            words[url_hashes[article_id]] = Words(title, text, enclosures, images)
    return words


def _rows_in_last_windows(connection: sa.Connection, batches: Sequence[ArticleBatch]) -> list[_StoredRow]:
    """Rows that the source of a batch showed in its last document, under a hash or an address of the batch."""
    query = select_last_window(
        *(_sighting.source_id, *_COLUMNS),
        *(_sighting.revision.label("shown"), _sighting.guid, _article.url),
    )
    wanted = {
        batch.source_id: {
            *(url_hash for article in batch.articles for url_hash in candidate_hashes(article)),
            *(article.url for article in batch.articles),
        }
        for batch in batches
    }
    return [
        _StoredRow(*row)
        for ids in in_batches(wanted)
        for row in connection.execute(query.where(tables.sources.c.id.in_(ids)))
        if row.url_hash in wanted[row.source_id] or row.url in wanted[row.source_id]
    ]


def _rows_by_hash(connection: sa.Connection, hashes: Iterable[str], source_ids: Mapping[str, int]) -> list[_StoredRow]:
    """Rows of these hashes, whichever source has shown them."""
    query = sa.select(*_COLUMNS)
    found = [
        row for batch in in_batches(hashes) for row in connection.execute(query.where(_article.url_hash.in_(batch)))
    ]
    article_ids: dict[int, list[int]] = {}
    for row in found:
        article_ids.setdefault(source_ids[row.url_hash], []).append(row.id)
    select_sightings = sa.select(_sighting.article_id, _sighting.revision, _sighting.guid)
    sightings = {
        row.article_id: (row.revision, row.guid)
        for source_id, ids in article_ids.items()
        for batch in in_batches(ids)
        for row in connection.execute(
            select_sightings.where(_sighting.source_id == source_id, _sighting.article_id.in_(batch))
        )
    }
    return [_StoredRow(source_ids[row.url_hash], *row, *sightings.get(row.id, ())) for row in found]


def _versions(connection: sa.Connection, rows: Iterable[_StoredRow]) -> dict[int, dict[int, str]]:
    """The fingerprints of all versions of these articles, by revision, computed from what is stored.

    They are computed because a later kzfeed may extract text from HTML in another way, which does not change the text.
    A newest version that derivation 1 read gets the fingerprint of derivation 1, so that its way of joining lines does
    not count as a change either. All older versions get it, because nothing says which derivation read them.
    """
    is_first = {row.id: derivation_version_of(row.fingerprint) == 1 for row in rows}
    newest = sa.select(_article.id, _article.revision, _article.title, _article.content)
    older = sa.select(_revision.article_id, _revision.revision, _revision.title, _revision.content)
    versions: dict[int, dict[int, str]] = {}
    for ids in in_batches(is_first, BODY_BATCH):
        for article_id, number, title, content in connection.execute(newest.where(_article.id.in_(ids))):
            of_text = first_fingerprint if is_first[article_id] else fingerprint
            versions[article_id] = {number: of_text(title, content)}
        for article_id, number, title, content in connection.execute(older.where(_revision.article_id.in_(ids))):
            versions[article_id][number] = first_fingerprint(title, content)
    return versions
