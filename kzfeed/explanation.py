"""Why the next poll of a source is when it is: the lines of `kzfeed explain`, for what the database says now."""

from datetime import datetime

from kzfeed.hosts import host_of
from kzfeed.model.polls import Source
from kzfeed.schedule.explain import ExplanationLine, explain, explain_outage, explain_pages
from kzfeed.store.engine import Database
from kzfeed.store.queue import host_pauses
from kzfeed.store.queue.heartbeats import heartbeats, offline_since
from kzfeed.store.queue.page_queue import count_pages, page_problems


def explanation_lines(database: Database, source: Source, now: datetime) -> list[ExplanationLine]:
    """The lines, the most important first."""
    paused_until = host_pauses.paused_hosts(database, now).get(host_of(source.url))
    pages = explain_pages(source, count_pages(database, [source.id]), page_problems(database, source.id), now)
    lines = [*explain(source, paused_until, now), *pages]
    with database.read() as connection:
        since = offline_since(heartbeats(connection), now)
    if since:
        lines.insert(1, explain_outage(since))
    return lines
