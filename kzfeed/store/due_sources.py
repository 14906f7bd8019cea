"""Search for due sources that looks at a bounded number of rows, however many sources are due."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables

HEAD = 1000
"""How many of the longest due sources a search looks at; those whose polls are under way are among them."""
FIRST_HOSTS = 100
"""How many hosts a search visits in the order of their names, from the first one, if the head is not enough."""
CHANCE_STARTS = 4
CHANCE_HOSTS = 24
"""From how many sources, chosen by chance, it visits so many hosts that follow in the same order."""

_source = tables.sources.c

Columns = Any
"""The columns of the table `sources`, or of a subquery that has them too."""
Condition = Callable[[Columns], sa.ColumnElement[bool]]


def due_source_ids(
    connection: sa.Connection, now: datetime, condition: Condition, slots: Mapping[str, int], limit: int
) -> list[int]:
    """The ids of up to `limit` due sources that meet the condition, the longest due first.

    They are one of each host, or as many as `slots` says.
    """
    ids = list(connection.execute(_first_due(now, condition, slots).limit(limit)).scalars())
    if len(ids) < limit and connection.execute(_queue(now, _source.id).offset(HEAD).limit(1)).first():
        ids += _due_on_any_hosts(connection, now, condition, ids)[: limit - len(ids)]
    return ids


def _queue(now: datetime, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return sa.select(*columns).where(_source.enabled, _source.next_poll_at <= now).order_by(_source.next_poll_at)


def _first_due(now: datetime, condition: Condition, slots: Mapping[str, int]) -> sa.Select[Any]:
    columns = (_source.id, _source.host, _source.next_poll_at, _source.enabled, _source.status, _source.not_before)
    head = _queue(now, *columns).limit(HEAD).subquery().c
    rank = sa.func.row_number().over(partition_by=head.host, order_by=(head.next_poll_at, head.id))
    ranked = sa.select(head.id, head.host, head.next_poll_at, rank.label("rank")).where(condition(head)).subquery().c
    most = sa.case(dict(slots), value=ranked.host, else_=1) if slots else sa.literal(1)
    return sa.select(ranked.id).where(ranked.rank <= most).order_by(ranked.next_poll_at, ranked.id)


def _due_on_any_hosts(connection: sa.Connection, now: datetime, condition: Condition, found: list[int]) -> list[int]:
    """The longest due source of each of about two hundred hosts, without the hosts of those that are found already.

    The head of the queue may consist of a few hosts that have very many sources. Hosts by name, and from places chosen
    by chance, give every host its turn.
    """
    newest = connection.execute(sa.select(sa.func.max(_source.id))).scalar() or 1
    hosts = _hosts([random.randint(1, newest) for _ in range(CHANCE_STARTS)])  # noqa: S311 - no secret
    of_host = tables.sources.alias().c
    longest_due = (
        sa.select(of_host.id)
        .where(of_host.enabled, of_host.host == hosts.c.host, of_host.next_poll_at <= now)
        .order_by(of_host.next_poll_at)
        .limit(1)
        .scalar_subquery()
    )
    ids = [each for each in connection.execute(sa.select(longest_due).select_from(hosts)).scalars() if each]
    rows = connection.execute(
        sa.select(_source.id, _source.host).where(_source.id.in_([*ids, *found])).order_by(_source.next_poll_at)
    ).all()
    hosts_found = {row.host for row in rows if row.id in found}
    others = [row.id for row in rows if row.host not in hosts_found]
    return list(connection.execute(sa.select(_source.id).where(_source.id.in_(others), condition(_source))).scalars())


def _hosts(chosen: list[int]) -> sa.CTE:
    """Hosts in the order of their names: the first ones of all, and those that follow the hosts of these sources."""
    first = sa.select(sa.literal("").label("host"), sa.literal(FIRST_HOSTS).label("left"))
    by_chance = sa.select(_source.host, sa.literal(CHANCE_HOSTS)).where(
        _source.id.in_(chosen), _source.host.is_not(None)
    )
    starts = first.union_all(by_chance).subquery()
    walk = sa.select(starts.c.host, starts.c.left).cte("hosts_in_order", recursive=True)
    other = tables.sources.alias().c
    following = (
        sa.select(other.host)
        .where(other.enabled, other.host > walk.c.host)
        .order_by(other.host)
        .limit(1)
        .scalar_subquery()
    )
    return walk.union_all(sa.select(following, walk.c.left - 1).where(walk.c.left > 0, walk.c.host.is_not(None)))
