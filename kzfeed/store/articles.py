"""Storage of articles with their revisions, sightings, media and tags, many articles in few statements.

`article.change` decides what is new, unchanged or revised, from what the same transaction has read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import enclosures_of, text_and_fingerprint
from kzfeed.article.change import Change, Known, New, Revised, Same, compare, takes_date
from kzfeed.article.identity import Words, contested, identify
from kzfeed.model.articles import Article, Origin, Tally
from kzfeed.store import tables
from kzfeed.store.day_counts import DayCounts
from kzfeed.store.known_articles import ArticleBatch, find_known, find_words
from kzfeed.store.page_queue import WantedPage, queue_pages
from kzfeed.store.value_batches import BODY_BATCH, in_batches

Row = dict[str, Any]

_article, _sighting = tables.articles.c, tables.sightings.c
_media, _tag = tables.media.c, tables.tags.c


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
    steps = [
        _Step(change, ids[change.article.url_hash], known.get(change.article.url_hash), batch)
        for batch, batch_changes in zip(batches, changes_by_batch, strict=True)
        for change in batch_changes
    ]
    day_counts = DayCounts()
    _insert_articles(connection, [step for step in steps if isinstance(step.change, New)], day_counts)
    _update_derived_text(connection, [step for step in steps if step.known])
    revised = [step for step in steps if isinstance(step.change, Revised)]
    _revise(connection, [*revised, *_kept_pages(connection, revised)], day_counts)
    # If a document shows an article twice, the last step is what the source shows now: only its date counts.
    last_steps = {step.id: step for step in steps}.values()
    _correct_dates(
        connection, [step for step in last_steps if isinstance(step.change, Same) and step.known], day_counts
    )
    day_counts.write(connection)
    _add_front_matter(connection, steps)
    _add_media_and_tags(connection, steps)
    _update_last_seen(connection, [step for step in steps if isinstance(step.change, Same) and step.known])
    _record_sightings(connection, steps)
    _queue_pages(connection, last_steps)
    return list(map(_tally, changes_by_batch))


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of one article, with the article's id and what was known of it before the transaction."""

    change: Change
    id: int
    known: Known | None
    batch: ArticleBatch
    content_from: Origin | None = None
    """Where the text is from, if not from the batch."""


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
        sequence = sa.func.pg_get_serial_sequence("articles", "id")
        numbers = sa.func.generate_series(1, count).table_valued("number")
        return connection.execute(sa.select(sa.func.nextval(sequence)).select_from(numbers)).scalars().all()
    highest = connection.execute(sa.select(sa.func.max(_article.id))).scalar() or 0
    return range(highest + 1, highest + count + 1)


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _insert_articles(connection: sa.Connection, steps: Sequence[_Step], day_counts: DayCounts) -> None:
    _insert(connection, tables.articles, list(map(_article_row, steps)))
    for step in steps:
        day_counts.count_article(step.batch.source_id, step.change.article.published_at, step.batch.seen_at)


