"""Merge of exported articles with those that the database holds in other versions.

Versions are put in the order in which they were seen. Nothing of either side is lost, and no row is deleted.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter

import sqlalchemy as sa

from kzfeed.article.build import fingerprint
from kzfeed.store import tables
from kzfeed.store.transfer.records import BELONGING, ArticleRecord, Values, key_of_row, record_columns, row_of

_KEYS = {"media": ("kind", "url")}
"""The columns that tell rows of one article apart, where these are neither the primary key nor all columns."""


def merged(held: ArticleRecord, given: ArticleRecord) -> ArticleRecord:
    """The article with the versions of both records, the one that was seen last as its newest.

    A version of `given` is the same as one of `held` if its visible text and title are the same.
    """
    held_versions, given_versions = _versions_of(held), _versions_of(given)
    by_fingerprint = {_fingerprint_of(version): version for version in held_versions}
    added = []
    for version in given_versions:
        if _fingerprint_of(version) not in by_fingerprint:
            by_fingerprint[_fingerprint_of(version)] = version
            added.append(version)
    in_order = sorted([*held_versions, *added], key=itemgetter("seen_at"))
    places = {id(version): number for number, version in enumerate(in_order, 1)}
    numbered = tuple(version | {"revision": places[id(version)]} for version in in_order)
    new_numbers = [
        {version["revision"]: places[id(version)] for version in held_versions},
        {version["revision"]: places[id(by_fingerprint[_fingerprint_of(version)])] for version in given_versions},
    ]
    return ArticleRecord(
        _article(held.article, given.article, numbered[-1]),
        numbered[:-1],
        {
            name: _sightings((held, given), new_numbers) if name == "sightings" else _rows(name, held, given)
            for name in BELONGING
        },
    )


def _versions_of(record: ArticleRecord) -> list[Values]:
    """All versions with the columns of `revisions`, the newest last."""
    newest = record.article
    as_older = newest | {"seen_at": newest["revision_seen_at"], "source": newest["revision_source"]}
    return [*record.versions, {name: as_older[name] for name in record_columns(tables.revisions)}]


def _fingerprint_of(version: Values) -> str:
    return fingerprint(version["title"], version["content"])


def _article(held: Values, given: Values, newest: Values) -> Values:
    first = min(held, given, key=itemgetter("first_seen_at"))
    return held | {
        **{
            name: newest[name]
            for name in ("title", "content", "text", "content_from", "published_at", "published_raw", "front_matter")
        },
        "revision": newest["revision"],
        **{name: held[name] if given[name] is None else given[name] for name in ("author", "language")},
        **{name: first[name] for name in ("first_seen_at", "source")},
        "last_seen_at": max(held["last_seen_at"], given["last_seen_at"]),
        "revision_seen_at": newest["seen_at"],
        "revision_source": newest["source"],
        "fingerprint": _fingerprint_of(newest),
    }


def _sightings(records: Sequence[ArticleRecord], new_numbers: Sequence[Mapping[int, int]]) -> tuple[Values, ...]:
    """One sighting for each source: of two, the one with the later `last_seen_at`."""
    found: dict[str, Values] = {}
    for record, numbers in zip(records, new_numbers, strict=True):
        for row in record.belonging["sightings"]:
            sighting = row | {"revision": numbers[row["revision"]]}
            other = found.get(row["source"], sighting)
            later = max(other, sighting, key=itemgetter("last_seen_at"))
            first = min(other["first_seen_at"], sighting["first_seen_at"])
            found[row["source"]] = later | {"first_seen_at": first}
    return tuple(found.values())


def _rows(name: str, held: ArticleRecord, given: ArticleRecord) -> tuple[Values, ...]:
    """The rows of `held`, and those of `given` that it lacks."""
    table = BELONGING[name]
    key = itemgetter(*(_KEYS.get(name) or key_of_row(table) or record_columns(table)))
    found = {key(row): row for row in reversed((*held.belonging[name], *given.belonging[name]))}
    added = [row for row in given.belonging[name] if found[key(row)] is row]
    return (*held.belonging[name], *added)


def write_merged(
    connection: sa.Connection,
    article_id: int,
    before: ArticleRecord,
    after: ArticleRecord,
    source_ids: Mapping[str, int],
) -> None:
    """Write what a merge changed in the article that the database holds: rows are updated or added."""
    row = row_of(tables.articles, after.article, source_ids)
    connection.execute(sa.update(tables.articles).where(tables.articles.c.id == article_id).values(row))
    connection.execute(sa.insert(tables.article_changes), [{"article_id": article_id}])
    parts = {"revisions": (before.versions, after.versions)}
    parts |= {name: (before.belonging[name], after.belonging[name]) for name in BELONGING}
    for name, (held, wanted) in parts.items():
        table = tables.metadata.tables[name]
        keys = [record_columns(table)[each] for each in key_of_row(table)]
        held_keys = [tuple(row_of(table, each, source_ids)[key.name] for key in keys) for each in held]
        new: list[Values] = []
        for place, values in enumerate(wanted):
            row = row_of(table, values, source_ids)
            key = tuple(row[each.name] for each in keys)
            # Rows without a key of their own are never changed, and the held ones come first.
            if (key not in held_keys) if keys else (place >= len(held)):
                new.append(row | {"article_id": article_id})
            elif values not in held:
                same_key = [column == value for column, value in zip(keys, key, strict=True)]
                connection.execute(sa.update(table).where(table.c.article_id == article_id, *same_key).values(row))
        if new:
            connection.execute(sa.insert(table), new)
