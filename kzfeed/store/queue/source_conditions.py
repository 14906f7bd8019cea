"""Conditions on sources, hosts and claims in SQL: which are polled at all, and which may be polled now.

`schedule.permission` has the same rules for a single source.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.instants import RESOLUTION
from kzfeed.model.polls import POLLED_STATUSES
from kzfeed.store import tables
from kzfeed.store.queue.leases import MAX_LEASE

Columns = Any
"""The columns of the table `sources`, or of an alias of it."""

_host = tables.hosts.c


def is_polled(source: Columns) -> sa.ColumnElement[bool]:
    """Whether the source is polled, now or later."""
    return sa.and_(source.enabled, source.status.in_(POLLED_STATUSES))


def is_not_asked_to_wait(source: Columns, now: datetime) -> sa.ColumnElement[bool]:
    """Whether the source's server does not ask kzfeed to wait with this source."""
    return sa.or_(source.not_before.is_(None), source.not_before <= now)


def is_not_paused(host: sa.ColumnElement[Any], now: datetime) -> sa.ColumnElement[bool]:
    """Whether the host's server does not ask to be left alone."""
    return host.not_in(sa.select(_host.host).where(_host.paused_until > now))


def is_valid_claim(claimed_until: sa.ColumnElement[Any], now: datetime) -> sa.ColumnElement[bool]:
    """Whether a claim until that time counts now.

    A claim that ends later than any daemon could have set was made before the clock went back: it does not count.
    """
    return claimed_until.between(now + RESOLUTION, now + MAX_LEASE)


def is_due(source: Columns, now: datetime) -> sa.ColumnElement[bool]:
    """Whether the source is polled, may be polled now, and its time has come.

    No index fits the expression for the last: with an index on due times the engine would read all due sources, even
    to check a few that were found before.
    """
    has_come = sa.case((source.enabled, source.next_poll_at)) <= now
    return sa.and_(has_come, source.status.in_(POLLED_STATUSES), is_not_asked_to_wait(source, now))
