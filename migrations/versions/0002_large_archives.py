"""For large archives: claims are found by an index, and articles seen again stay on their page in PostgreSQL.

Revision 0002, after 0001.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("ix_sources_claimed_until", "sources", ["claimed_until"])
    if op.get_bind().dialect.name == "postgresql":
        # Only of pages that are still to be written: those that are there stay full until VACUUM FULL.
        op.execute("ALTER TABLE articles SET (fillfactor = 90)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE articles RESET (fillfactor)")
    op.drop_index("ix_sources_claimed_until", "sources")
