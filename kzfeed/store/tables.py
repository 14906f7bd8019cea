"""Tables of the database, the same on SQLite and PostgreSQL. People query them: docs/database.md.

Their triggers are in `triggers`, the views in `views`. The migrations create exactly this schema; a test compares the
two on both engines.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from kzfeed.errors import DatabaseError
from kzfeed.instants import in_milliseconds


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC: TIMESTAMPTZ in PostgreSQL, `2022-01-11 17:39:03.000` in SQLite, so that text sorts."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return in_milliseconds(value) if dialect.name == "postgresql" else _sqlite_text(value.astimezone(UTC))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        try:
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        except (TypeError, ValueError):
            raise DatabaseError(
                f"{value!r} stands in the database where a time belongs, as another program may have written it: "
                "`kzfeed verify` names the row"
            ) from None


@lru_cache(maxsize=256)
def _sqlite_text(utc: datetime) -> str:
    # Cached because the rows of one document have the same instants. Not strftime, which writes the year 1 as "1": that
    # would not sort.
    return in_milliseconds(utc).isoformat(" ", "milliseconds").removesuffix("+00:00")


# SQLite assigns ids only to a column of exactly this type.
Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


MAX_LANGUAGE_LENGTH = 35
"""The longest language tag that the index has: RFC 5646 §4.4.1 recommends room for so many characters."""


def _some(name: str, *columns: str, where: str) -> sa.Index:
    """An index of only those rows that meet the condition."""
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _references(name: str, target: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, Id, sa.ForeignKey(target), nullable=False, **options)


sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("title", sa.Text),
    sa.Column("url", sa.Text),
    sa.Column("configured_url", sa.Text),
    sa.Column("host", sa.Text),
    sa.Column("site_url", sa.Text),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("every_seconds", sa.Double),
    sa.Column("auto", sa.Boolean, nullable=False),
    sa.Column("cron", sa.Text),
    sa.Column("timezone", sa.Text),
    sa.Column("filters", sa.Text),
    sa.Column("next_poll_at", Instant),
    sa.Column("next_poll_reason", sa.Text),
    sa.Column("not_before", Instant),
    sa.Column("last_polled_at", Instant),
    sa.Column("last_success_at", Instant),
    sa.Column("last_document_at", Instant),
    sa.Column("failing_since", Instant),
    sa.Column("failure_count", sa.Integer, nullable=False),
    sa.Column("last_error_kind", sa.Text),
    sa.Column("last_error", sa.Text),
    sa.Column("gone_at", Instant),
    sa.Column("moved_to", sa.Text),
    sa.Column("moved_since", Instant),
    sa.Column("moved_polls", sa.Integer, nullable=False),
    sa.Column("validators_url", sa.Text),
    sa.Column("etag", sa.Text),
    sa.Column("last_modified", sa.Text),
    sa.Column("ask_in_full", sa.Boolean, nullable=False),
    sa.Column("not_modified_since", Instant),
    sa.Column("body_hash", sa.Text),
    sa.Column("auto_seconds", sa.Double),
    sa.Column("hurried_seconds", sa.Double),
    sa.Column("own_wait_seconds", sa.Double),
    sa.Column("skip_hours", sa.Text),
    sa.Column("skip_days", sa.Text),
    sa.Column("window_at", Instant),
    sa.Column("flaw", sa.Text),
    sa.Column("refused_validators", sa.Text),
    sa.Column("full_text", sa.Text),
    sa.Column("link_from", sa.Text),
    sa.Column("content_from", sa.Text),
    sa.Column("encoding", sa.Text),
    sa.Index(None, "enabled", "next_poll_at"),
    sa.Index(None, "enabled", "host", "next_poll_at"),
)

archive_identity = sa.Table("archive_identity", metadata, sa.Column("id", sa.Text, primary_key=True))
"""One row, made with the schema: by its random id a folder of archive files knows the database that wrote it."""

source_addresses = sa.Table(
    "source_addresses",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("source_id", "sources.id", index=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("to_at", Instant),
    sa.Column("reason", sa.Text, nullable=False),
)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("paused_until", Instant, nullable=False),
)

claims = sa.Table(
    "claims",
    metadata,
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("claimed_by", sa.Text, nullable=False),
    sa.Column("claimed_until", Instant, nullable=False),
)

daemons = sa.Table(
    "daemons",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("offline_since", Instant),
)

host_queue = sa.Table(
    "host_queue",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("due_at", Instant, index=True),
)
"""When each host is due: the earliest `next_poll_at` of its enabled sources, kept by the triggers of `sources`."""

articles = sa.Table(
    "articles",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("url_hash", sa.Text, nullable=False, unique=True),
    sa.Column("url", sa.Text),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("published_at", Instant),
    sa.Column("published_raw", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("language", sa.Text),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    _references("source_id", "sources.id"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("revision_seen_at", Instant, nullable=False),
    _references("revision_source_id", "sources.id"),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("front_matter", sa.Text),
    sa.Column("content_from", sa.Text),
    sa.Index(None, "published_at"),
    sa.Index(None, "source_id", "published_at"),
    # Addresses may be longer than what a B-tree of PostgreSQL takes.
    sa.Index(None, "url", postgresql_using="hash"),
    _some("ix_articles_undated", "id", where="published_at IS NULL"),
    # Longer ones are no language tags, and may be longer than what a B-tree of PostgreSQL takes.
    _some("ix_articles_language", "language", "published_at", "id", where=f"length(language) <= {MAX_LANGUAGE_LENGTH}"),
    _some("ix_articles_revised", "published_at", "id", where="revision > 1"),
    _some("ix_articles_revision_seen", "revision_seen_at", "id", where="revision > 1"),
)
# Room on each page for updates of last_seen_at, which then need no change of the indexes (heap-only tuples).
_fill_factor = sa.DDL("ALTER TABLE articles SET (fillfactor = 90)")  # type: ignore[no-untyped-call]  # SQLAlchemy's omission
sa.event.listen(articles, "after_create", _fill_factor.execute_if(dialect="postgresql"))

revisions = sa.Table(
    "revisions",
    metadata,
    _references("article_id", "articles.id", primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    _references("source_id", "sources.id"),
    sa.Column("published_at", Instant),
    sa.Column("published_raw", sa.Text),
    sa.Column("front_matter", sa.Text),
    sa.Column("content_from", sa.Text),
    _some("ix_revisions_seen", "seen_at", "article_id", "revision", where="revision > 1"),
)

former_dates = sa.Table(
    "former_dates",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("article_id", "articles.id", index=True),
    sa.Column("published_at", Instant),
    sa.Column("published_raw", sa.Text),
    sa.Column("replaced_at", Instant, nullable=False),
    _references("source_id", "sources.id"),
)

article_changes = sa.Table(
    "article_changes",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("article_id", "articles.id"),
)

page_fetches = sa.Table(
    "page_fetches",
    metadata,
    _references("article_id", "articles.id", primary_key=True),
    _references("source_id", "sources.id"),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("next_try_at", Instant),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("tried_at", Instant),
    sa.Column("fetched_at", Instant),
    sa.Column("outcome", sa.Text),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("claimed_by", sa.Text),
    sa.Column("claimed_until", Instant),
    sa.Index(None, "source_id", "outcome"),
    _some("ix_page_fetches_waiting", "host", "next_try_at", where="next_try_at IS NOT NULL"),
)

robots_txt = sa.Table(
    "robots_txt",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("fetched_at", Instant, nullable=False),
    sa.Column("rules", sa.Text),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", sa.Text),
)

sightings = sa.Table(
    "sightings",
    metadata,
    _references("article_id", "articles.id", primary_key=True),
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("guid", sa.Text),
    sa.Column("first_seen_at", Instant, nullable=False),
    sa.Column("last_seen_at", Instant, nullable=False),
    sa.Column("withdrawn_at", Instant),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Index(None, "source_id", "last_seen_at"),
    sa.Index(None, "source_id", "first_seen_at"),
    _some("ix_sightings_withdrawn", "article_id", where="withdrawn_at IS NOT NULL"),
)

withdrawals = sa.Table(
    "withdrawals",
    metadata,
    _references("article_id", "articles.id", primary_key=True),
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("from_at", Instant, primary_key=True),
    sa.Column("to_at", Instant),
    sa.Index(None, "source_id", "to_at"),
    sa.Index(None, "from_at", "article_id", "source_id"),
)

filtered_entries = sa.Table(
    "filtered_entries",
    metadata,
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("url_hash", sa.Text, primary_key=True),
    sa.Column("published_at", Instant),
    sa.Column("guid", sa.Text),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False),
)
"""The entries of the last windows of sources that their filters left out."""

media = sa.Table(
    "media",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("article_id", "articles.id", index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("proxy_url", sa.Text),
    sa.Column("mime_type", sa.Text),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("duration_seconds", sa.Double),
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("article_id", "articles.id", index=True),
    sa.Column("tag", sa.Text, nullable=False),
    # As with addresses.
    sa.Index(None, "tag", postgresql_using="hash"),
)

polls = sa.Table(
    "polls",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("source_id", "sources.id"),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("http_status", sa.Integer),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("entries", sa.Integer, nullable=False),
    sa.Column("new_articles", sa.Integer, nullable=False),
    sa.Column("revised_articles", sa.Integer, nullable=False),
    sa.Column("filtered", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("flaw", sa.Text),
    sa.Index(None, "source_id", "started_at"),
    sa.Index(None, "outcome", "started_at", "source_id"),
    _some("ix_polls_flawed", "started_at", "source_id", where="flaw IS NOT NULL"),
    postgresql_partition_by="RANGE (started_at)",
)
# A unique key of a partitioned table must have the column of its partitions.
polls.primary_key.ddl_if(dialect="sqlite")
for _statement in (
    "ALTER TABLE polls ADD CONSTRAINT pk_polls PRIMARY KEY (id, started_at)",
    "CREATE TABLE polls_default PARTITION OF polls DEFAULT",
):
    _partitioned = sa.DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy's omission
    sa.event.listen(polls, "after_create", _partitioned.execute_if(dialect="postgresql"))

poll_days = sa.Table(
    "poll_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Column("with_news", sa.Integer, nullable=False),
    sa.Column("not_modified", sa.Integer, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("new_articles", sa.Integer, nullable=False),
    sa.Column("revised_articles", sa.Integer, nullable=False),
    sa.Column("filtered", sa.Integer, nullable=False),
)

gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _references("source_id", "sources.id", index=True),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("to_at", Instant, nullable=False),
    sa.Column("noticed_at", Instant, nullable=False),
)

row_counts = sa.Table(
    "row_counts",
    metadata,
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, server_default="0"),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    implicit_returning=False,  # nobody asks for the slot of a new row
)

day_counts = sa.Table(
    "day_counts",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    _references("source_id", "sources.id", primary_key=True),
    sa.Column("articles", sa.Integer, nullable=False),
    sa.Column("undated", sa.Integer, nullable=False),
    sa.Column("first_seen", sa.Integer, nullable=False),
    sa.Column("new_versions", sa.Integer, nullable=False),
    sa.Index(None, "source_id", "day"),
)
