"""What the archive holds of articles that were brought to it, found in few statements: articles in, Known out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import fingerprint
from kzfeed.article.change import Known
from kzfeed.model import Article
from kzfeed.store import tables
from kzfeed.store.statements import for_each_engine, parts, rows
from kzfeed.store.windows import among_last_shown

BODIES = 200
"""How many articles are in memory at a time while their versions are read."""

_article, _revision, _sighting = tables.articles.c, tables.revisions.c, tables.sightings.c


@dataclass(frozen=True, slots=True)
class Brought:
    """What one document, or a run of archive files, says that a source carries; `live` if it does so `now`."""

    source_id: int
    articles: Sequence[Article]
    now: datetime
    live: bool


def hashes_of(article: Article) -> Iterable[str]:
    """Every hash under which the archive may have the article."""
    return filter(None, (article.url_hash, article.link_hash, article.joint_hash))


@dataclass(frozen=True, slots=True)
class Found:
    """What the archive holds of the articles that were asked for, by url_hash."""

    known: Mapping[str, Known]
    ids: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Held:
    """An article as it is stored, and as the source that brought it has shown it, if it ever did."""

    id: int
    url_hash: str
    revision: int
    fingerprint: str
    shown: int | None = None
    guid: str | None = None


_LAST_SHOWN = among_last_shown(
    *(_sighting.source_id, _article.id, _article.url_hash, _article.revision, _article.fingerprint),
    *(_sighting.revision.label("shown"), _sighting.guid),
)
_BY_HASH = for_each_engine(
    lambda among: sa.select(_article.id, _article.url_hash, _article.revision, _article.fingerprint).where(
        among(_article.url_hash, "hashes")
    )
)
_SIGHTINGS = for_each_engine(
    lambda among: sa.select(_sighting.article_id, _sighting.revision, _sighting.guid).where(
        _sighting.source_id == sa.bindparam("source_id"), among(_sighting.article_id, "ids")
    )
)
_NEWEST = for_each_engine(
    lambda among: sa.select(_article.id, _article.revision, _article.title, _article.content).where(
        among(_article.id, "ids")
    )
)
_OLDER = for_each_engine(
    lambda among: sa.select(_revision.article_id, _revision.revision, _revision.title, _revision.content).where(
        among(_revision.article_id, "ids")
    )
)


def find(connection: sa.Connection, brought: Sequence[Brought]) -> Found:
    """What the archive holds of these articles; the versions in full only where the text is another."""
    expected: dict[str, set[str]] = {}
    carriers: dict[str, int] = {}
    for each in brought:
        for article in each.articles:
            for url_hash in hashes_of(article):
                expected.setdefault(url_hash, set()).add(article.fingerprint)
                carriers[url_hash] = each.source_id
    held = _last_shown(connection, [each.source_id for each in brought if each.live], carriers)
    # What a source goes on showing lies together, whatever the size of the archive; a hash lies anywhere in it.
    held += _by_hash(connection, carriers.keys() - {each.url_hash for each in held}, carriers)
    versions = _versions(connection, [each.id for each in held if expected[each.url_hash] != {each.fingerprint}])
    known = {
        each.url_hash: Known(
            url_hash=each.url_hash,
            revision=each.revision,
            versions=versions.get(each.id) or {each.revision: each.fingerprint},
            shown=each.shown,
            guid=each.guid,
            stored_fingerprint=each.fingerprint,
        )
        for each in held
    }
    return Found(known, {each.url_hash: each.id for each in held})


def _last_shown(connection: sa.Connection, source_ids: Iterable[int], carriers: Mapping[str, int]) -> list[_Held]:
    """Those of these hashes that their carriers showed in their last documents."""
    return [
        _Held(*row[1:])
        for part in parts(set(source_ids))
        for row in rows(connection, _LAST_SHOWN, ids=part)
        if carriers.get(row.url_hash) == row.source_id
    ]


def _by_hash(connection: sa.Connection, hashes: Iterable[str], carriers: Mapping[str, int]) -> list[_Held]:
    """Those of these hashes that the archive has, wherever they came from."""
    found = [row for part in parts(hashes) for row in rows(connection, _BY_HASH, hashes=part)]
    carried: dict[int, list[int]] = {}
    for row in found:
        carried.setdefault(carriers[row.url_hash], []).append(row.id)
    sightings: dict[int, Any] = {
        row.article_id: (row.revision, row.guid)
        for source_id, article_ids in carried.items()
        for part in parts(article_ids)
        for row in rows(connection, _SIGHTINGS, source_id=source_id, ids=part)
    }
    return [_Held(*row, *sightings.get(row.id, ())) for row in found]


def _versions(connection: sa.Connection, article_ids: Iterable[int]) -> dict[int, dict[int, str]]:
    """The fingerprints of every version of these articles, made anew from what is stored.

    Anew, because a later kzfeed may read text out of HTML better: that must not look like a change of the text.
    """
    versions: dict[int, dict[int, str]] = {}
    for part in parts(article_ids, size=BODIES):
        for statements in (_NEWEST, _OLDER):
            for article_id, number, title, content in rows(connection, statements, ids=part):
                versions.setdefault(article_id, {})[number] = fingerprint(title, content)
    return versions
