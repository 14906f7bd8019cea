"""What `kzfeed explain` shows: why the next poll of a source is when it is, and what its last polls did."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kzfeed.errors import UsageError
from kzfeed.explanation import explanation_lines
from kzfeed.model.polls import Source
from kzfeed.schedule.explain import poll_line
from kzfeed.source_names import not_polled_yet, unknown_source
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.queries.source_list import last_polls, source_names


@dataclass(frozen=True, slots=True)
class Explanation:
    """The lines of the explanation, and the last polls both as rows of the table and as lines of text."""

    source: Source
    why: list[str]
    polls: list[dict[str, Any]]
    poll_lines: list[str]


def explain_source(
    database: Database, name: str, now: datetime, configured: Collection[str] = frozenset()
) -> Explanation:
    """The explanation for the source of this name. Raises UsageError where there is none.

    `configured` are the names in the configuration, of which the database may not hold all yet.
    """
    found = sources.load(database, [name])
    if not found:
        if name in source_names(database):
            raise UsageError(f"the source {name!r} is not polled: its articles were backfilled")
        if name in configured:
            raise not_polled_yet(name)
        known = {*configured, *(source.name for source in sources.load(database))}
        raise unknown_source(name, known, "has an address in this database")
    polls = last_polls(database, found[0].id)
    why = list(map(str, explanation_lines(database, found[0], now)))
    return Explanation(found[0], why, polls, list(map(poll_line, polls)))
