"""Indexes for `kzfeed stats` and `kzfeed list`: polls by outcome and time, and the articles that its filters select.

Revision 0012, after 0011.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("ix_articles_undated", "articles", ["id"], "published_at IS NULL"),
    ("ix_articles_revised", "articles", ["published_at", "id"], "revision > 1"),
    ("ix_sightings_withdrawn", "sightings", ["article_id"], "withdrawn_at IS NOT NULL"),
    ("ix_polls_flawed", "polls", ["started_at", "source_id"], "flaw IS NOT NULL"),
    ("ix_polls_outcome_started_at_source_id", "polls", ["outcome", "started_at", "source_id"], None),
)


def upgrade() -> None:
    for name, table, columns, condition in _INDEXES:
        where: dict[str, Any] = {}
        if condition:
            where = {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
        op.create_index(name, table, columns, **where)
    # Tags may be longer than what a B-tree of PostgreSQL takes.
    op.create_index("ix_tags_tag", "tags", ["tag"], postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_tags_tag", "tags")
    for name, table, *_ in _INDEXES:
        op.drop_index(name, table)
