"""A date for each older version of an article, and the dates that articles had before they were corrected.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("revisions", sa.Column("published_at", Instant))
    op.add_column("revisions", sa.Column("published_raw", sa.Text))
    # Until now an article kept the date of its first version.
    for column in ("published_at", "published_raw"):
        op.execute(
            f"UPDATE revisions SET {column} = (SELECT {column} FROM articles WHERE articles.id = revisions.article_id)"
        )
    op.create_table(
        "former_dates",
        sa.Column("id", Id, nullable=False),
        sa.Column("article_id", Id, sa.ForeignKey("articles.id", name="fk_former_dates_article_id"), nullable=False),
        sa.Column("published_at", Instant),
        sa.Column("published_raw", sa.Text),
        sa.Column("replaced_at", Instant, nullable=False),
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_former_dates_source_id"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_former_dates"),
    )
    op.create_index("ix_former_dates_article_id", "former_dates", ["article_id"])
    op.execute("INSERT INTO row_counts (table_name, row_count) VALUES ('former_dates', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM row_counts WHERE table_name = 'former_dates'")
    op.drop_table("former_dates")
    op.drop_column("revisions", "published_raw")
    op.drop_column("revisions", "published_at")
