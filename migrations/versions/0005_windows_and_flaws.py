"""Withdrawals as stretches of time, flaws of documents, and the time of the window that the next one is compared with.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    for column in (
        sa.Column("window_at", Instant),
        sa.Column("flaw", sa.Text),
        sa.Column("refused_validators", sa.Text),
    ):
        op.add_column("sources", column)
    op.add_column("polls", sa.Column("flaw", sa.Text))
    op.execute("UPDATE sources SET window_at = last_document_at")
    # Documents with more entries than the limit were stored in part: they are read again.
    op.execute(
        "UPDATE sources SET validators_url = NULL, etag = NULL, last_modified = NULL, body_hash = NULL "
        "WHERE id IN (SELECT source_id FROM polls WHERE entries >= 5000)"
    )
    op.create_table(
        "withdrawals",
        sa.Column("article_id", Id, sa.ForeignKey("articles.id", name="fk_withdrawals_article_id"), nullable=False),
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_withdrawals_source_id"), nullable=False),
        sa.Column("from_at", Instant, nullable=False),
        sa.Column("to_at", Instant),
        sa.PrimaryKeyConstraint("article_id", "source_id", "from_at", name="pk_withdrawals"),
    )
    op.create_index("ix_withdrawals_source_id_to_at", "withdrawals", ["source_id", "to_at"])
    op.execute(
        "INSERT INTO withdrawals (article_id, source_id, from_at) "
        "SELECT article_id, source_id, withdrawn_at FROM sightings WHERE withdrawn_at IS NOT NULL"
    )
    op.execute("INSERT INTO row_counts (table_name, row_count) SELECT 'withdrawals', count(*) FROM withdrawals")
    _replace_source_health("s.last_error, s.flaw, s.next_poll_at")


def downgrade() -> None:
    _replace_source_health("s.last_error, s.next_poll_at")
    op.execute("DELETE FROM row_counts WHERE table_name = 'withdrawals'")
    op.drop_table("withdrawals")
    op.drop_column("polls", "flaw")
    for column in ("refused_validators", "flaw", "window_at"):
        op.drop_column("sources", column)


def _replace_source_health(columns: str) -> None:
    ago = {
        "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{days} days')",
        "postgresql": "now() - interval '{days} days'",
    }[op.get_bind().dialect.name]
    day_ago, week_ago = ago.format(days=1), ago.format(days=7)
    op.execute("DROP VIEW source_health")
    op.get_bind().exec_driver_sql(
        f"""CREATE VIEW source_health AS
SELECT s.id, s.name, s.status, s.last_success_at, s.failure_count, {columns},
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id) AS articles,
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= {day_ago}) AS articles_24h,
  (SELECT count(*) FROM sightings AS g WHERE g.source_id = s.id AND g.first_seen_at >= {week_ago}) AS articles_7d,
  (SELECT count(*) FROM gaps AS p WHERE p.source_id = s.id) AS gaps
FROM sources AS s"""
    )
