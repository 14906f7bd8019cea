"""The rows of `sources` and `hosts`: what the operator configured, and who may be visited when.

The database is the schedule: `next_poll_at` says when a source is due, a claim says who visits it, for how long.
`source_addresses` keeps every address that a source has had. What polls leave behind is written by `states`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from kzfeed.hosts import host_of
from kzfeed.model import Source, SourceConfig, Validators
from kzfeed.store import tables
from kzfeed.store.engine import Database

STATE = [
    "title",
    "site_url",
    "body_hash",
    "ask_in_full",
    "not_modified_since",
    "moved_to",
    "moved_since",
    "moved_polls",
    "gone_at",
    "next_poll_at",
    "next_poll_reason",
    "not_before",
    "last_polled_at",
    "last_success_at",
    "last_document_at",
    "failing_since",
    "failure_count",
    "last_error",
]
"""What a poll may change and a row holds just as a Source does."""

_READ = [
    *("id", "name", "url", "configured_url", "auto", "cron", "timezone", "enabled", "status", *STATE),
    *("every_seconds", "validators_url", "etag", "last_modified", "skip_hours", "skip_days"),
    *("own_wait_seconds", "auto_seconds", "hurried_seconds"),
]
"""The columns that make a Source."""

_PLANNED = ["next_poll_at", "not_before", "last_polled_at", "claimed_until"]
"""What a clock that went back takes along."""

LONGEST_LEASE = timedelta(hours=1)
"""However the daemons of one database are configured, no claim of theirs lasts longer."""
RESOLUTION = timedelta(milliseconds=1)
"""Instants are stored in milliseconds."""

_NEW: dict[str, Any] = {"status": "active", "failure_count": 0, "moved_polls": 0, "ask_in_full": False}

_column = tables.sources.c
_SOURCES = sa.select(*(_column[name] for name in _READ))
_CONFIGURED = sa.select(
    *(_column[name] for name in ("id", "name", "title", "url", "host", "configured_url", "enabled", "status")),
    *(_column[name] for name in ("next_poll_at", "every_seconds", "auto", "cron", "timezone")),
)
"""What the configuration has to do with."""

Turn = Callable[[str, timedelta, int, datetime], datetime]
"""From a source's name and interval, how many are due together, and now: when it gets its turn."""


def _at_once(name: str, every: timedelta, count: int, now: datetime) -> datetime:
    return now


def configure(database: Database, configs: Iterable[SourceConfig], now: datetime, *, turn: Turn = _at_once) -> None:
    """Make the sources those that are configured: new ones are due at once, those left out become `removed`.

    Nothing is deleted: a removed source keeps its articles and, should it come back, its history. An address that the
    server moved stays moved until the operator writes another one. `turn` may put sources off that are due together.
    """
    wanted = {config.name: config for config in configs}
    with database.write() as connection:
        present = {row.name: row for row in connection.execute(_CONFIGURED).all()}
        _introduce(connection, [config for name, config in wanted.items() if name not in present], now)
        for name in wanted.keys() & present.keys():
            _reconfigure(connection, present[name], wanted[name], now)
        left_out = [
            row.id for row in present.values() if row.url and row.status != "removed" and row.name not in wanted
        ]
        if left_out:
            connection.execute(
                sa.update(tables.sources).where(_column.id.in_(left_out)).values(status="removed", enabled=False)
            )
        if turn is not _at_once:
            _take_turns(connection, turn, now)


def _introduce(connection: sa.Connection, configs: Sequence[SourceConfig], now: datetime) -> None:
    if not configs:
        return
    fresh = _NEW | {"title": None, "next_poll_at": now, "next_poll_reason": "never polled before"}
    own = [{"name": config.name, "url": config.url, "host": host_of(config.url)} for config in configs]
    rows = [fresh | _configured(config) | each for config, each in zip(configs, own, strict=True)]
    connection.execute(sa.insert(tables.sources), rows)
    ids = {row.name: row.id for row in connection.execute(sa.select(_column.name, _column.id))}
    addresses = [
        {"source_id": ids[config.name], "url": config.url, "from_at": now, "reason": "configured"} for config in configs
    ]
    connection.execute(sa.insert(tables.source_addresses), addresses)


def _reconfigure(connection: sa.Connection, row: Any, config: SourceConfig, now: datetime) -> None:
    changed = {key: value for key, value in _configured(config).items() if getattr(row, key) != value}
    if row.url and row.host != host_of(row.url):
        changed["host"] = host_of(row.url)  # Earlier versions wrote a host's name as the operator did.
    if "configured_url" in changed:
        # Another document: neither what vouched for the old one nor what its server asked for holds any more.
        changed |= {"url": config.url, "host": host_of(config.url), "body_hash": None, "not_before": None}
        changed |= {"moved_to": None, "moved_since": None, "moved_polls": 0}
        changed |= {"next_poll_at": now, "next_poll_reason": "a new address"}
        begin_address(connection, row.id, config.url, now, "configured")
    if row.status == "removed" or (row.status == "gone" and "configured_url" in changed):
        changed |= {"status": "active", "gone_at": None, "next_poll_at": row.next_poll_at or now}
    if changed:
        connection.execute(sa.update(tables.sources).where(_column.id == row.id).values(changed))


