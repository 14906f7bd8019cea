"""Cache of robots.txt files (table `robots_txt`), one of each origin, so that no daemon asks for one too often."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from kzfeed.model.polls import FailureKind
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.upsert import upsert

_robots = tables.robots_txt.c

_SAVE = upsert(tables.robots_txt, {name: f"excluded.{name}" for name in ("fetched_at", "rules", "error_kind", "error")})


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """A robots.txt: when it was fetched, and its rules, or why it could not be read (`rules` is None then)."""

    fetched_at: datetime
    rules: str | None
    error_kind: FailureKind | None = None
    error: str | None = None


def load_robots(database: Database, origin: str) -> RobotsFile | None:
    """The robots.txt of this origin, as it was fetched last."""
    columns = (_robots.fetched_at, _robots.rules, _robots.error_kind, _robots.error)
    with database.read() as connection:
        row = connection.execute(sa.select(*columns).where(_robots.origin == origin)).one_or_none()
    return None if row is None else RobotsFile(*row)


def save_robots(database: Database, origin: str, file: RobotsFile) -> None:
    """Keep the robots.txt of this origin."""
    values = {"origin": origin, **asdict(file)}
    database.write_concurrently((), lambda connection: connection.execute(_SAVE, values))
