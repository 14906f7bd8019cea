"""The table `day_counts`: articles and later versions by day and source, for charts over large archives.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "day_counts",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_day_counts_source_id"), nullable=False),
        sa.Column("articles", sa.Integer, nullable=False),
        sa.Column("undated", sa.Integer, nullable=False),
        sa.Column("first_seen", sa.Integer, nullable=False),
        sa.Column("new_versions", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("day", "source_id", name="pk_day_counts"),
    )
    day = {"sqlite": "substr({}, 1, 10)", "postgresql": "CAST({} AT TIME ZONE 'UTC' AS date)"}
    day_of = day[op.get_bind().dialect.name].format
    op.get_bind().exec_driver_sql(
        f"""INSERT INTO day_counts (day, source_id, articles, undated, first_seen, new_versions)
SELECT day, source_id, sum(articles), sum(undated), sum(first_seen), sum(new_versions) FROM (
  SELECT {day_of("published_at")} AS day, source_id,
    count(*) AS articles, 0 AS undated, 0 AS first_seen, 0 AS new_versions
  FROM articles WHERE published_at IS NOT NULL GROUP BY 1, 2
  UNION ALL
  SELECT {day_of("first_seen_at")}, source_id, 0, count(*) - count(published_at), count(*), 0
  FROM articles GROUP BY 1, 2
  UNION ALL
  SELECT {day_of("revision_seen_at")}, revision_source_id, 0, 0, 0, count(*)
  FROM articles WHERE revision > 1 GROUP BY 1, 2
  UNION ALL
  SELECT {day_of("seen_at")}, source_id, 0, 0, 0, count(*)
  FROM revisions WHERE revision > 1 GROUP BY 1, 2
) AS parts GROUP BY day, source_id"""
    )


def downgrade() -> None:
    op.drop_table("day_counts")