def begin_address(connection: sa.Connection, source_id: int, url: str, now: datetime, reason: str) -> None:
    """Write down that the source is at this address from now on, and no longer at the one before."""
    address = tables.source_addresses.c
    connection.execute(
        sa.update(tables.source_addresses)
        .where(address.source_id == source_id, address.to_at.is_(None))
        .values(to_at=now)
    )
    values = {"source_id": source_id, "url": url, "from_at": now, "reason": reason}
    connection.execute(sa.insert(tables.source_addresses).values(values))


def _take_turns(connection: sa.Connection, turn: Turn, now: datetime) -> None:
    """Give every source that is due by now, and that nobody has claimed, its own turn."""
    unclaimed = sa.or_(_column.claimed_until.is_(None), _column.claimed_until <= now)
    query = sa.select(_column.id, _column.name, _column.every_seconds).where(_due(now), unclaimed)
    due = connection.execute(query).all()
    turns = [
        {"the_id": row.id, "at": turn(row.name, timedelta(seconds=row.every_seconds), len(due), now)} for row in due
    ]
    put_off = [each for each in turns if each["at"] > now]
    if put_off:
        one = sa.update(tables.sources).where(_column.id == sa.bindparam("the_id"))
        connection.execute(one.values(next_poll_at=sa.bindparam("at")), put_off)


