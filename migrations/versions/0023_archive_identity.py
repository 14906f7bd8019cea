"""Identity of the archive, by which a folder of archive files knows the database that wrote it.

Revision 0023, after 0022.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    table = op.create_table("archive_identity", sa.Column("id", sa.Text, primary_key=True))
    op.bulk_insert(table, [{"id": uuid.uuid4().hex}])


def downgrade() -> None:
    op.drop_table("archive_identity")
