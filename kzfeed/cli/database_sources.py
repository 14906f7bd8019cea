"""Edits of sources that only the database has: on PostgreSQL, if the configuration names no sources.

Several machines may share such a database, which a file on one of them could not serve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kzfeed.cli.options import Session
from kzfeed.errors import UsageError
from kzfeed.hosts import host_of
from kzfeed.source_names import unknown_source

if TYPE_CHECKING:
    from kzfeed.config.edit import Added
    from kzfeed.config.settings import Settings
    from kzfeed.config.source_lists import ListedSource
    from kzfeed.model.polls import Source, SourceConfig
    from kzfeed.store.engine import Database

NOT_STORED = ("tags", "proxy", "headers", "basic_auth", "bearer", "user_agent", "tls_ca")
"""The settings that only a file can hold: secrets and folders are not stored in the database."""


def are_edited(settings: "Settings") -> bool:
    """Whether the commands that change sources change them in the database."""
    return not settings.names_sources and settings.database.url.startswith(("postgresql", "postgres:"))


def add(session: Session, listed: "Sequence[ListedSource]", name: str | None = None) -> "Added":
    """Add sources, except those whose address the database has, or the list has before.

    Their folders are left out. Raises UsageError if `name`, which the user gave, is that of another source.
    """
    from kzfeed.clock import utc_now
    from kzfeed.config.edit import Added, new_and_present
    from kzfeed.daemon.apply_config import change_database_sources

    with session.database(migrate=True) as database:
        by_address = _names_by_address(database, listed)
        new, others = new_and_present(listed, by_address)
        names = _free_names(database, list(new.values()), name)
        added = dict(zip(names, new.values(), strict=True))
        tables = [replace(each, tags=()).table(given) for given, each in added.items()]
        change_database_sources(session.settings, database, _configs(session, tables), utc_now())
    by_address |= dict(zip(new, names, strict=True))
    return Added(added, [(by_address[address], each) for address, each in others])


def set_values(session: Session, names: Sequence[str], changes: Mapping[str, Any]) -> dict[str, None]:
    """Change settings of sources; None removes a setting. Returns the names, without files. Raises UsageError."""
    from kzfeed.clock import utc_now
    from kzfeed.config.source_lists import listed_source
    from kzfeed.daemon.apply_config import change_database_sources

    timezone = session.settings.defaults.timezone
    with session.database(migrate=False) as database:
        tables = [
            {**listed_source(source, timezone).table(source.name), **changes} for source in _loaded(database, names)
        ]
        configs = _configs(session, [{key: each[key] for key in each if each[key] is not None} for each in tables])
        change_database_sources(session.settings, database, configs, utc_now())
    return dict.fromkeys(names)


def remove(session: Session, names: Sequence[str]) -> dict[str, None]:
    """Remove sources; their articles stay. Returns the names, without files. Raises UsageError."""
    from kzfeed.store import sources

    with session.database(migrate=False) as database:
        sources.remove(database, [source.name for source in _loaded(database, names)])
    return dict.fromkeys(names)


def _loaded(database: "Database", names: Sequence[str]) -> "list[Source]":
    from kzfeed.store import sources

    found = [source for source in sources.load(database, names) if source.status != "removed"]
    for missing in dict.fromkeys(names).keys() - {source.name for source in found}:
        raise unknown_source(missing, sources.hosts_by_name(database), "is in the database")
    return found


def _names_by_address(database: "Database", listed: "Sequence[ListedSource]") -> dict[object, str]:
    """The names of stored sources on the hosts of these, by address."""
    from kzfeed.store import sources

    found = sources.load_of_hosts(
        database, {host_of(url) for source in listed for url in (source.url, source.leads_to) if url}
    )
    return {_address(source.configured_url or source.url): source.name for source in found}


def _free_names(database: "Database", listed: "Sequence[ListedSource]", name: str | None) -> list[str]:
    from kzfeed.config.source_lists import names_for
    from kzfeed.store import sources

    wanted = names_for(listed)
    taken = [source.name for source in sources.load(database, wanted) if source.status != "removed"] if wanted else []
    if name in taken:
        raise UsageError(f"the name {name!r} is taken: choose another one")
    return names_for(listed, taken)


def _configs(session: Session, tables: Sequence[Mapping[str, Any]]) -> "tuple[SourceConfig, ...]":
    """The sources in these tables of kzfeed.toml. Raises UsageError."""
    from kzfeed.config.load import ConfigErrors, load_with_sources

    if key := next((key for table in tables for key in NOT_STORED if key in table), None):
        raise UsageError(f"{key} needs a file: the sources are in the database, which does not hold this setting")
    try:
        settings = load_with_sources(session.config, session.database_url, tables)
    except ConfigErrors as error:
        wrong = "\n".join(f"{each.key} = {each.value!r}: expected {each.expected}" for each in error.mistakes)
        raise UsageError(f"nothing is changed: {wrong}") from None
    if with_password := next(iter(settings.urls_with_passwords()), None):
        raise UsageError(
            f"the address of {with_password} has a password, which needs a file: the database holds no secrets"
        )
    return settings.source_configs()


def _address(url: str) -> object:
    from kzfeed.config import addresses

    return addresses.address(url)
