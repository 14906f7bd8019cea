"""Statements that look up whole lists of values, in the words of each engine, and the lists in parts of a fair size."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

PART_SIZE = 5_000
"""How many values one list takes at most: SQLite bounds the number of parameters of a statement."""

Among = Callable[[sa.Column[Any], str], sa.ColumnElement[bool]]
"""Whether the column holds one of the values that are given under that name when the statement is executed."""


def _one_by_one(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


def _as_array(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    # One parameter, whatever the number of values: so the plan that PostgreSQL keeps is the one that takes the index.
    return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(column.type)))


def for_each_engine(statement: Callable[[Among], sa.Executable]) -> Mapping[str, Any]:
    """The statement by dialect, made once: to put it together anew takes longer than to execute it."""
    return {"sqlite": statement(_one_by_one), "postgresql": statement(_as_array)}


def rows(connection: sa.Connection, statements: Mapping[str, Any], **values: Any) -> Sequence[Any]:
    """All that a statement for each engine finds for these values."""
    return connection.execute(statements[connection.dialect.name], values).all()


def parts(values: Iterable[Any], size: int = PART_SIZE) -> Iterable[list[Any]]:
    """The values in order, in lists of at most so many."""
    ordered = sorted(values)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))
