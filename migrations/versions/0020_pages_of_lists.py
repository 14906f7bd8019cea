"""Indexes for lists in the order of time and for the days of a source: pages of `kzfeed web`.

Revision 0020, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0017"

_INDEXES = {
    "ix_articles_revision_seen": ("articles", ["revision_seen_at", "id"], "revision > 1"),
    "ix_revisions_seen": ("revisions", ["seen_at", "article_id", "revision"], "revision > 1"),
    "ix_withdrawals_from_at_article_id_source_id": ("withdrawals", ["from_at", "article_id", "source_id"], None),
    "ix_day_counts_source_id_day": ("day_counts", ["source_id", "day"], None),
}


def upgrade() -> None:
    for name, (table, columns, where) in _INDEXES.items():
        condition = None if where is None else sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
