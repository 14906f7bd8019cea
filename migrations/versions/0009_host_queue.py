"""A queue of hosts, so that one with very many due sources does not hide the others, and a table of claims.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.Text().with_variant(sa.TIMESTAMP(timezone=True), "postgresql")

_DUE_AT = (
    "SELECT next_poll_at FROM sources WHERE enabled = TRUE AND host = {row}.host AND next_poll_at IS NOT NULL "
    "ORDER BY next_poll_at LIMIT 1"
)
_QUEUE_HOST = (
    f"INSERT INTO host_queue (host, due_at) VALUES (NEW.host, ({_DUE_AT.format(row='NEW')})) "
    "ON CONFLICT (host) DO UPDATE SET due_at = excluded.due_at WHERE host_queue.due_at {differs} excluded.due_at"
)
_QUEUE_FORMER_HOST = f"UPDATE host_queue SET due_at = ({_DUE_AT.format(row='OLD')}) WHERE host = OLD.host"
_CHANGE = "UPDATE OF host, enabled, next_poll_at ON sources"
_TRIGGERS = (
    ("sources_new", "AFTER INSERT ON sources", "NEW.host IS NOT NULL", "queue_host()", _QUEUE_HOST),
    ("sources_changed", f"AFTER {_CHANGE}", "NEW.host IS NOT NULL", "queue_host()", _QUEUE_HOST),
    ("sources_moved", f"AFTER {_CHANGE}", "OLD.host <> NEW.host", "queue_former_host()", _QUEUE_FORMER_HOST),
)


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("source_id", Id, sa.ForeignKey("sources.id", name="fk_claims_source_id"), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("claimed_by", sa.Text, nullable=False),
        sa.Column("claimed_until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("source_id", name="pk_claims"),
    )
    # No claim is carried over: those who made them know only the old schema.
    op.drop_index("ix_sources_claimed_until", "sources")
    op.drop_column("sources", "claimed_until")
    op.drop_column("sources", "claimed_by")
    op.create_table(
        "host_queue",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("due_at", Instant),
        sa.PrimaryKeyConstraint("host", name="pk_host_queue"),
    )
    op.execute(
        "INSERT INTO host_queue (host, due_at) SELECT host, min(CASE WHEN enabled = TRUE THEN next_poll_at END) "
        "FROM sources WHERE host IS NOT NULL GROUP BY host"
    )
    op.create_index("ix_host_queue_due_at", "host_queue", ["due_at"])
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    differs = "IS DISTINCT FROM" if is_postgresql else "IS NOT"
    for name, event, condition, function, words in _TRIGGERS:
        statement = words.replace("{differs}", differs)
        if is_postgresql:
            op.execute(
                f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {statement}; RETURN NULL; END $$"
            )
            op.execute(f"CREATE TRIGGER {name} {event} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {function}")
        else:
            op.execute(f"CREATE TRIGGER {name} {event} WHEN {condition} BEGIN {statement}; END")


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name, *_ in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON sources" if is_postgresql else f"DROP TRIGGER {name}")
    if is_postgresql:
        op.execute("DROP FUNCTION queue_host(), queue_former_host()")
    op.drop_table("host_queue")
    op.add_column("sources", sa.Column("claimed_by", sa.Text))
    op.add_column("sources", sa.Column("claimed_until", Instant))
    op.create_index("ix_sources_claimed_until", "sources", ["claimed_until"])
    op.drop_table("claims")
