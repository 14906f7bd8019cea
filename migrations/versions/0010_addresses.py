"""An index of addresses: `kzfeed show URL` finds all articles that share one.

Revision 0010, after 0009.
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # Addresses may be longer than what a B-tree of PostgreSQL takes.
    op.create_index("ix_articles_url", "articles", ["url"], postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_articles_url", "articles")
