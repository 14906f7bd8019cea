"""The rows of `sources` and `hosts`: what the operator configured, what polls left behind, and who may be visited when.

The database is the schedule: `next_poll_at` says when a source is due, a claim says who visits it, for how long.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kzfeed.model import Source, SourceConfig, Validators
from kzfeed.store import tables
from kzfeed.store.engine import Database

_STATE = [
    "title",
    "site_url",
    "body_hash",
    "next_poll_at",
    "not_before",
    "last_polled_at",
    "last_success_at",
    "last_document_at",
    "failing_since",
    "failure_count",
    "last_error",
]
"""What a poll may change and a row holds just as a Source does."""

_column = tables.sources.c


def configure(database: Database, configs: Iterable[SourceConfig], now: datetime) -> None:
    """Make the sources those that are configured: new ones are due at once, those left out become `removed`.

    Nothing is deleted: a removed source keeps its articles and, should it come back, its history.
    """
    wanted = {config.name: config for config in configs}
    with database.write() as connection:
        present = {row.name: row for row in connection.execute(sa.select(tables.sources))}
        for name, config in wanted.items():
            row = present.get(name)
            if row is None:
                values = _configured(config) | {"status": "active", "failure_count": 0, "next_poll_at": now}
                connection.execute(sa.insert(tables.sources).values(name=name, **values))
                continue
            changed = {key: value for key, value in _configured(config).items() if getattr(row, key) != value}
            if "url" in changed:
                changed |= {"body_hash": None, "next_poll_at": now, "not_before": None}
            if row.status == "removed" or (row.status == "gone" and "url" in changed):
                changed |= {"status": "active", "next_poll_at": row.next_poll_at or now}
            if changed:
                connection.execute(sa.update(tables.sources).where(_column.id == row.id).values(changed))
        left_out = [
            row.id for row in present.values() if row.url and row.status != "removed" and row.name not in wanted
        ]
        if left_out:
            connection.execute(
                sa.update(tables.sources).where(_column.id.in_(left_out)).values(status="removed", enabled=False)
            )


def listed(database: Database, names: Sequence[str] = ()) -> list[Source]:
    """The sources that have an address, in order of their names; only those named, if any are."""
    query = sa.select(tables.sources).where(_column.url.is_not(None)).order_by(_column.name)
    if names:
        query = query.where(_column.name.in_(names))
    with database.read() as connection:
        return [_source(row) for row in connection.execute(query)]


def claim_due(
    database: Database, *, now: datetime, owner: str, lease: timedelta, limit: int, busy_hosts: Sequence[str] = ()
) -> list[Source]:
    """Claim up to `limit` due sources for `owner`, the longest due first; nobody else gets them until `lease` ends.

    Sources on paused hosts and on `busy_hosts` are left for later, and at most one source a host is taken.
    """
    host = tables.hosts.c
    paused = sa.exists().where(host.host == _column.host, host.paused_until > now)
    due = (
        sa.select(tables.sources)
        .where(
            _column.enabled,
            _column.status.in_(["active", "failing"]),
            _column.next_poll_at <= now,
            sa.or_(_column.not_before.is_(None), _column.not_before <= now),
            sa.or_(_column.claimed_until.is_(None), _column.claimed_until <= now),
            _column.host.not_in(list(busy_hosts)),
            ~paused,
        )
        .order_by(_column.next_poll_at)
        .limit(limit * 4)
    )
    with database.read() as connection:
        if connection.execute(due.limit(1)).first() is None:
            return []
    with database.write() as connection:
        one_a_host = {row.host: row for row in reversed(connection.execute(due).all())}
        claimed = sorted(one_a_host.values(), key=lambda row: row.next_poll_at)[:limit]
        if claimed:
            connection.execute(
                sa.update(tables.sources)
                .where(_column.id.in_([row.id for row in claimed]))
                .values(claimed_by=owner, claimed_until=now + lease)
            )
    return [_source(row) for row in claimed]


def release(database: Database, owner: str) -> None:
    """Give back whatever `owner` has claimed: it is due for anyone at once."""
    with database.write() as connection:
        connection.execute(
            sa.update(tables.sources).where(_column.claimed_by == owner).values(claimed_by=None, claimed_until=None)
        )


def paused_hosts(database: Database, now: datetime) -> dict[str, datetime]:
    """The hosts that asked to be left alone, and until when."""
    host = tables.hosts.c
    with database.read() as connection:
        rows = connection.execute(sa.select(host.host, host.paused_until).where(host.paused_until > now))
        return {row.host: row.paused_until for row in rows}


def save_state(connection: sa.Connection, source: Source) -> None:
    """Write what a poll left behind, and end the claim on the source."""
    validators = source.validators
    values: dict[str, Any] = {name: getattr(source, name) for name in _STATE}
    values |= {
        "own_wait_seconds": None if source.own_wait is None else source.own_wait.total_seconds(),
        "skip_hours": _to_list(source.skip_hours),
        "skip_days": _to_list(source.skip_days),
        "validators_url": validators and validators.url,
        "etag": validators and validators.etag,
        "last_modified": validators and validators.last_modified,
        "claimed_by": None,
        "claimed_until": None,
        # It may have left the configuration while it was visited.
        "status": sa.case((_column.status == "removed", "removed"), else_=source.status),
    }
    connection.execute(sa.update(tables.sources).where(_column.id == source.id).values(values))


def pause_host(connection: sa.Connection, source: Source, until: datetime) -> None:
    """Leave the host of this source alone until then, or longer where that is on record."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(tables.hosts)
    paused_until = tables.hosts.c.paused_until
    later = sa.case((insert.excluded.paused_until > paused_until, insert.excluded.paused_until), else_=paused_until)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["host"], set_={"paused_until": later}),
        [{"host": _host(source.url), "paused_until": until}],
    )


def id_of(connection: sa.Connection, name: str) -> int:
    """The id of the source of this name; one that only backfill knows is made here."""
    found = connection.execute(sa.select(_column.id).where(_column.name == name)).scalar()
    if found is None:
        made = sa.insert(tables.sources).values(name=name, enabled=False, status="active", failure_count=0)
        found = connection.execute(made.returning(_column.id)).scalar_one()
    return int(found)


def _configured(config: SourceConfig) -> dict[str, Any]:
    values = {
        "url": config.url,
        "host": _host(config.url),
        "enabled": True,
        "every_seconds": config.every.total_seconds(),
        "cron": config.cron,
        "timezone": config.timezone,
    }
    # Without a title of the operator's, the feed's own is kept.
    return values | ({"title": config.title} if config.title else {})


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _source(row: Any) -> Source:
    validators = None
    if row.validators_url and (row.etag or row.last_modified):
        validators = Validators(row.validators_url, etag=row.etag, last_modified=row.last_modified)
    return Source(
        id=row.id,
        name=row.name,
        url=row.url,
        every=timedelta(seconds=row.every_seconds or 0),
        cron=row.cron,
        timezone=row.timezone,
        enabled=row.enabled,
        status=row.status,
        validators=validators,
        own_wait=None if row.own_wait_seconds is None else timedelta(seconds=row.own_wait_seconds),
        skip_hours=_from_list(row.skip_hours),
        skip_days=_from_list(row.skip_days),
        **{name: getattr(row, name) for name in _STATE},
    )


def _to_list(numbers: frozenset[int]) -> str | None:
    return ",".join(map(str, sorted(numbers))) or None


def _from_list(text: str | None) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if text else frozenset()
