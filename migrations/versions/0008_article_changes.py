"""A list of the articles that changed after they were stored, from which the search index learns of them.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "article_changes",
        sa.Column("id", Id, nullable=False),
        sa.Column("article_id", Id, sa.ForeignKey("articles.id", name="fk_article_changes_article_id"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_article_changes"),
    )
    op.execute("INSERT INTO row_counts (table_name, row_count) VALUES ('article_changes', 0)")


def downgrade() -> None:
    op.execute("DELETE FROM row_counts WHERE table_name = 'article_changes'")
    op.drop_table("article_changes")
