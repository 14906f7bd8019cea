"""Articles and what belongs to them, many at a time: what documents and files brought in, rows of six tables out.

Nothing is decided here: what is new and what changed comes from `article.change`, within the transaction that writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from kzfeed.article import change as changes
from kzfeed.article.build import fingerprint
from kzfeed.article.change import Change, Known, New, Revised, Same
from kzfeed.article.html import content as html
from kzfeed.model import Media, Tally
from kzfeed.store import tables
from kzfeed.store.bulk import ForMany, Row
from kzfeed.store.lookup import BODIES, Brought, find
from kzfeed.store.statements import for_each_engine, parts, rows

_article, _sighting = tables.articles.c, tables.sightings.c
_media, _tag = tables.media.c, tables.tags.c


def bring(connection: sa.Connection, brought: Sequence[Brought]) -> list[Tally]:
    """Write down what is new, seen again or revised; a tally for each.

    No two of them may share an article: what one of them brings must not change what another one means.
    """
    if not brought:
        return []
    found = find(connection, brought)
    plans = [_plan(each, found.known) for each in brought]
    new = [change.article for plan in plans for change in plan if isinstance(change, New)]
    ids = found.ids | dict(zip((article.url_hash for article in new), _new_ids(connection, len(new)), strict=True))
    steps = [
        _Step(change, ids[change.article.url_hash], found.known.get(change.article.url_hash), each)
        for each, plan in zip(brought, plans, strict=True)
        for change in plan
    ]
    _NEW_ARTICLES.execute(connection, (_article_row(step) for step in steps if isinstance(step.change, New)))
    _read_better(connection, [step for step in steps if step.known])
    _revise(connection, [step for step in steps if isinstance(step.change, Revised)])
    _add_media_and_tags(connection, steps)
    _see_again(connection, [step for step in steps if isinstance(step.change, Same) and step.known])
    _sight(connection, steps)
    return list(map(_tally, plans))


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of one article that was brought: the article's id, and what was known of it before the transaction."""

    change: Change
    id: int
    known: Known | None
    brought: Brought


def _plan(brought: Brought, known: Mapping[str, Known]) -> list[Change]:
    named = ((article, changes.identify(article, known)) for article in brought.articles)
    articles = [article if article.url_hash == name else replace(article, url_hash=name) for article, name in named]
    return changes.compare(articles, known, live=brought.live)


def _tally(plan: Iterable[Change]) -> Tally:
    kinds = [type(change) for change in plan]
    return Tally(new=kinds.count(New), revised=kinds.count(Revised), unchanged=kinds.count(Same))


def _new_ids(connection: sa.Connection, count: int) -> Iterable[int]:
    """The ids that so many new articles are to have, as the engine itself would give them out.

    Asked for beforehand, so that what belongs to an article need not wait for it to be inserted.
    """
    if not count:
        return ()
    if connection.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence("articles", "id")
        numbers = sa.func.generate_series(1, count).table_valued("number")
        return connection.execute(sa.select(sa.func.nextval(sequence)).select_from(numbers)).scalars().all()
    highest = connection.execute(sa.select(sa.func.max(_article.id))).scalar() or 0
    return range(highest + 1, highest + count + 1)


_NEW_ARTICLES = ForMany(
    sa.insert(tables.articles),
    [
        *("id", "url_hash", "url", "title", "content", "text", "published_at", "published_raw", "author", "language"),
        *("first_seen_at", "last_seen_at", "source_id"),
        *("revision", "revision_seen_at", "revision_source_id", "fingerprint"),
    ],
)


def _article_row(step: _Step) -> Row:
    article, source_id, now = step.change.article, step.brought.source_id, step.brought.now
    return (
        *(step.id, article.url_hash, article.url, article.title, article.content, article.text),
        *(article.published_at, article.published_raw, article.author, article.language),
        *(now, now, source_id),
        *(1, now, source_id, article.fingerprint),
    )


_KEEP_VERSION = sa.insert(tables.revisions).from_select(
    ["article_id", "revision", "title", "content", "text", "seen_at", "source_id"],
    sa.select(
        _article.id,
        _article.revision,
        _article.title,
        _article.content,
        _article.text,
        _article.revision_seen_at,
        _article.revision_source_id,
    ).where(_article.id == sa.bindparam("the_id")),
)


