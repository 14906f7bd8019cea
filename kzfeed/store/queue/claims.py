"""Claims on due sources: which daemon polls which source.

`sources.next_poll_at` says when a source is due. A claim (table `claims`) says which daemon polls it, at which host,
and for how long nobody else does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import sqlalchemy as sa

from kzfeed.model.polls import Source
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.due_sources import HostCondition, SearchConditions, due_source_ids
from kzfeed.store.queue.leases import NewClaim
from kzfeed.store.queue.source_conditions import is_due, is_not_asked_to_wait, is_not_paused, is_polled, is_valid_claim
from kzfeed.store.source_rows import SELECT_SOURCES, source_from_row

ATTEMPTS = 3
"""How often a claim searches for due sources, if other daemons claim all that it finds."""

_source, _claim = tables.sources.c, tables.claims.c
_LONGEST_DUE_FIRST = (_source.next_poll_at, _source.id)


@dataclass(frozen=True, slots=True)
class Busy:
    """What a daemon is busy with: the ids of the sources that it is polling, and the hosts that it must not visit now.

    A daemon polls one source a host at a time, or as many as `free_by_host` says.
    """

    source_ids: Collection[int] = ()
    hosts: Collection[str] = ()
    free_by_host: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class DueSource:
    """A source that is due: its id, its host, and since when it is due."""

    id: int
    host: str
    due_at: datetime


def claim_due(database: Database, claim: NewClaim, *, limit: int, busy: Busy = Busy()) -> list[Source]:
    """Claim up to `limit` due sources, the longest due first.

    Skips sources on hosts that are paused, busy, or claimed by another owner. A source that the owner has claimed but
    does not list as busy is due again: its poll could not be stored. Daemons claim one after the other, but search at
    the same time.
    """
    host_may_be_visited = _host_is_free(claim.owner, claim.now)
    conditions = _search_conditions(host_may_be_visited, claim.now, busy)
    for _ in range(ATTEMPTS):
        with database.read() as connection:
            found = due_source_ids(connection, claim.now, conditions, busy.free_by_host, limit)
        if not found:
            break
        # Another daemon may have claimed some of them since they were found, or others on their hosts.
        is_still_free = sa.and_(is_due(_source, claim.now), host_may_be_visited(_source.host))
        if claimed := _make_claims(database, claim, found, is_still_free):
            return claimed
    return []


def unclaimed_due_sources(database: Database, *, now: datetime, limit: int, busy: Busy) -> list[DueSource]:
    """Up to `limit` due sources that nobody has claimed, as `claim_due` would choose them. Claims nothing."""
    host_may_be_visited = _host_is_free(None, now)
    with database.read() as connection:
        found = due_source_ids(
            connection, now, _search_conditions(host_may_be_visited, now, busy), busy.free_by_host, limit
        )
        columns = sa.select(_source.id, _source.host, _source.next_poll_at)
        rows = connection.execute(columns.where(_source.id.in_(found)).order_by(*_LONGEST_DUE_FIRST))
        return [DueSource(*row) for row in rows]


def claim_sources(database: Database, claim: NewClaim, wanted: Collection[DueSource]) -> list[Source]:
    """Claim those of these sources whose due time is still the given one.

    Skips sources on hosts that are paused or claimed by another owner. A source that was polled meanwhile has another
    due time.
    """
    is_still_free = sa.and_(
        sa.tuple_(_source.id, _source.next_poll_at).in_([(each.id, each.due_at) for each in wanted]),
        is_polled(_source),
        is_not_asked_to_wait(_source, claim.now),
        _host_is_free(claim.owner, claim.now)(_source.host),
    )
    return _make_claims(database, claim, [each.id for each in wanted], is_still_free)


def _make_claims(
    database: Database, claim: NewClaim, ids: Collection[int], is_still_free: sa.ColumnElement[bool]
) -> list[Source]:
    """Claim those of these sources that are still free, in place of claims that have expired or are the owner's own."""
    delete = sa.delete(tables.claims).where(_claim.source_id.in_(ids), ~_is_of_another(claim.owner, claim.now))
    values = (_source.id, _source.host, sa.literal(claim.owner), sa.literal(claim.until, _claim.claimed_until.type))
    chosen = sa.select(*values).where(_source.id.in_(ids), is_still_free)
    insert = sa.insert(tables.claims).from_select(list(_claim.keys()), chosen).returning(_claim.source_id)

    def work(connection: sa.Connection) -> Sequence[int]:
        connection.execute(delete)
        return connection.execute(insert).scalars().all()

    claimed = database.write_concurrently({"claims"}, work)
    if not claimed:
        return []
    with database.read() as connection:
        rows = connection.execute(SELECT_SOURCES.where(_source.id.in_(claimed)).order_by(*_LONGEST_DUE_FIRST)).all()
    return list(map(source_from_row, rows))


def _search_conditions(host_may_be_visited: HostCondition, now: datetime, busy: Busy) -> SearchConditions:
    """The conditions of a search for due sources."""
    return SearchConditions(
        source=lambda source: sa.and_(is_due(source, now), source.id.not_in(list(busy.source_ids))),
        host=lambda host: sa.and_(host_may_be_visited(host), host.not_in(list(busy.hosts))),
    )


def _is_of_another(owner: str | None, now: datetime) -> sa.ColumnElement[bool]:
    """Whether a claim is valid and not that of `owner`."""
    is_valid = is_valid_claim(_claim.claimed_until, now)
    return is_valid if owner is None else sa.and_(_claim.claimed_by != owner, is_valid)


def _host_is_free(owner: str | None, now: datetime) -> HostCondition:
    """Whether a host is not paused, and nobody but `owner` has a claim on it."""
    return lambda name: sa.and_(
        name.not_in(sa.select(_claim.host).where(_is_of_another(owner, now))),
        is_not_paused(name, now),
    )


def renew(database: Database, owner: str, source_ids: Collection[int], until: datetime) -> set[int]:
    """Renew the claims that `owner` still holds on these sources, and return the ids of the sources."""
    is_held = sa.and_(_claim.claimed_by == owner, _claim.source_id.in_(sorted(source_ids)))
    renewal = sa.update(tables.claims).where(is_held).values(claimed_until=until).returning(_claim.source_id)
    return database.write_concurrently((), lambda connection: set(connection.execute(renewal).scalars()))


def release(database: Database, owner: str) -> None:
    """End all claims of `owner`, so that any daemon may poll these sources at once."""
    with database.write() as connection:
        connection.execute(sa.delete(tables.claims).where(_claim.claimed_by == owner))


def end_claims(connection: sa.Connection, source_ids: Collection[int]) -> None:
    """End the claims on these sources, whoever has them."""
    connection.execute(sa.delete(tables.claims).where(_claim.source_id.in_(source_ids)))
