"""The table `polls` in partitions by month, on PostgreSQL. Rows that are there become one partition, without a copy.

Revision 0022, after 0018.
"""

from collections.abc import Sequence

from alembic import op

revision = "0022"
down_revision = "0018"

_COLUMNS = """
  id bigint NOT NULL DEFAULT nextval('polls_id_seq'), source_id bigint NOT NULL, started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL, outcome text NOT NULL, http_status integer, bytes bigint NOT NULL,
  entries integer NOT NULL, new_articles integer NOT NULL, revised_articles integer NOT NULL,
  filtered integer NOT NULL DEFAULT 0, error_kind text, error text, flaw text
"""
_NAMES = (
    *("id", "source_id", "started_at", "duration_ms", "outcome", "http_status", "bytes", "entries"),
    *("new_articles", "revised_articles", "filtered", "error_kind", "error", "flaw"),
)
_INDEXES = {
    "ix_polls_source_id_started_at": "(source_id, started_at)",
    "ix_polls_outcome_started_at_source_id": "(outcome, started_at, source_id)",
    "ix_polls_flawed": "(started_at, source_id) WHERE flaw IS NOT NULL",
}
# The roles that may read the table; its owner is left out.
_READERS = """
SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
FROM pg_class, aclexplode(relacl)
WHERE pg_class.oid = 'polls'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
"""
_NEXT_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month'"


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    readers = bind.exec_driver_sql(_READERS).scalars().all()
    next_month = bind.exec_driver_sql(f"SELECT {_NEXT_MONTH}").scalar_one()
    past = f"polls_before_{next_month:%Y_%m}"
    _rename("polls", past)
    op.execute(f"CREATE TABLE polls ({_COLUMNS}) PARTITION BY RANGE (started_at)")
    _complete("polls", "id, started_at")
    op.execute("CREATE TABLE polls_default PARTITION OF polls DEFAULT")
    names = ", ".join(_NAMES)
    # The clock of a machine may have been wrong.
    later = f"WITH later AS (DELETE FROM {past} WHERE started_at >= '{next_month:%Y-%m-%d}+00' RETURNING {names}) "
    op.execute(f"{later} INSERT INTO polls ({names}) SELECT {names} FROM later")
    if bind.exec_driver_sql(f"SELECT 1 FROM {past} LIMIT 1").first():
        op.execute(f"ALTER TABLE {past} DROP CONSTRAINT pk_{past}")
        bounds = f"FROM (MINVALUE) TO ('{next_month:%Y-%m-%d}+00')"
        op.execute(f"ALTER TABLE polls ATTACH PARTITION {past} FOR VALUES {bounds}")
    else:
        op.drop_table(past)
    _grant(readers)


def downgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    readers = bind.exec_driver_sql(_READERS).scalars().all()
    _rename("polls", "polls_by_month")
    op.execute(f"CREATE TABLE polls ({_COLUMNS})")
    names = ", ".join(_NAMES)
    op.execute(f"INSERT INTO polls ({names}) SELECT {names} FROM polls_by_month")
    _complete("polls", "id")
    op.drop_table("polls_by_month")
    _grant(readers)


def _rename(table: str, name: str) -> None:
    """Rename a table and all that has a name of its own, and let its sequence outlive it."""
    op.execute("ALTER SEQUENCE polls_id_seq OWNED BY NONE")
    op.execute(f"ALTER TABLE {table} RENAME TO {name}")
    op.execute(f"ALTER TABLE {name} RENAME CONSTRAINT pk_{table} TO pk_{name}")
    op.execute(f"ALTER TABLE {name} RENAME CONSTRAINT fk_{table}_source_id TO fk_{name}_source_id")
    for index in _INDEXES:
        op.execute(f"ALTER INDEX {index} RENAME TO {index.replace(table, name, 1)}")


def _complete(table: str, key: str) -> None:
    op.execute(f"ALTER SEQUENCE polls_id_seq OWNED BY {table}.id")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
    op.create_foreign_key(f"fk_{table}_source_id", table, "sources", ["source_id"], ["id"])
    for index, columns in _INDEXES.items():
        op.execute(f"CREATE INDEX {index} ON {table} {columns}")


def _grant(readers: Sequence[str]) -> None:
    """Let these roles read the new table and its partitions."""
    partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'polls'::regclass"
    tables = ["polls", *op.get_bind().exec_driver_sql(partitions).scalars()]
    for reader in readers:
        op.execute(f"GRANT SELECT ON {', '.join(tables)} TO {reader}")
