"""What a poll or a folder of files brought, written in one transaction: articles, sightings, revisions, poll records.

Nothing is decided here: what is new and what changed comes from `article.change`, within the transaction that writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kzfeed.article import change as changes
from kzfeed.article.change import Change, Known, New, Revised, Same
from kzfeed.article.normalise import fingerprint
from kzfeed.model import Article, Overlap, Poll, Source, Tally
from kzfeed.store import sources as source_rows
from kzfeed.store import tables, windows
from kzfeed.store.engine import Database

LOOKUP_SIZE = 5_000
"""How many values one IN list takes at most: both engines bound the number of parameters of a statement."""


def commit_poll(
    database: Database,
    source: Source,
    poll: Poll,
    articles: Sequence[Article] = (),
    *,
    before: Source | None = None,
    overlap: Overlap = Overlap(),  # noqa: B008 - frozen
    pause: datetime | None = None,
    paused_host: str | None = None,
) -> Poll:
    """Write a poll down: its articles, the source's state after it, and its record, all or nothing.

    `source` is the state after the poll, `before` the one it began from, `overlap` what its window has to do with the
    one before, `pause` until when nobody may visit `paused_host`, by default the source's own. Where another poll
    stored a document meanwhile, this one's may be the older: it adds what it alone holds and changes nothing else.
    Returns the record with what the poll brought. Raises DatabaseError.
    """
    now = source.last_polled_at or poll.started_at
    with database.write() as connection:
        overtaken = before is not None and source_rows.is_overtaken(connection, before)
        tally = _store(connection, articles, source.id, now, live=not overtaken)
        if overlap.withdrawn and not overtaken:
            windows.mark_withdrawn(connection, source.id, overlap.withdrawn, now)
        if overlap.gap and not overtaken:
            windows.record_gap(connection, source.id, overlap.gap, now)
        if poll.outcome == "unchanged" and (tally.new or tally.revised):
            poll = replace(poll, outcome="new")
        poll = replace(poll, new_articles=tally.new, revised_articles=tally.revised)
        if overtaken:
            source_rows.leave_state(connection, source.id, in_doubt=bool(articles))
        else:
            source_rows.save_state(connection, source)
        if pause:
            source_rows.pause_host(connection, paused_host or source_rows.host_of(source.url), pause)
        connection.execute(sa.insert(tables.polls).values(_poll_row(poll)))
    return poll


def store_files(database: Database, articles: Iterable[tuple[str, Article]], now: datetime) -> Tally:
    """Write the articles of archive files down, each for the source that is named with it, all or nothing.

    What is stored already stays as it is, untouched. Raises DatabaseError.
    """
    tally = Tally()
    with database.write() as connection:
        for name, group in groupby(articles, key=lambda pair: pair[0]):
            source_id = source_rows.id_of(connection, name)
            tally += _store(connection, [article for _, article in group], source_id, now, live=False)
    return tally


def _store(
    connection: sa.Connection, articles: Sequence[Article], source_id: int, now: datetime, *, live: bool
) -> Tally:
    if not articles:
        return Tally()
    known = _known(connection, articles, source_id)
    articles = [replace(article, url_hash=changes.identify(article, known)) for article in articles]
    plan = changes.compare(articles, known, live=live)
    _apply(connection, plan, known, source_id, now, live=live)
    return Tally(
        new=sum(isinstance(change, New) for change in plan),
        revised=sum(isinstance(change, Revised) for change in plan),
        unchanged=sum(isinstance(change, Same) for change in plan),
    )


# --- what is known ---------------------------------------------------------------------------------------------------


def _known(connection: sa.Connection, articles: Sequence[Article], source_id: int) -> dict[str, Known]:
    """What the archive holds of these articles, in one query; the versions in full only where the text is another."""
    expected: dict[str, set[str]] = {}
    for each in articles:
        for url_hash in (each.url_hash, each.link_hash, each.joint_hash):
            if url_hash:
                expected.setdefault(url_hash, set()).add(each.fingerprint)
    article, sighting = tables.articles.c, tables.sightings.c
    query = sa.select(
        article.id,
        article.url_hash,
        article.revision,
        article.fingerprint,
        sighting.revision.label("shown"),
        sighting.guid,
    ).outerjoin_from(
        tables.articles,
        tables.sightings,
        sa.and_(sighting.article_id == article.id, sighting.source_id == source_id),
    )
    rows = [row for part in _parts(expected) for row in connection.execute(query.where(article.url_hash.in_(part)))]
    versions = _versions(connection, [row.id for row in rows if expected[row.url_hash] != {row.fingerprint}])
    return {
        row.url_hash: Known(
            url_hash=row.url_hash,
            revision=row.revision,
            versions=versions.get(row.id) or {row.revision: row.fingerprint},
            shown=row.shown,
            guid=row.guid,
            stored_fingerprint=row.fingerprint,
        )
        for row in rows
    }


def _versions(connection: sa.Connection, article_ids: Iterable[int]) -> dict[int, dict[int, str]]:
    """The fingerprints of every version of these articles, made anew from what is stored.

    Anew, because a later kzfeed may read text out of HTML better: that must not look like a change of the text.
    """
    versions: dict[int, dict[int, str]] = {}
    article, revision = tables.articles.c, tables.revisions.c
    for part in _parts(article_ids):
        newest = sa.select(article.id, article.revision, article.title, article.content).where(article.id.in_(part))
        older = sa.select(revision.article_id, revision.revision, revision.title, revision.content)
        for query in (newest, older.where(revision.article_id.in_(part))):
            for article_id, number, title, content in connection.execute(query):
                versions.setdefault(article_id, {})[number] = fingerprint(title, content)
    return versions


def _parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    # Sorted, so that equal sets make equal statements.
    ordered = sorted(values)
    return (ordered[start : start + LOOKUP_SIZE] for start in range(0, len(ordered), LOOKUP_SIZE))


# --- what is written -------------------------------------------------------------------------------------------------


def _apply(
    connection: sa.Connection,
    plan: Sequence[Change],
    known: Mapping[str, Known],
    source_id: int,
    now: datetime,
    *,
    live: bool,
) -> None:
    new = [change.article for change in plan if isinstance(change, New)]
    if new:
        connection.execute(sa.insert(tables.articles), [_article_row(article, source_id, now) for article in new])
    ids = _ids(connection, {change.article.url_hash for change in plan})
    if new:
        _add_media_and_tags(connection, [(ids[article.url_hash], article) for article in new])
    for change in plan:
        if isinstance(change, Revised):
            _revise(connection, ids[change.article.url_hash], change, source_id, now)
    _refresh(connection, [change for change in plan if isinstance(change, Same)], known, ids)
    _sight(connection, plan, ids, source_id, now, live=live)


def _ids(connection: sa.Connection, hashes: set[str]) -> dict[str, int]:
    article = tables.articles.c
    query = sa.select(article.url_hash, article.id)
    found = (connection.execute(query.where(article.url_hash.in_(part))) for part in _parts(hashes))
    return {url_hash: article_id for rows in found for url_hash, article_id in rows}


def _revise(connection: sa.Connection, article_id: int, change: Revised, source_id: int, now: datetime) -> None:
    """The version that was the newest becomes a row of `revisions`, the new one takes its place."""
    column, article = tables.articles.c, change.article
    before = sa.select(
        column.id,
        column.revision,
        column.title,
        column.content,
        column.text,
        column.revision_seen_at,
        column.revision_source_id,
    ).where(column.id == article_id)
    kept = ["article_id", "revision", "title", "content", "text", "seen_at", "source_id"]
    connection.execute(sa.insert(tables.revisions).from_select(kept, before))
    connection.execute(
        sa.update(tables.articles)
        .where(column.id == article_id)
        .values(
            title=article.title,
            content=article.content,
            text=article.text,
            fingerprint=article.fingerprint,
            revision=change.revision,
            revision_seen_at=now,
            revision_source_id=source_id,
            last_seen_at=now,
            # A date once known stays: mirrors date an edited article anew.
            published_at=sa.func.coalesce(column.published_at, article.published_at),
            published_raw=sa.func.coalesce(column.published_raw, article.published_raw),
            author=sa.func.coalesce(article.author, column.author),
            language=sa.func.coalesce(article.language, column.language),
        )
    )
    held = {
        table: {tuple(row) for row in connection.execute(sa.select(*columns).where(table.c.article_id == article_id))}
        for table, columns in (
            (tables.media, [tables.media.c.kind, tables.media.c.url]),
            (tables.tags, [tables.tags.c.tag]),
        )
    }
    added = replace(
        article,
        media=tuple(each for each in article.media if (each.kind, each.url) not in held[tables.media]),
        tags=tuple(tag for tag in article.tags if (tag,) not in held[tables.tags]),
    )
    _add_media_and_tags(connection, [(article_id, added)])


def _add_media_and_tags(connection: sa.Connection, articles: Sequence[tuple[int, Article]]) -> None:
    media = [
        {
            "article_id": article_id,
            "kind": each.kind,
            "url": each.url,
            "proxy_url": each.proxy_url,
            "mime_type": each.mime_type,
            "size_bytes": each.size_bytes,
        }
        for article_id, article in articles
        for each in article.media
    ]
    tags = [{"article_id": article_id, "tag": tag} for article_id, article in articles for tag in article.tags]
    for table, rows in ((tables.media, media), (tables.tags, tags)):
        if rows:
            connection.execute(sa.insert(table), rows)


def _refresh(
    connection: sa.Connection, same: Sequence[Same], known: Mapping[str, Known], ids: Mapping[str, int]
) -> None:
    """Text and fingerprint again, where only our way of reading them out of the HTML has changed."""
    column = tables.articles.c
    for change in same:
        article = change.article
        before = known.get(article.url_hash)
        if before and change.revision == before.revision and article.fingerprint != before.stored_fingerprint:
            connection.execute(
                sa.update(tables.articles)
                .where(column.id == ids[article.url_hash])
                .values(text=article.text, fingerprint=article.fingerprint)
            )


def _sight(
    connection: sa.Connection,
    plan: Sequence[Change],
    ids: Mapping[str, int],
    source_id: int,
    now: datetime,
    *,
    live: bool,
) -> None:
    """Write down that the source carries these articles. What files say of seeing changes nothing already seen."""
    rows = {
        ids[change.article.url_hash]: {
            "article_id": ids[change.article.url_hash],
            "source_id": source_id,
            "guid": change.article.guid,
            "first_seen_at": now,
            "last_seen_at": now,
            "revision": change.revision,
        }
        for change in plan
    }
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(tables.sightings)
    keys = ["article_id", "source_id"]
    if not live:
        connection.execute(insert.on_conflict_do_nothing(index_elements=keys), list(rows.values()))
        return
    again = {name: insert.excluded[name] for name in ("guid", "last_seen_at", "revision")}
    connection.execute(
        insert.on_conflict_do_update(index_elements=keys, set_=again | {"withdrawn_at": None}), list(rows.values())
    )
    for part in _parts(rows):
        connection.execute(sa.update(tables.articles).where(tables.articles.c.id.in_(part)).values(last_seen_at=now))


def _article_row(article: Article, source_id: int, now: datetime) -> dict[str, Any]:
    return {
        "url_hash": article.url_hash,
        "url": article.url,
        "title": article.title,
        "content": article.content,
        "text": article.text,
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
        "fingerprint": article.fingerprint,
    }


def _poll_row(poll: Poll) -> dict[str, Any]:
    return {
        "source_id": poll.source_id,
        "started_at": poll.started_at,
        "duration_ms": round(poll.duration.total_seconds() * 1000),
        "outcome": poll.outcome,
        "http_status": poll.http_status,
        "bytes": poll.body_bytes,
        "entries": poll.entries,
        "new_articles": poll.new_articles,
        "revised_articles": poll.revised_articles,
        "error_kind": poll.error_kind,
        "error": poll.error,
    }
