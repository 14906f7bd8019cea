"""How an engine would run the queries of a function on a large archive."""

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from kzfeed.store.engine import Database

FULL_SCAN = re.compile(
    r"SCAN (articles|polls|sightings|revisions|tags)\b"
    r"(?! USING (COVERING )?INDEX ix_\w+_(undated|revised|withdrawn))"
    r"|Seq Scan on (articles|polls|sightings|revisions|tags)\b"
)
"""A plan that reads all rows of a large table or, on SQLite, all entries of an index that is not of a few rows only.

It does not tell whether PostgreSQL reads an index from one end to the other: an Index Scan without Index Cond is also
the plan of a page that ends after a few entries.
"""


def plans_of(database: Database, function: Callable[[], object]) -> list[tuple[str, str]]:
    """Each SELECT statement that the function runs on tables, and the engine's plan for it, as text."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM" in statement:
            asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    function()
    sa.event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
        if connection.dialect.name == "postgresql":
            # It would read so few rows without an index. A table without one for the query is still scanned.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        return [
            (statement, "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)))
            for statement, parameters in asked
        ]
