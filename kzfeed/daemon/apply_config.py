"""Applying the configuration to the database: when the daemon starts, at SIGHUP, and when a file has changed."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from kzfeed.clock import utc_now
from kzfeed.config.settings import Settings
from kzfeed.model.polls import Source, SourceConfig
from kzfeed.schedule.interval import spread_time
from kzfeed.schedule.policy import Circumstances, replanned
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.queue import schedule_corrections

log = structlog.get_logger()


def apply_configuration(settings: Settings, database: Database, now: datetime) -> None:
    """Make the sources those of the configuration. A new interval counts from the last poll of its source.

    A configuration that names no sources leaves those of the database; a new database gets the built-in ones.
    """
    if settings.left_out:
        log.warning("outlines are no sources", number=len(settings.left_out), first=settings.left_out[:5])
    if not settings.names_sources:
        sources.add_first(database, settings.source_configs(), now)
        schedule_corrections.spread_due(database, spread_time, now)
        return
    before = sources.load(database)
    sources.configure(database, settings.source_configs(), now, spread=spread_time)
    _plan_again(settings, database, before, sources.load(database), now)


def change_database_sources(
    settings: Settings, database: Database, configs: Sequence[SourceConfig], now: datetime
) -> None:
    """Add or change these sources of a database whose sources the configuration does not name."""
    if names := [config.name for config in configs]:
        before = sources.load(database, names)
        sources.add(database, configs, now)
        _plan_again(settings, database, before, sources.load(database, names), now)


def _plan_again(
    settings: Settings, database: Database, before: Sequence[Source], after: Sequence[Source], now: datetime
) -> None:
    by_id = {source.id: source for source in before}
    at = Circumstances(now, settings.interval_bounds())
    for source in after:
        next_poll_at = replanned(by_id[source.id], source, at) if source.id in by_id else None
        if next_poll_at:
            sources.reschedule(database, source, next_poll_at)


def make_reload(
    in_force: Settings, database: Database, load: Callable[[], Settings], on_reload: Callable[[Settings], None]
) -> Callable[[], None]:
    """The function that reads the configuration again: it applies the sources, and names what needs a restart.

    `on_reload` is called with the new settings, and may raise ConfigError.
    """

    def reload() -> None:
        fresh = load()
        on_reload(fresh)  # It refuses secrets that cannot be read, before anything changes.
        apply_configuration(fresh, database, utc_now())
        before, after = (settings.model_dump(exclude={"sources", "defaults", "log"}) for settings in (in_force, fresh))
        changed = sorted(section for section in before if before[section] != after[section])
        log.info("configuration reloaded", origin=fresh.origin, sources=sources.count_enabled(database))
        if changed:
            log.warning("settings changed that need a restart", sections=changed)

    return reload
