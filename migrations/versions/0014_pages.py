"""Pages of articles: where each text is from, which pages are to be fetched, and how odd feeds are read.

Revision 0014, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0015"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

OF_SOURCES = ("full_text", "link_from", "content_from", "encoding")

# A source without address is one that only backfill knows. Backfill writes the stamp of a file as it stands in the
# file; a later date may have taken its place, and a later version may be from a file or from a feed.
_CONTENT_FROM = """
UPDATE {table} SET content_from = CASE
  WHEN {source} IN (SELECT id FROM sources WHERE url IS NULL) THEN 'file'
  WHEN revision > 1 OR {article} IN (SELECT article_id FROM former_dates) THEN NULL
  WHEN published_raw LIKE '<!--%' THEN 'file'
  WHEN published_raw IS NOT NULL THEN 'feed'
END
"""


def upgrade() -> None:
    for name in OF_SOURCES:
        op.add_column("sources", sa.Column(name, sa.Text))
    for table, source, article in (("articles", "revision_source_id", "id"), ("revisions", "source_id", "article_id")):
        op.add_column(table, sa.Column("content_from", sa.Text))
        op.execute(_CONTENT_FROM.format(table=table, source=source, article=article))
    op.create_table(
        "page_fetches",
        sa.Column("article_id", Id, sa.ForeignKey("articles.id", name="fk_page_fetches_article_id"), nullable=False),
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_page_fetches_source_id"), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("next_try_at", Instant),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("tried_at", Instant),
        sa.Column("fetched_at", Instant),
        sa.Column("outcome", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("claimed_by", sa.Text),
        sa.Column("claimed_until", Instant),
        sa.PrimaryKeyConstraint("article_id", name="pk_page_fetches"),
    )
    op.create_index("ix_page_fetches_source_id_outcome", "page_fetches", ["source_id", "outcome"])
    waiting = sa.text("next_try_at IS NOT NULL")
    op.create_index(
        "ix_page_fetches_waiting",
        "page_fetches",
        ["host", "next_try_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "robots_txt",
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("fetched_at", Instant, nullable=False),
        sa.Column("rules", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("origin", name="pk_robots_txt"),
    )
    op.execute("INSERT INTO row_counts (table_name, row_count) VALUES ('page_fetches', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM row_counts WHERE table_name = 'page_fetches'")
    op.drop_table("robots_txt")
    op.drop_table("page_fetches")
    for table in ("revisions", "articles"):
        op.drop_column(table, "content_from")
    for name in OF_SOURCES:
        op.drop_column("sources", name)
