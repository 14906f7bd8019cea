"""Examination of the database: it opens, is whole and writable, agrees about the time, and a daemon uses it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from kzfeed.clock import utc_now
from kzfeed.doctor.diagnosis import Diagnosis
from kzfeed.errors import DatabaseError, DatabaseMissing
from kzfeed.instants import length, moment
from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.integrity.database_condition import DatabaseCondition, database_condition
from kzfeed.store.queries.status import status
from kzfeed.text import redacted

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that shows an earlier time is wrong."""
SMALL_DIFFERENCE, LARGE_DIFFERENCE = timedelta(seconds=5), timedelta(minutes=5)
"""By how much the clocks of this machine and of the database's server may differ without and with harm."""


def examine_database(url: str) -> Iterator[Diagnosis]:
    """Examine the database of this URL and, with it, the clock and the daemon. Nothing is changed."""
    try:
        database = Database(url, create=False)
    except DatabaseError as error:
        yield _without(url, error)
        yield _clock(utc_now(), None, None)
        return
    try:
        before = utc_now()
        schema.require_current(database)
        found = database_condition(database)
        seen = status(database, utc_now())
    except DatabaseError as error:
        yield _without(url, error)
        yield _clock(utc_now(), None, None)
    else:
        yield _database(database, found)
        beats = [beat.seen_at for beat in (*seen["daemons"], *seen["silent_daemons"])]
        polls = [seen["last_poll"]["started_at"]] if seen["last_poll"] else []
        yield _clock(before, found.server_time, max([*beats, *polls], default=None))
        yield _daemon(seen["problems"], [beat.name for beat in seen["daemons"]])
    finally:
        database.close()


def _without(url: str, error: DatabaseError) -> Diagnosis:
    said = redacted(" ".join(str(error).split()))
    if isinstance(error, DatabaseMissing):
        return Diagnosis("database", "to look at", said)
    advice = "" if url.startswith("sqlite") else "; start the server, or correct url under [database]"
    return Diagnosis("database", "broken", f"{said}{advice}")


def _database(database: Database, found: DatabaseCondition) -> Diagnosis:
    if found.damage:
        return Diagnosis("database", "broken", f"damaged: {found.damage[0]}: run `kzfeed verify`, see docs/backup.md")
    if not found.is_writable:
        said = "this role or server may not write: name a role that may in the database's URL (docs/database.md)"
        return Diagnosis("database", "broken", said)
    kind = f"{database.file}" if database.file else "PostgreSQL"
    checked = ", and a quick check finds no damage" if found.is_quick_checked else "; `kzfeed verify` checks it whole"
    return Diagnosis("database", "good", f"{kind} opens, its schema is current{checked}")


def _clock(now: datetime, server: datetime | None, newest: datetime | None) -> Diagnosis:
    """The diagnosis of the clock, by the server's clock and the newest time that the database holds."""
    advice = "set it, for example with timedatectl set-ntp true"
    if now < EARLIEST:
        return Diagnosis("clock", "broken", f"it says {moment(now)}: {advice}")
    if newest and newest - now > LARGE_DIFFERENCE:
        behind = f"it says {moment(now)}, and the database has a poll or heartbeat of {moment(newest)}"
        return Diagnosis("clock", "broken", f"{behind}: {advice}")
    difference = abs(server - now) if server else timedelta()
    if difference > SMALL_DIFFERENCE:
        said = f"it differs by {length(difference)} from that of the database's server: {advice} on both machines"
        return Diagnosis("clock", "broken" if difference > LARGE_DIFFERENCE else "to look at", said)
    agreed = ", as the database's server says too" if server else ""
    return Diagnosis("clock", "good", f"{moment(now)}{agreed}")


def _daemon(problems: list[str], names: list[str]) -> Diagnosis:
    if problems:
        return Diagnosis("daemon", "to look at", "; ".join(problems))
    do = "runs and polls" if len(names) == 1 else "run and poll"
    return Diagnosis("daemon", "good", f"{', '.join(names)} {do} in time")