def _given(column: sa.Column[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(f"the_{column.name}", type_=column.type)


_TAKE_VERSION = (
    sa.update(tables.articles)
    .where(_article.id == sa.bindparam("the_id"))
    .values(
        # A date once known stays: mirrors date an edited article anew.
        published_at=sa.func.coalesce(_article.published_at, _given(_article.published_at)),
        published_raw=sa.func.coalesce(_article.published_raw, _given(_article.published_raw)),
        author=sa.func.coalesce(_given(_article.author), _article.author),
        language=sa.func.coalesce(_given(_article.language), _article.language),
    )
)


def _revise(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """The version that was the newest becomes a row of `revisions`, the new one takes its place."""
    for wave in _waves(steps):
        connection.execute(_KEEP_VERSION, [{"the_id": step.id} for step in wave])
        connection.execute(_TAKE_VERSION, list(map(_version_row, wave)))


def _waves(steps: Iterable[_Step]) -> list[list[_Step]]:
    """The steps in their order, in lists that hold no article twice: one document may have several wordings of it."""
    waves: list[list[_Step]] = []
    taken: dict[int, int] = {}
    for step in steps:
        wave = taken[step.id] = taken.get(step.id, -1) + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(step)
    return waves


def _version_row(step: _Step) -> dict[str, Any]:
    article, now = step.change.article, step.brought.now
    return {
        "the_id": step.id,
        "title": article.title,
        "content": article.content,
        "text": article.text,
        "fingerprint": article.fingerprint,
        "revision": step.change.revision,
        "revision_seen_at": now,
        "revision_source_id": step.brought.source_id,
        "last_seen_at": now,
        "the_published_at": article.published_at,
        "the_published_raw": article.published_raw,
        "the_author": article.author,
        "the_language": article.language,
    }


_NEW_MEDIA = ForMany(sa.insert(tables.media), ["article_id", "kind", "url", "proxy_url", "mime_type", "size_bytes"])
_NEW_TAGS = ForMany(sa.insert(tables.tags), ["article_id", "tag"])


def _add_media_and_tags(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """All that new articles have, and what newer versions have beside it."""
    held = _held(connection, [step.id for step in steps if step.known and isinstance(step.change, Revised)])
    media: list[Row] = []
    tags: list[Row] = []
    for step in steps:
        if isinstance(step.change, Same):
            continue
        article, is_new = step.change.article, isinstance(step.change, New)
        had = held.setdefault(step.id, set())
        media += [_media_row(step.id, each) for each in article.media if is_new or (each.kind, each.url) not in had]
        tags += [(step.id, tag) for tag in article.tags if is_new or ("", tag) not in had]
        had |= {(each.kind, each.url) for each in article.media} | {("", tag) for tag in article.tags}
    _NEW_MEDIA.execute(connection, media)
    _NEW_TAGS.execute(connection, tags)


def _media_row(article_id: int, media: Media) -> Row:
    return article_id, media.kind, media.url, media.proxy_url, media.mime_type, media.size_bytes


_MEDIA = for_each_engine(
    lambda among: sa.select(_media.article_id, _media.kind, _media.url).where(among(_media.article_id, "ids"))
)
_TAGS = for_each_engine(
    lambda among: sa.select(_tag.article_id, sa.literal("").label("kind"), _tag.tag).where(
        among(_tag.article_id, "ids")
    )
)


def _held(connection: sa.Connection, article_ids: Iterable[int]) -> dict[int, set[tuple[str, str]]]:
    """The media of these articles, by kind and URL, and their tags, which are of no kind."""
    held: dict[int, set[tuple[str, str]]] = {}
    for part in parts(set(article_ids)):
        for statements in (_MEDIA, _TAGS):
            for article_id, kind, value in rows(connection, statements, ids=part):
                held.setdefault(article_id, set()).add((kind, value))
    return held


_BY_ID = sa.update(tables.articles).where(_article.id == sa.bindparam("the_id"))


_STORED = for_each_engine(
    lambda among: sa.select(_article.id, _article.title, _article.content).where(among(_article.id, "ids"))
)


def _read_better(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """Text and fingerprint again, where only our way of reading them out of the HTML has changed.

    Out of what is stored, and not of what was brought: that may be dressed otherwise.
    """
    better = [
        step.id
        for step in steps
        if isinstance(step.change, Same)
        and step.known
        and step.change.revision == step.known.revision
        and step.change.article.fingerprint != step.known.stored_fingerprint
    ]
    for part in parts(set(better), size=BODIES):
        read = [
            {"the_id": each, "text": html.plain_text(content), "fingerprint": fingerprint(title, content)}
            for each, title, content in rows(connection, _STORED, ids=part)
        ]
        connection.execute(_BY_ID, read)


_SEEN_AGAIN = ForMany(_BY_ID, ["the_id", "last_seen_at"])


def _see_again(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    _SEEN_AGAIN.execute(connection, {step.id: step.brought.now for step in steps if step.brought.live}.items())


_SIGHTED = ForMany(
    sa.insert(tables.sightings), ["article_id", "source_id", "guid", "first_seen_at", "last_seen_at", "revision"]
)
_SIGHTED_AGAIN = ForMany(
    sa.update(tables.sightings).where(
        _sighting.article_id == sa.bindparam("the_article_id"), _sighting.source_id == sa.bindparam("the_source_id")
    ),
    ["the_article_id", "the_source_id", "guid", "last_seen_at", "revision", "withdrawn_at"],
)


def _sight(connection: sa.Connection, steps: Sequence[_Step]) -> None:
    """Write down that the sources carry these articles. What files say of seeing changes nothing already seen."""
    last = {step.id: step for step in steps}.values()
    first = [step for step in last if step.known is None or step.known.shown is None]
    again = [step for step in last if step.known and step.known.shown is not None and step.brought.live]
    _SIGHTED.execute(connection, map(_sighting_row, first))
    _SIGHTED_AGAIN.execute(connection, map(_again_row, again))


def _sighting_row(step: _Step) -> Row:
    source_id, now = step.brought.source_id, step.brought.now
    return step.id, source_id, step.change.article.guid, now, now, step.change.revision


def _again_row(step: _Step) -> Row:
    return step.id, step.brought.source_id, step.change.article.guid, step.brought.now, step.change.revision, None
