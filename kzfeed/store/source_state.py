"""The state of sources after their polls: next poll, validators, failures, address.

The operator or another poll may have changed a source meanwhile. Its row in the database takes precedence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model.articles import LinkField
from kzfeed.model.polls import Source
from kzfeed.store import tables
from kzfeed.store.queue.claims import end_claims
from kzfeed.store.source_rows import OF_READING, filters_of, reading_of, state_values
from kzfeed.store.sources import record_address

_source = tables.sources.c
_UPDATE = sa.update(tables.sources).where(_source.id == sa.bindparam("source_id"))


_SELECT_CURRENT = sa.select(
    *(_source.id, _source.url, _source.configured_url, _source.last_document_at),
    *(_source[name] for name in OF_READING),
).where(_source.id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class CurrentRow:
    """What a transaction needs to know of a source as the database has it now."""

    url: str
    configured_url: str | None
    last_document_at: datetime | None
    filters: str | None
    timezone: str | None
    link_from: LinkField | None
    content_from: str | None
    encoding: str | None

    def reads_as(self, source: Source) -> bool:
        """Whether documents are read and filtered as `source` says."""
        reading = reading_of(self.link_from, self.content_from, self.encoding)
        is_filtered_alike = filters_of(self.filters) == source.filters
        return is_filtered_alike and self.timezone == source.timezone and reading == source.reading


def current_rows(connection: sa.Connection, sources: Iterable[Source]) -> dict[int, CurrentRow]:
    """The current rows of these sources, by id. Raises DatabaseError if one is missing."""
    names = {source.id: source.name for source in sources}
    rows = connection.execute(_SELECT_CURRENT, {"ids": sorted(names)})
    found = {source_id: CurrentRow(*values) for source_id, *values in rows}
    for missing in names.keys() - found.keys():
        raise DatabaseError(f"the source {names[missing]!r} is no longer in the database: its poll cannot be stored")
    return found


_removed: sa.ColumnElement[str] = sa.literal_column("'removed'")
# The operator may have removed the source while it was polled.
_UPDATE_STATE = _UPDATE.values(
    status=sa.case((_source.status == _removed, _removed), else_=sa.bindparam("new_status")),
    # Or may have given it a title.
    title=sa.func.coalesce(_source.title, sa.bindparam("new_title")),
)


def save_states(connection: sa.Connection, sources: Sequence[Source], current: Mapping[int, CurrentRow]) -> None:
    """Write the states of sources after their polls, record moved addresses, and end the claims.

    If the operator configured another address during the poll, only the claim ends: the poll was of the old address.
    """
    is_same = {source.id: current[source.id].configured_url == source.configured_url for source in sources}
    same = [source for source in sources if is_same[source.id]]
    if same:
        connection.execute(_UPDATE_STATE, [_state_row(source, current[source.id]) for source in same])
    for source in same:
        if source.url != current[source.id].url:
            _move(connection, source)
    end_claims(connection, [source.id for source in sources])


def _state_row(source: Source, current: CurrentRow) -> dict[str, Any]:
    row = {"source_id": source.id, "new_status": source.status, **state_values(source)}
    row["new_title"] = row.pop("title")
    if not current.reads_as(source):
        # The operator changed that during the poll, which read and filtered the document in the old way.
        row |= {"ask_in_full": True, "body_hash": None}
    return row


def _move(connection: sa.Connection, source: Source) -> None:
    if source.last_polled_at:
        record_address(connection, source.id, source.url, source.last_polled_at, "moved permanently by its server")
    connection.execute(_UPDATE, {"source_id": source.id, "url": source.url, "host": host_of(source.url)})


def end_overtaken_polls(connection: sa.Connection, has_articles: Mapping[int, bool]) -> None:
    """End the claims of polls, by source id, that were overtaken by another poll of the same source.

    If such a poll had articles, the archive may hold older versions of them than the stored validators say: the next
    poll then asks for the whole document.
    """
    in_doubt = [
        {"source_id": source_id, "ask_in_full": True, "body_hash": None}
        for source_id, had_articles in has_articles.items()
        if had_articles
    ]
    if in_doubt:
        connection.execute(_UPDATE, in_doubt)
    if has_articles:
        end_claims(connection, has_articles)
