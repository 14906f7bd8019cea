"""Index of articles by language, for the pages of `kzfeed web`.

Revision 0021, after 0020.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

# A hostile feed may name a language that is longer than what a B-tree of PostgreSQL takes.
_CONDITION = sa.text("length(language) <= 35")


def upgrade() -> None:
    columns = ["language", "published_at", "id"]
    op.create_index("ix_articles_language", "articles", columns, sqlite_where=_CONDITION, postgresql_where=_CONDITION)


def downgrade() -> None:
    op.drop_index("ix_articles_language", "articles")
