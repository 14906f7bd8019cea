"""Sources as the operator configured them: rows of `sources`, with every address they have had in `source_addresses`.

`claims` says which daemon polls which source, `source_state` writes what polls change.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.hosts import host_of
from kzfeed.model.polls import Source, SourceConfig
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.page_queue import fetch_refused_again
from kzfeed.store.queue.schedule_corrections import Spread, spread_due_in
from kzfeed.store.source_rows import (
    OF_READING,
    SELECT_SOURCES,
    SELECT_WITHOUT_ADDRESSES,
    filters_text,
    reading_values,
    source_from_row,
    state_values,
)
from kzfeed.store.value_batches import in_batches
from kzfeed.text import without_userinfo

_source = tables.sources.c
_NEW_SOURCE: dict[str, Any] = {"status": "active", "failure_count": 0, "moved_polls": 0, "ask_in_full": False}
_STATE_AFRESH: dict[str, Any] = {
    name: value
    for name, value in state_values(Source(0, "", "")).items()
    if name not in {"title", "next_poll_at", "next_poll_reason", "last_polled_at"}
} | {"status": "active"}
"""The state of a source whose address the operator changed: its window, validators, failures and what the server asked
for belong to another document. When it was polled last remains, for the pauses between polls.
"""
_CONFIGURATION = sa.select(
    *(_source[name] for name in ("id", "name", "title", "url", "host", "configured_url", "enabled", "status")),
    *(_source[name] for name in ("next_poll_at", "every_seconds", "auto", "cron", "full_text", *OF_READING)),
)


def configure(
    database: Database, configs: Iterable[SourceConfig], now: datetime, *, spread: Spread | None = None
) -> None:
    """Make the sources those that are configured: a new one is due at once, one that is left out becomes `removed`.

    Nothing is deleted: a removed source keeps its articles and, if it is configured again, its history. An address that
    the server moved stays moved until the operator configures another one. `spread` may delay sources that are due
    together.
    """
    wanted = {config.name: config for config in configs}
    with database.write() as connection:
        _remove_passwords(connection)
        stored = connection.execute(_CONFIGURATION).all()
        _add_or_change(connection, wanted, stored, now)
        left_out = [row.id for row in stored if row.url and row.status != "removed" and row.name not in wanted]
        if left_out:
            _remove(connection, _source.id.in_(left_out))
        if spread:
            spread_due_in(connection, spread, now)


def add(database: Database, configs: Iterable[SourceConfig], now: datetime) -> None:
    """Add or change these sources as `configure` does, and leave all others unchanged."""
    wanted = {config.name: config for config in configs}
    with database.write() as connection:
        _require_right_to_write(connection)
        _remove_passwords(connection)
        _add_or_change(connection, wanted, _configurations(connection, wanted), now)


def remove(database: Database, names: Collection[str]) -> None:
    """Make these sources `removed`, as `configure` does with those that are left out."""
    with database.write() as connection:
        for batch in in_batches(names):
            _remove(connection, _source.name.in_(batch))


def add_first(database: Database, configs: Iterable[SourceConfig], now: datetime) -> None:
    """Add these sources to a database that has no source at all; leave any other database unchanged."""
    with database.write() as connection:
        _require_right_to_write(connection)
        if connection.execute(sa.select(_source.id).limit(1)).first() is None:
            _add(connection, list(configs), now)


def _require_right_to_write(connection: sa.Connection) -> None:
    """Change no row: the engine refuses that too. Where all sources are known, a poll would notice after its visits."""
    connection.execute(sa.update(tables.sources).where(sa.false()).values(name=_source.name))


def _configurations(connection: sa.Connection, names: Iterable[str]) -> list[Any]:
    """The rows of the sources of these names."""
    return [
        row for batch in in_batches(names) for row in connection.execute(_CONFIGURATION.where(_source.name.in_(batch)))
    ]


def _remove(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.update(tables.sources).where(which).values(status="removed", enabled=False))


def _add_or_change(
    connection: sa.Connection, wanted: Mapping[str, SourceConfig], rows: Iterable[Any], now: datetime
) -> None:
    """Add and change sources; `rows` has those of them that are stored."""
    stored = {row.name: row for row in rows}
    _add(connection, [config for name, config in wanted.items() if name not in stored], now)
    for name in wanted.keys() & stored.keys():
        _reconfigure(connection, stored[name], wanted[name], now)


def _remove_passwords(connection: sa.Connection) -> None:
    """Remove user names and passwords from URLs: earlier versions stored them."""
    columns = {
        tables.sources: ("url", "configured_url", "moved_to", "validators_url", "site_url"),
        tables.source_addresses: ("url",),
    }
    for table, names in columns.items():
        query = sa.select(table.c.id, *(table.c[name] for name in names))
        for row in connection.execute(query.where(sa.or_(*(table.c[name].like("%://%@%") for name in names)))).all():
            urls = {name: url and without_userinfo(url) for name, url in zip(names, row[1:], strict=True)}
            connection.execute(sa.update(table).where(table.c.id == row.id).values(urls))


def _add(connection: sa.Connection, configs: Sequence[SourceConfig], now: datetime) -> None:
    if not configs:
        return
    common = _NEW_SOURCE | {"title": None, "next_poll_at": now, "next_poll_reason": "never polled before"}
    connection.execute(
        sa.insert(tables.sources),
        [
            common | _configured_values(config) | {"name": config.name, "url": config.url, "host": host_of(config.url)}
            for config in configs
        ],
    )
    ids = {row.name: row.id for row in _configurations(connection, [config.name for config in configs])}
    connection.execute(
        sa.insert(tables.source_addresses),
        [
            {"source_id": ids[config.name], "url": config.url, "from_at": now, "reason": "configured"}
            for config in configs
        ],
    )


def _reconfigure(connection: sa.Connection, row: Any, config: SourceConfig, now: datetime) -> None:
    changed = {key: value for key, value in _configured_values(config).items() if getattr(row, key) != value}
    if row.url and row.host != host_of(row.url):
        changed["host"] = host_of(row.url)  # Earlier versions stored the name as the operator wrote it.
    if changed.keys() & set(OF_READING):
        # The next poll reads the document even if it has not changed: it may give other entries now.
        changed |= {"ask_in_full": True, "body_hash": None}
    if changed.get("full_text"):
        fetch_refused_again(connection, row.id, now)
    if "configured_url" in changed and config.url != row.url:
        changed |= _STATE_AFRESH | {"url": config.url, "host": host_of(config.url)}
        changed |= {"next_poll_at": now, "next_poll_reason": "a new address"}
        if not config.title and row.url:
            changed["title"] = None
        record_address(connection, row.id, config.url, now, "configured")
    elif row.status == "removed":
        changed |= {"status": "active", "gone_at": None, "next_poll_at": row.next_poll_at or now}
    if changed:
        connection.execute(sa.update(tables.sources).where(_source.id == row.id).values(changed))


def _configured_values(config: SourceConfig) -> dict[str, Any]:
    values = {
        "configured_url": config.url,
        "enabled": config.enabled,
        "every_seconds": config.every.total_seconds(),
        "auto": config.auto,
        "cron": config.cron,
        "timezone": config.timezone,
        "filters": filters_text(config.filters),
        "full_text": config.full_text,
        **reading_values(config.reading),
    }
    # If the operator gives no title, the feed's own stays.
    return values | ({"title": config.title} if config.title else {})


def record_address(connection: sa.Connection, source_id: int, url: str, now: datetime, reason: str) -> None:
    """Record that the source has this address from now on, and that its previous address ended."""
    address = tables.source_addresses.c
    connection.execute(
        sa.update(tables.source_addresses)
        .where(address.source_id == source_id, address.to_at.is_(None))
        .values(to_at=now)
    )
    values = {"source_id": source_id, "url": url, "from_at": now, "reason": reason}
    connection.execute(sa.insert(tables.source_addresses), [values])


def load(database: Database, names: Sequence[str] = ()) -> list[Source]:
    """The sources that have an address, ordered by name; with `names`, only those."""
    query = SELECT_SOURCES.where(_source.url.is_not(None)).order_by(_source.name)
    queries = [query.where(_source.name.in_(batch)) for batch in in_batches(names)] if names else [query]
    with database.read() as connection:
        return [source_from_row(row) for each in queries for row in connection.execute(each).all()]


def load_without_addresses(database: Database, name: str) -> Source | None:
    """The source of this name, polled or not, without addresses of feeds: its `url` has the host alone, or is empty."""
    with database.read() as connection:
        row = connection.execute(SELECT_WITHOUT_ADDRESSES.where(_source.name == name)).first()
    return None if row is None else source_from_row(row)


def load_of_hosts(database: Database, hosts: Collection[str]) -> list[Source]:
    """The sources on these hosts that are not removed."""
    query = SELECT_SOURCES.where(_source.enabled.in_((True, False)), _source.status != "removed")
    with database.read() as connection:
        return [
            source_from_row(row)
            for batch in in_batches(hosts)
            for row in connection.execute(query.where(_source.host.in_(batch)))
        ]


def count_enabled(database: Database) -> int:
    """The number of enabled sources that have an address."""
    query = sa.select(sa.func.count()).where(_source.url.is_not(None), _source.enabled)
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def hosts_by_name(database: Database) -> dict[str, str]:
    """The host of each enabled source that has an address, by the source's name."""
    query = sa.select(_source.name, _source.host).where(_source.url.is_not(None), _source.enabled)
    with database.read() as connection:
        return {row.name: row.host or "" for row in connection.execute(query.order_by(_source.name))}


def reschedule(database: Database, source: Source, when: datetime) -> None:
    """Set the next poll to `when`, unless the source was polled since it was loaded."""
    is_unpolled = sa.and_(_source.id == source.id, _source.last_polled_at == source.last_polled_at)
    values = {"next_poll_at": when, "next_poll_reason": "its new interval"}
    with database.write() as connection:
        connection.execute(sa.update(tables.sources).where(is_unpolled).values(values))


def ids_by_name(connection: sa.Connection, names: Collection[str]) -> dict[str, int]:
    """The ids of the sources of these names. A name that no source has becomes a source that is never polled."""
    wanted = list(dict.fromkeys(names))
    query = sa.select(_source.name, _source.id).where(_source.name.in_(wanted))
    ids = {row.name: int(row.id) for row in connection.execute(query)}
    for name in wanted:
        if name not in ids:
            values = _NEW_SOURCE | {"name": name, "enabled": False, "auto": False}
            ids[name] = connection.execute(sa.insert(tables.sources).values(values).returning(_source.id)).scalar_one()
    return ids
