"""What polls leave behind: states of sources in, many at a time, rows of `sources`, `source_addresses` and `hosts` out.

A row that another poll or the operator has changed meanwhile is recognised by the state it is in, and respected.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model import Source
from kzfeed.store import tables
from kzfeed.store.bulk import ForMany, Row
from kzfeed.store.sources import STATE, begin_address
from kzfeed.store.statements import for_each_engine, rows

_column = tables.sources.c


@dataclass(frozen=True, slots=True)
class Present:
    """Where a source stands, as a transaction finds it."""

    url: str
    configured_url: str | None
    last_document_at: datetime | None


_PRESENT = for_each_engine(
    lambda among: sa.select(_column.id, _column.url, _column.configured_url, _column.last_document_at).where(
        among(_column.id, "ids")
    )
)


def present(connection: sa.Connection, sources: Iterable[Source]) -> dict[int, Present]:
    """Where these sources stand, by id. Raises DatabaseError where one is not there."""
    names = {source.id: source.name for source in sources}
    found = {source_id: Present(*stand) for source_id, *stand in rows(connection, _PRESENT, ids=sorted(names))}
    for missing in names.keys() - found.keys():
        raise DatabaseError(f"the source {names[missing]!r} is no longer in the database: its poll cannot be stored")
    return found


_removed: sa.ColumnElement[str] = sa.literal_column("'removed'")
_SAVE = ForMany(
    sa.update(tables.sources)
    .where(_column.id == sa.bindparam("the_id"))
    # It may have left the configuration while it was visited.
    .values(status=sa.case((_column.status == _removed, _removed), else_=sa.bindparam("the_status"))),
    [
        *("the_id", "the_status", *STATE),
        *("auto_seconds", "hurried_seconds", "own_wait_seconds", "skip_hours", "skip_days"),
        *("validators_url", "etag", "last_modified"),
        *("claimed_by", "claimed_until"),
    ],
)
_state_of = attrgetter(*STATE)
_BY_ID = sa.update(tables.sources).where(_column.id == sa.bindparam("the_id"))
_NO_CLAIM: dict[str, Any] = {"claimed_by": None, "claimed_until": None}


def save(connection: sa.Connection, sources: Sequence[Source], before: Mapping[int, Present]) -> None:
    """Write what polls left behind, addresses too where servers have moved them, and end the claims on the sources."""
    # Where the operator wrote another address while the old one was visited, nothing of that visit counts for it.
    valid = [source for source in sources if before[source.id].configured_url == source.configured_url]
    void = [source for source in sources if before[source.id].configured_url != source.configured_url]
    _SAVE.execute(connection, map(_row, valid))
    for source in valid:
        if source.url != before[source.id].url:
            _move(connection, source)
    if void:
        connection.execute(_BY_ID, [{"the_id": source.id} | _NO_CLAIM for source in void])


def _move(connection: sa.Connection, source: Source) -> None:
    if source.last_polled_at:
        begin_address(connection, source.id, source.url, source.last_polled_at, "moved permanently by its server")
    connection.execute(_BY_ID, {"the_id": source.id, "url": source.url, "host": host_of(source.url)})


def leave(connection: sa.Connection, in_doubt: Mapping[int, bool]) -> None:
    """End the claims on these sources, by id, and change nothing else; where it is in doubt what the archive holds of a
    source's document, ask for the whole of it again.
    """
    doubtful = [{"the_id": each, "ask_in_full": True, "body_hash": None} for each, doubt in in_doubt.items() if doubt]
    if doubtful:
        connection.execute(_BY_ID, doubtful)
    if in_doubt:
        connection.execute(_BY_ID, [{"the_id": each} | _NO_CLAIM for each in in_doubt])


# As text, which both engines read alike: SQLAlchemy has it only in the words of one, whose import takes its time.
_PAUSE = sa.text(
    "INSERT INTO hosts (host, paused_until) VALUES (:host, :until) ON CONFLICT (host) DO UPDATE SET paused_until ="
    " CASE WHEN excluded.paused_until > hosts.paused_until THEN excluded.paused_until ELSE hosts.paused_until END"
).bindparams(sa.bindparam("until", type_=tables.hosts.c.paused_until.type))


def pause_hosts(connection: sa.Connection, pauses: Collection[tuple[str, datetime]]) -> None:
    """Leave these hosts alone until then, or longer where that is on record."""
    if pauses:
        connection.execute(_PAUSE, [{"host": host, "until": until} for host, until in pauses])


def _row(source: Source) -> Row:
    lengths = map(_to_seconds, (source.auto_interval, source.hurried_interval, source.own_wait))
    skips = map(_to_list, (source.skip_hours, source.skip_days))
    given = source.validators
    validators = (given.url, given.etag, given.last_modified) if given else (None, None, None)
    return source.id, source.status, *_state_of(source), *lengths, *skips, *validators, None, None


def _to_list(numbers: frozenset[int]) -> str | None:
    return ",".join(map(str, sorted(numbers))) or None


def _to_seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
