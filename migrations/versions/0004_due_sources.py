"""For backlogs: due sources are found by index, in order of time and on each host.

Revision 0004, after 0003.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_sources_enabled_next_poll_at", "sources", ["enabled", "next_poll_at"])
    op.create_index("ix_sources_enabled_host_next_poll_at", "sources", ["enabled", "host", "next_poll_at"])
    op.drop_index("ix_sources_next_poll_at", "sources")


def downgrade() -> None:
    op.create_index("ix_sources_next_poll_at", "sources", ["next_poll_at"])
    op.drop_index("ix_sources_enabled_host_next_poll_at", "sources")
    op.drop_index("ix_sources_enabled_next_poll_at", "sources")