def _article_row(step: _Step) -> Row:
    article, source_id, now = step.change.article, step.batch.source_id, step.batch.seen_at
    return {
        "id": step.id,
        "url_hash": article.url_hash,
        "url": article.url,
        "title": article.title,
        "content": article.content,
        "text": article.text,
        "fingerprint": article.fingerprint,
        "content_from": step.batch.content_from,
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
    _insert(connection, tables.article_changes, [{"article_id": each} for each in article_ids])


# --- articles that the archive holds already -------------------------------------------------------------------------


_UPDATE_ARTICLE = sa.update(tables.articles).where(_article.id == sa.bindparam("article_id"))


def _update_last_seen(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    rows = {
        step.id: {"article_id": step.id, "last_seen_at": step.batch.seen_at} for step in steps if step.batch.is_live
    }
    if rows:
        connection.execute(_UPDATE_ARTICLE, list(rows.values()))


def _update_derived_text(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """Update text and fingerprint of articles whose text another version of kzfeed extracted in another way.

    Both are derived again from the stored content. They are updated only if the result has the document's fingerprint;
    otherwise the stored fingerprint stays.
    """
    outdated = {
        step.id: step.change.article.fingerprint
        for step in steps
        if isinstance(step.change, Same)
        and step.known
        and step.batch.is_live
        and step.change.revision == step.known.revision
        and step.change.article.fingerprint != step.known.stored_fingerprint
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


def _takes_date_of(step: _Step) -> bool:
    # An article that this document is the first to hold has the date of its first version.
    return bool(step.known and step.batch.is_live and takes_date(step.change.article, step.known, step.batch.source_id))


def _file_dates(step: _Step) -> bool:
    """Whether the date of a file, which holds a newer version, becomes the date of the article with that version."""
    article, known = step.change.article, step.known
    if article.published_at is None:
        return False
    return known is None or known.published_at is None or known.dated_by == step.batch.source_id


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


def _may_correct_date(step: _Step, known: Known) -> bool:
    # The date of a page's text is that of the entry.
    return known.is_from_page or step.change.revision == known.revision


def _correct_dates(connection: sa.Connection, steps: Sequence[_Step], day_counts: DayCounts) -> None:
    """Take dates that arrive later or are corrected, where the words stay; the former date becomes a row."""
    rows = {
        step.id: {
            "article_id": step.id,
            "given_published_at": step.change.article.published_at,
            "given_published_raw": step.change.article.published_raw,
            "replaced_at": step.batch.seen_at,
            "by_source_id": step.batch.source_id,
        }
        for step in steps
        if step.known and _may_correct_date(step, step.known) and _takes_date_of(step)
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


def _revise(connection: sa.Connection, steps: Sequence[_Step], day_counts: DayCounts) -> None:
    """Copy the newest version of each article to `revisions`, and replace it."""
    for steps_of_different_articles in _apart(steps):
        connection.execute(_COPY_NEWEST_TO_REVISIONS, [{"article_id": step.id} for step in steps_of_different_articles])
        rows = list(map(_newest_row, steps_of_different_articles))
        with day_counts.changed_dates(connection, [row["article_id"] for row in rows if row["takes_date"]]):
            connection.execute(_REPLACE_NEWEST, rows)
        _note_changes(connection, [row["article_id"] for row in rows])
    for step in steps:
        day_counts.count_version(step.batch.source_id, step.batch.seen_at)


def _kept_pages(connection: sa.Connection, steps: Sequence[_Step]) -> list[_Step]:
    """Steps after revisions by feeds that make the text of the article's page the newest version again.

    What a feed shows beside the page's text is stored as an older version, and only its title is taken.
    """
    last = {
        step.id: step for step in steps if step.known and step.known.is_from_page and step.batch.content_from == "feed"
    }
    query = sa.select(_article.id, _article.content)
    kept = []
    for ids in in_batches(last, BODY_BATCH):
        for article_id, content in connection.execute(query.where(_article.id.in_(ids))):
            step = last[article_id]
            article = step.change.article
            text, fingerprint = text_and_fingerprint(article.title, content)
            page = Article(article.url_hash, article.url, article.title, content, text, fingerprint)
            change = Revised(page, step.change.revision + 1)
            kept.append(replace(step, change=change, content_from="page"))
    return kept


def _apart(steps: Iterable[_Step]) -> list[list[_Step]]:
    """The steps in lists that hold no article twice: one document may hold several versions of an article."""
    lists: list[list[_Step]] = []
    counts: dict[int, int] = {}
    for step in steps:
        number = counts[step.id] = counts.get(step.id, -1) + 1
        if number == len(lists):
            lists.append([])
        lists[number].append(step)
    return lists


def _newest_row(step: _Step) -> Row:
    article, now = step.change.article, step.batch.seen_at
    return {
        "article_id": step.id,
        "title": article.title,
        "content": article.content,
        "text": article.text,
        "fingerprint": article.fingerprint,
        "revision": step.change.revision,
        "revision_seen_at": now,
        "revision_source_id": step.batch.source_id,
        "front_matter": article.front_matter,
        "content_from": step.content_from or step.batch.content_from,
        # A page is no feed that shows the article.
        "given_last_seen_at": None if step.batch.content_from == "page" else now,
        "takes_date": _takes_date_of(step) if step.batch.is_live else _file_dates(step),
        "given_published_at": article.published_at,
        "given_published_raw": article.published_raw,
        "given_author": article.author,
        "given_language": article.language,
    }


def _add_front_matter(connection: sa.Connection, steps: Iterable[_Step]) -> None:
    """Add the front matter of files to versions that the archive holds without any."""
    rows = [
        {
            "of_article": step.id,
            "of_revision": step.change.revision,
            "given_front_matter": step.change.article.front_matter,
        }
        for step in steps
        if isinstance(step.change, Same) and step.change.article.front_matter
    ]
    if rows:
        for statement in _ADD_FRONT_MATTER:
            connection.execute(statement, rows)


def _with_front_matter(table: sa.Table, article_id: sa.Column[Any]) -> sa.Update:
    is_version = article_id == sa.bindparam("of_article"), table.c.revision == sa.bindparam("of_revision")
    update = sa.update(table).where(*is_version, table.c.front_matter.is_(None))
    return update.values(front_matter=_given(table.c.front_matter))


_ADD_FRONT_MATTER = [
    _with_front_matter(tables.articles, _article.id),
    _with_front_matter(tables.revisions, tables.revisions.c.article_id),
]


# --- media, tags, sightings ------------------------------------------------------------------------------------------


def _add_media_and_tags(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """Insert the media and tags of new articles, those that a revision adds, and enclosures added later."""
    steps = [step for step in steps if not isinstance(step.change, Same) or _may_add_enclosures(step)]
    stored = _stored_media_and_tags(connection, {step.id for step in steps if not isinstance(step.change, New)})
    media: list[Row] = []
    tags: list[Row] = []
    for step in steps:
        article, is_new = step.change.article, isinstance(step.change, New)
        seen = stored.setdefault(step.id, set())
        media += [
            {
                "article_id": step.id,
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
        tags += [{"article_id": step.id, "tag": tag} for tag in article.tags if is_new or ("", tag) not in seen]
        seen |= {(each.kind, each.url) for each in article.media} | {("", tag) for tag in article.tags}
    _insert(connection, tables.media, media)
    _insert(connection, tables.tags, tags)


def _may_add_enclosures(step: _Step) -> bool:
    return step.batch.is_live and bool(enclosures_of(step.change.article.media))


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


def _queue_pages(connection: sa.Connection, steps: Iterable[_Step]) -> None:
    """Have the pages fetched of articles that are new to a source that wants them, or changed there."""
    wanted = [
        WantedPage(step.id, step.batch.source_id, step.change.article.url, step.batch.seen_at)
        for step in steps
        if step.batch.wants_pages and step.change.article.url
        if not isinstance(step.change, Same) or (step.known and step.known.shown is None)
    ]
    if wanted:
        queue_pages(connection, wanted)


_UPDATE_SIGHTING = sa.update(tables.sightings).where(
    _sighting.article_id == sa.bindparam("sighted_article_id"), _sighting.source_id == sa.bindparam("by_source_id")
)


def _record_sightings(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """Insert or update the sightings of these articles. Archive files do not change a sighting that exists."""
    last_steps = {step.id: step for step in steps if step.batch.content_from != "page"}.values()
    first_time = [step for step in last_steps if step.known is None or step.known.shown is None]
    again = [step for step in last_steps if step.known and step.known.shown is not None and step.batch.is_live]
    _insert(connection, tables.sightings, list(map(_sighting_row, first_time)))
    if again:
        connection.execute(_UPDATE_SIGHTING, list(map(_renewed_sighting_row, again)))


def _sighting_row(step: _Step) -> Row:
    return {
        "article_id": step.id,
        "source_id": step.batch.source_id,
        "guid": step.change.article.guid,
        "first_seen_at": step.batch.seen_at,
        "last_seen_at": step.batch.seen_at,
        "revision": step.change.revision,
    }


def _renewed_sighting_row(step: _Step) -> Row:
    return {
        "sighted_article_id": step.id,
        "by_source_id": step.batch.source_id,
        "guid": _guid_of(step),
        "last_seen_at": step.batch.seen_at,
        "revision": step.change.revision,
        "withdrawn_at": None,
    }


def _guid_of(step: _Step) -> str | None:
    article = step.change.article
    if step.known and article.link_hash and article.url_hash not in {article.link_hash, *article.own_hashes}:
        # An edit under a new guid: `verify` needs the guid that made the hash.
        return step.known.guid
    return article.guid
