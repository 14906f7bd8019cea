"""The first schema: sources, articles and what belongs to them, polls, gaps, and two views for people.

Revision 0001, after none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _reference(table: str, column: str, target: str) -> sa.Column[int]:
    return sa.Column(column, Id, sa.ForeignKey(target, name=f"fk_{table}_{column}"), nullable=False)


def upgrade() -> None:
    _create_sources()
    _create_articles()
    _create_what_belongs_to_articles()
    _create_records()
    _create_views()


def _create_sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
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
        sa.Column("next_poll_at", Instant),
        sa.Column("next_poll_reason", sa.Text),
        sa.Column("not_before", Instant),
        sa.Column("last_polled_at", Instant),
        sa.Column("last_success_at", Instant),
        sa.Column("last_document_at", Instant),
        sa.Column("failing_since", Instant),
        sa.Column("failure_count", sa.Integer, nullable=False),
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
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_until", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
    )
    op.create_index("ix_sources_next_poll_at", "sources", ["next_poll_at"])
    op.create_table(
        "source_addresses",
        sa.Column("id", Id, nullable=False),
        _reference("source_addresses", "source_id", "sources.id"),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("from_at", Instant, nullable=False),
        sa.Column("to_at", Instant),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source_addresses"),
    )
    op.create_index("ix_source_addresses_source_id", "source_addresses", ["source_id"])
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("paused_until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_hosts"),
    )


def _create_articles() -> None:
    op.create_table(
        "articles",
        sa.Column("id", Id, nullable=False),
        sa.Column("url_hash", sa.Text, nullable=False),
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
        _reference("articles", "source_id", "sources.id"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("revision_seen_at", Instant, nullable=False),
        _reference("articles", "revision_source_id", "sources.id"),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
        sa.UniqueConstraint("url_hash", name="uq_articles_url_hash"),
    )
    op.create_index("ix_articles_published_at", "articles", ["published_at"])
    op.create_index("ix_articles_source_id_published_at", "articles", ["source_id", "published_at"])


def _create_what_belongs_to_articles() -> None:
    op.create_table(
        "revisions",
        _reference("revisions", "article_id", "articles.id"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        _reference("revisions", "source_id", "sources.id"),
        sa.PrimaryKeyConstraint("article_id", "revision", name="pk_revisions"),
    )
    op.create_table(
        "sightings",
        _reference("sightings", "article_id", "articles.id"),
        _reference("sightings", "source_id", "sources.id"),
        sa.Column("guid", sa.Text),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.Column("last_seen_at", Instant, nullable=False),
        sa.Column("withdrawn_at", Instant),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("article_id", "source_id", name="pk_sightings"),
    )
    op.create_index("ix_sightings_source_id_last_seen_at", "sightings", ["source_id", "last_seen_at"])
    op.create_index("ix_sightings_source_id_first_seen_at", "sightings", ["source_id", "first_seen_at"])
    op.create_table(
        "media",
        sa.Column("id", Id, nullable=False),
        _reference("media", "article_id", "articles.id"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("proxy_url", sa.Text),
        sa.Column("mime_type", sa.Text),
        sa.Column("size_bytes", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_media"),
    )
    op.create_index("ix_media_article_id", "media", ["article_id"])
    op.create_table(
        "tags",
        sa.Column("id", Id, nullable=False),
        _reference("tags", "article_id", "articles.id"),
        sa.Column("tag", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
    )
    op.create_index("ix_tags_article_id", "tags", ["article_id"])


def _create_records() -> None:
    op.create_table(
        "polls",
        sa.Column("id", Id, nullable=False),
        _reference("polls", "source_id", "sources.id"),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("http_status", sa.Integer),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("new_articles", sa.Integer, nullable=False),
        sa.Column("revised_articles", sa.Integer, nullable=False),
        sa.Column("error_kind", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_polls"),
    )
    op.create_index("ix_polls_source_id_started_at", "polls", ["source_id", "started_at"])
    op.create_table(
        "gaps",
        sa.Column("id", Id, nullable=False),
        _reference("gaps", "source_id", "sources.id"),
        sa.Column("from_at", Instant, nullable=False),
        sa.Column("to_at", Instant, nullable=False),
        sa.Column("noticed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    op.create_index("ix_gaps_source_id", "gaps", ["source_id"])


def _create_views() -> None:
    ago = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')",
        "postgresql": "now() - interval '{days} days'",
    }[op.get_bind().dialect.name]
    op.execute(
        """CREATE VIEW article_list AS
SELECT a.id, a.url_hash, s.name AS source, a.title, a.url, a.published_at, a.first_seen_at, a.revision
FROM articles AS a JOIN sources AS s ON s.id = a.source_id"""
    )
    day_ago, week_ago = ago.format(days=1), ago.format(days=7)
    op.get_bind().exec_driver_sql(
        f"""CREATE VIEW source_health AS
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, s.last_error, s.next_poll_at,
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id) AS articles,
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= {day_ago}) AS articles_24h,
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= {week_ago}) AS articles_7d,
  (SELECT count(*) FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s"""
    )
