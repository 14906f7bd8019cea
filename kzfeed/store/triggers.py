"""Triggers of the table `sources`, which keep `host_queue`: when each host is due."""

import sqlalchemy as sa

from kzfeed.store.tables import metadata

_DUE_AT = (
    "SELECT next_poll_at FROM sources WHERE enabled = TRUE AND host = {row}.host AND next_poll_at IS NOT NULL "
    "ORDER BY next_poll_at LIMIT 1"
)
_QUEUE_FORMER_HOST = f"UPDATE host_queue SET due_at = ({_DUE_AT.format(row='OLD')}) WHERE host = OLD.host"  # noqa: S608 - words of ours


def _queue_host(differs: str) -> str:
    # Not where nothing changes: PostgreSQL would keep each of the equal rows until the transaction ends.
    return (
        f"INSERT INTO host_queue (host, due_at) VALUES (NEW.host, ({_DUE_AT.format(row='NEW')})) "  # noqa: S608 - the same
        f"ON CONFLICT (host) DO UPDATE SET due_at = excluded.due_at WHERE host_queue.due_at {differs} excluded.due_at"
    )


_QUEUE_HOST = {"sqlite": _queue_host("IS NOT"), "postgresql": _queue_host("IS DISTINCT FROM")}
_CHANGE = "UPDATE OF host, enabled, next_poll_at ON sources"
_EACH_ROW = "FOR EACH ROW WHEN"

TRIGGERS = {
    "sqlite": {
        "sources_new": f"AFTER INSERT ON sources WHEN NEW.host IS NOT NULL BEGIN {_QUEUE_HOST['sqlite']}; END",
        "sources_changed": f"AFTER {_CHANGE} WHEN NEW.host IS NOT NULL BEGIN {_QUEUE_HOST['sqlite']}; END",
        "sources_moved": f"AFTER {_CHANGE} WHEN OLD.host <> NEW.host BEGIN {_QUEUE_FORMER_HOST}; END",
    },
    "postgresql": {
        "sources_new": f"AFTER INSERT ON sources {_EACH_ROW} (NEW.host IS NOT NULL) EXECUTE FUNCTION queue_host()",
        "sources_changed": f"AFTER {_CHANGE} {_EACH_ROW} (NEW.host IS NOT NULL) EXECUTE FUNCTION queue_host()",
        "sources_moved": f"AFTER {_CHANGE} {_EACH_ROW} (OLD.host <> NEW.host) EXECUTE FUNCTION queue_former_host()",
    },
}
"""The triggers of `sources` by name, for each engine. They also see changes that people make by SQL."""
_FUNCTION = "CREATE OR REPLACE FUNCTION {} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NULL; END $$"
_FUNCTIONS = [
    _FUNCTION.format("queue_host()", _QUEUE_HOST["postgresql"]),
    _FUNCTION.format("queue_former_host()", _QUEUE_FORMER_HOST),
]
for _dialect, _statements in {"sqlite": [], "postgresql": _FUNCTIONS}.items():
    for _statement in (*_statements, *(f"CREATE TRIGGER {name} {what}" for name, what in TRIGGERS[_dialect].items())):
        _create = sa.DDL(_statement).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call] # SQLAlchemy's omission
        sa.event.listen(metadata, "after_create", _create)
