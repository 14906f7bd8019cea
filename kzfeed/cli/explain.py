"""What `kzfeed explain` shows: why the next poll of a source is when it is, and what its last polls did."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kzfeed.errors import UsageError
from kzfeed.hosts import host_of
from kzfeed.model.polls import Source
from kzfeed.schedule.explain import explain, explain_outage, explain_pages, poll_line
from kzfeed.source_names import unknown_source
from kzfeed.store import host_pauses, sources
from kzfeed.store.engine import Database
from kzfeed.store.heartbeats import heartbeats, offline_since
from kzfeed.store.page_queue import count_pages, page_problems
from kzfeed.store.queries import last_polls, source_names


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons as sentences, and the last polls both as rows of the table and as lines of text."""

    source: Source
    why: list[str]
    polls: list[dict[str, Any]]
    poll_lines: list[str]


def explain_source(database: Database, name: str, now: datetime) -> Explanation:
    """The explanation for the source of this name. Raises UsageError where there is none."""
    found = sources.load(database, [name])
    if not found:
        if name in source_names(database):
            raise UsageError(f"the source {name!r} is not polled: its articles were backfilled")
        raise unknown_source(
            name, [source.name for source in sources.load(database)], "has an address in this database"
        )
    source = found[0]
    paused_until = host_pauses.paused_hosts(database, now).get(host_of(source.url))
    polls = last_polls(database, source.id)
    pages = explain_pages(source, count_pages(database, [source.id]), page_problems(database, source.id), now)
    why = [*explain(source, paused_until, now), *pages]
    with database.read() as connection:
        since = offline_since(heartbeats(connection), now)
    if since:
        why.insert(1, explain_outage(since))
    return Explanation(source, why, polls, list(map(poll_line, polls)))
