"""Cache of robots.txt files (table `robots_txt`), one of each origin, so that no daemon asks for one too often."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast

import sqlalchemy as sa

from kzfeed.model.polls import FailureKind
from kzfeed.store import tables
from kzfeed.store.engine import Database

_robots = tables.robots_txt.c

# Text, because both engines share this syntax and SQLAlchemy has `ON CONFLICT` only for one dialect at a time.
_UPSERT = sa.text(
    "INSERT INTO robots_txt (origin, fetched_at, rules, error) VALUES (:origin, :fetched_at, :rules, :error) "
    "ON CONFLICT (origin) DO UPDATE "
    "SET fetched_at = excluded.fetched_at, rules = excluded.rules, error = excluded.error"
).bindparams(sa.bindparam("fetched_at", type_=_robots.fetched_at.type))


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """A robots.txt: when it was fetched, and its rules, or why it could not be read (`rules` is None then)."""

    fetched_at: datetime
    rules: str | None
    error: str | None = None
    error_kind: FailureKind = "unexpected-status"


def load_robots(database: Database, origin: str) -> RobotsFile | None:
    """The robots.txt of this origin, as it was fetched last."""
    query = sa.select(_robots.fetched_at, _robots.rules, _robots.error).where(_robots.origin == origin)
    with database.read() as connection:
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.error is None:
            return RobotsFile(row.fetched_at, row.rules)
        kind, _, words = row.error.partition(": ")
        return RobotsFile(row.fetched_at, row.rules, words, cast("FailureKind", kind))


def save_robots(database: Database, origin: str, file: RobotsFile) -> None:
    """Keep the robots.txt of this origin."""
    error = file.error and f"{file.error_kind}: {file.error}"
    values = {"origin": origin, "fetched_at": file.fetched_at, "rules": file.rules, "error": error}
    database.write_concurrently((), lambda connection: connection.execute(_UPSERT, values))
