"""The front matter of archive files, which `kzfeed export --front-matter` writes again.

Revision 0016, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"


def upgrade() -> None:
    for table in ("articles", "revisions"):
        op.add_column(table, sa.Column("front_matter", sa.Text))


def downgrade() -> None:
    for table in ("revisions", "articles"):
        op.drop_column(table, "front_matter")