def _due(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a source is to be visited by now, as far as its own row says."""
    return sa.and_(
        _column.enabled,
        _column.status.in_(["active", "failing"]),
        _column.next_poll_at <= now,
        sa.or_(_column.not_before.is_(None), _column.not_before <= now),
    )


def listed(database: Database, names: Sequence[str] = ()) -> list[Source]:
    """The sources that have an address, in order of their names; only those named, if any are."""
    query = _SOURCES.where(_column.url.is_not(None)).order_by(_column.name)
    if names:
        query = query.where(_column.name.in_(names))
    with database.read() as connection:
        return list(map(_source, connection.execute(query).all()))


def hosts_by_name(database: Database, names: Sequence[str] = ()) -> dict[str, str]:
    """The host of every enabled source that has an address, by its name; only of those named, if any are."""
    query = sa.select(_column.name, _column.host).where(_column.url.is_not(None), _column.enabled)
    if names:
        query = query.where(_column.name.in_(names))
    with database.read() as connection:
        return {row.name: row.host or "" for row in connection.execute(query.order_by(_column.name))}


def claim_due(
    database: Database,
    *,
    now: datetime,
    owner: str,
    lease: timedelta,
    limit: int,
    under_way: Collection[int] = (),
    busy_hosts: Collection[str] = (),
    places: Mapping[str, int] = MappingProxyType({}),
) -> list[Source]:
    """Claim up to `limit` due sources for `owner`, the longest due first; nobody else gets them until `lease` ends.

    At most one source a host is taken, or as many as `places` has for it; none on a host that is paused, is one of
    `busy_hosts`, or is visited by another owner. What `owner` holds and does not name as `under_way` (by id) is due for
    it again.
    """
    open_to = _open_to(owner, now, lease, under_way, busy_hosts)
    with database.read() as connection:
        if connection.execute(sa.select(_column.id).where(open_to).limit(1)).first() is None:
            return []
    place = sa.func.row_number().over(partition_by=_column.host, order_by=(_column.next_poll_at, _column.id))
    queues = sa.select(_column.id, _column.host, place.label("place")).where(open_to).subquery()
    most = sa.case(dict(places), value=queues.c.host, else_=1) if places else sa.literal(1)
    due = (
        _SOURCES.join(queues, queues.c.id == _column.id)
        .where(queues.c.place <= most)
        .order_by(_column.next_poll_at, _column.id)
        .limit(limit)
    )
    with database.write() as connection:
        claimed = connection.execute(due).all()
        if claimed:
            connection.execute(
                sa.update(tables.sources)
                .where(_column.id.in_([row.id for row in claimed]))
                .values(claimed_by=owner, claimed_until=now + lease)
            )
    return list(map(_source, claimed))


def _open_to(
    owner: str, now: datetime, lease: timedelta, under_way: Collection[int], busy_hosts: Collection[str]
) -> sa.ColumnElement[bool]:
    """Whether a source is due for this owner: nothing on its host stands against it."""
    host, other = tables.hosts.c, tables.sources.alias().c
    paused = sa.exists().where(host.host == _column.host, host.paused_until > now)
    # A claim that ends far ahead was made before the clock went back.
    held = sa.and_(
        other.claimed_by != owner, other.claimed_until.between(now + RESOLUTION, now + lease + LONGEST_LEASE)
    )
    return sa.and_(
        _due(now),
        # What this very owner has claimed and is not under way is a poll that could not be stored.
        _column.id.not_in(list(under_way)),
        _column.host.not_in(list(busy_hosts)),
        _column.host.not_in(sa.select(other.host).where(held)),
        ~paused,
    )


def take_turns(database: Database, turn: Turn, now: datetime) -> None:
    """Put what is due together off, each source to the turn that it is given."""
    with database.write() as connection:
        _take_turns(connection, turn, now)


def reschedule(database: Database, source: Source, when: datetime) -> None:
    """Put the next visit at `when`, unless the source was visited since it was read."""
    unchanged = sa.and_(_column.id == source.id, _column.last_polled_at == source.last_polled_at)
    values = {"next_poll_at": when, "next_poll_reason": "its new interval"}
    with database.write() as connection:
        connection.execute(sa.update(tables.sources).where(unchanged).values(values))


def follow_clock(database: Database, now: datetime, *, slack: timedelta) -> timedelta:
    """Where the clock went back, move what it had planned back with it; by how much, 0 for less than `slack`.

    A poll later than `now` tells. Left alone, every visit would come late by as much, be it an hour or 50 years.
    """
    with database.write() as connection:
        latest = connection.execute(sa.select(sa.func.max(_column.last_polled_at))).scalar()
        by: timedelta = latest - now if latest else timedelta()
        if by <= slack:
            return timedelta()
        _move_back(connection, _column.id, _PLANNED, by)
        _move_back(connection, tables.hosts.c.host, ["paused_until"], by)
    return by


def _move_back(connection: sa.Connection, key: sa.Column[Any], names: Sequence[str], by: timedelta) -> None:
    table = key.table
    rows = connection.execute(sa.select(key.label("row_key"), *(table.c[name] for name in names))).all()
    moved = [
        {"row_key": row.row_key} | {name: when and when - by for name, when in zip(names, row[1:], strict=True)}
        for row in rows
    ]
    if moved:
        connection.execute(sa.update(table).where(key == sa.bindparam("row_key")), moved)


def release(database: Database, owner: str) -> None:
    """Give back whatever `owner` has claimed: it is due for anyone at once."""
    with database.write() as connection:
        connection.execute(
            sa.update(tables.sources).where(_column.claimed_by == owner).values(claimed_by=None, claimed_until=None)
        )


def renew(database: Database, owner: str, source_ids: Collection[int], until: datetime) -> None:
    """Put off the end of the claims on those of these sources that `owner` still holds."""
    held = sa.and_(_column.claimed_by == owner, _column.id.in_(sa.bindparam("ids", expanding=True)))
    with database.write() as connection:
        connection.execute(
            sa.update(tables.sources).where(held).values(claimed_until=until), {"ids": sorted(source_ids)}
        )


def lately_visited(database: Database, since: datetime) -> dict[str, datetime]:
    """The hosts of which a source was polled after `since`, and when last."""
    latest = sa.func.max(_column.last_polled_at).label("latest")
    query = sa.select(_column.host, latest).where(_column.last_polled_at > since, _column.host.is_not(None))
    with database.read() as connection:
        return {row.host: row.latest for row in connection.execute(query.group_by(_column.host))}


def paused_hosts(database: Database, now: datetime) -> dict[str, datetime]:
    """The hosts that asked to be left alone, and until when."""
    host = tables.hosts.c
    with database.read() as connection:
        rows = connection.execute(sa.select(host.host, host.paused_until).where(host.paused_until > now))
        return {row.host: row.paused_until for row in rows}


def ids_of(connection: sa.Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of the sources of these names; those that only backfill knows are made here."""
    wanted = dict.fromkeys(names)
    query = sa.select(_column.name, _column.id).where(_column.name.in_(sa.bindparam("names", expanding=True)))
    ids = {row.name: int(row.id) for row in connection.execute(query, {"names": list(wanted)})}
    for name in [name for name in wanted if name not in ids]:
        made = sa.insert(tables.sources).values(_NEW | {"name": name, "enabled": False, "auto": False})
        ids[name] = connection.execute(made.returning(_column.id)).scalar_one()
    return ids


def _configured(config: SourceConfig) -> dict[str, Any]:
    values = {
        "configured_url": config.url,
        "enabled": True,
        "every_seconds": config.every.total_seconds(),
        "auto": config.auto,
        "cron": config.cron,
        "timezone": config.timezone,
    }
    # Without a title of the operator's, the feed's own is kept.
    return values | ({"title": config.title} if config.title else {})


def _source(row: Any) -> Source:
    values = dict(zip(_READ, row, strict=True))
    url, etag, last_modified = (values.pop(name) for name in ("validators_url", "etag", "last_modified"))
    every = timedelta(seconds=values.pop("every_seconds") or 0)
    return Source(
        every=every,
        validators=Validators(url, etag=etag, last_modified=last_modified) if url and (etag or last_modified) else None,
        skip_hours=_from_list(values.pop("skip_hours")),
        skip_days=_from_list(values.pop("skip_days")),
        own_wait=_from_seconds(values.pop("own_wait_seconds")),
        auto_interval=_from_seconds(values.pop("auto_seconds")),
        hurried_interval=_from_seconds(values.pop("hurried_seconds")),
        **values,
    )


def _from_list(text: str | None) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if text else frozenset()


def _from_seconds(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
