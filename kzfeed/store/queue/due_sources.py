"""Search for due sources, one of each host, in the order in which hosts became due (table `host_queue`).

Its cost depends on how many sources are wanted and how many hosts are busy or paused, not on how many sources are due.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.queue.source_conditions import Columns

_queue = tables.host_queue.c
_source, _of_host = tables.sources.c, tables.sources.alias().c

HostCondition = Callable[[sa.ColumnElement[str]], sa.ColumnElement[bool]]
SourceCondition = Callable[[Columns], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class SearchConditions:
    """What a due source must meet to be found, and what its host must meet."""

    source: SourceCondition
    host: HostCondition


def due_source_ids(
    connection: sa.Connection,
    now: datetime,
    conditions: SearchConditions,
    free_by_host: Mapping[str, int],
    limit: int,
) -> list[int]:
    """The ids of up to `limit` due sources that meet the conditions.

    They are the longest due one of each host, or as many as `free_by_host` says. The longest due hosts come first.
    """
    source = _of_host

    def longest_due(host: Any, most: int) -> sa.Select[int]:
        is_due = sa.and_(source.enabled, source.host == host, source.next_poll_at <= now, conditions.source(source))
        # Ordered as the index is: by ids too, the engine would read and sort all sources with the same due time.
        return sa.select(source.id).where(is_due).order_by(source.next_poll_at).limit(most)

    first_of_host = longest_due(_queue.host, 1).scalar_subquery().label("id")
    hosts = sa.select(first_of_host).where(_queue.due_at <= now, conditions.host(_queue.host)).order_by(_queue.due_at)
    # Without the offset the engine moves the condition on the id below into this query, and looks each one up twice.
    due = hosts.where(_queue.host.not_in(list(free_by_host))).offset(0).subquery()
    # The first source of a host may have to wait for longer than the others: then the host does not count.
    ids = list(connection.execute(sa.select(due.c.id).where(due.c.id.is_not(None)).limit(limit)).scalars())
    for host, most in free_by_host.items():
        if most > 0:
            ids += connection.execute(longest_due(host, most).where(conditions.host(source.host))).scalars()
    if len(ids) > limit:
        first = sa.select(_source.id).where(_source.id.in_(ids)).order_by(_source.next_poll_at, _source.id)
        ids = list(connection.execute(first.limit(limit)).scalars())
    return ids
