"""Statements for many rows at a time: rows as tuples in, one statement for all of them out, on PostgreSQL a COPY.

SQLAlchemy by itself looks at every row as a mapping and at every value alone, which takes about as long as storing
them does. Here a statement is put into words once for each engine, and values are converted column by column.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from kzfeed.store.tables import Instant

Row = tuple[Any, ...]
_Conversion = Callable[[Iterable[Any]], Iterable[Any]]
"""Of all that stands in one column of the rows."""


@dataclass(frozen=True, slots=True)
class _Words:
    """A statement in the words of one engine, what each of its values is in a row, and what makes it one to store."""

    text: str
    values: Sequence[tuple[int, _Conversion | None]]
    options: Mapping[str, Any]


class ForMany:
    """An INSERT or UPDATE that is executed for many rows; `names` says which parameter each value of a row is."""

    def __init__(self, statement: sa.Insert | sa.Update, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = names
        self._words: dict[str, _Words] = {}

    def execute(self, connection: sa.Connection, rows: Iterable[Row]) -> None:
        """Execute it for each of the rows, in their order; for none of them nothing is done."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return
        dialect = connection.dialect
        words = self._words.get(dialect.name)
        if words is None:
            words = self._words[dialect.name] = self._in_words_of(dialect)
        converted = [convert(columns[at]) if convert else columns[at] for at, convert in words.values]
        connection.exec_driver_sql(words.text, list(zip(*converted, strict=True)), execution_options=words.options)

    def _in_words_of(self, dialect: Dialect) -> _Words:
        if isinstance(self._statement, sa.Insert) and dialect.name == "postgresql":
            return self._as_copy(self._statement.table.c, dialect)
        compiled = self._statement.compile(dialect=dialect, column_keys=self._names)
        names = compiled.positiontup or ()
        values = [(self._names.index(name), _conversion(compiled.binds[name].type, dialect)) for name in names]
        return _Words(str(compiled), values, {})

    def _as_copy(self, columns: sa.ColumnCollection[str, Any], dialect: Dialect) -> _Words:
        kinds = [columns[name].type for name in self._names]
        into = f"{columns[self._names[0]].table.name} ({', '.join(self._names)})"
        values = [(at, _conversion(kind, dialect, into_copy=True)) for at, kind in enumerate(kinds)]
        types = [kind.compile(dialect).lower() for kind in kinds]
        return _Words(f"COPY {into} FROM STDIN (FORMAT BINARY)", values, {"copy_types": types})


def _conversion(kind: sa.types.TypeEngine[Any], dialect: Dialect, *, into_copy: bool = False) -> _Conversion | None:
    """What makes of values such as the engine's driver takes; None where it takes them as they are."""
    if into_copy and isinstance(kind, sa.Integer) and not isinstance(kind, sa.BigInteger):
        return partial(map, _in_four_bytes)
    convert: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    if convert is None:
        return None
    # Instants are mostly the same in many rows: the moment of their poll.
    return partial(_each_once, convert) if isinstance(kind, Instant) else partial(map, convert)


def _each_once(convert: Callable[[Any], Any], values: Iterable[Any]) -> Iterable[Any]:
    return map(cache(convert), values)


def _in_four_bytes(number: int | None) -> int | None:
    """The number, if four bytes hold it: in a binary COPY, psycopg would cut off the rest."""
    if number is not None and not -(2**31) <= number < 2**31:
        raise OverflowError(f"{number} is no integer of four bytes")
    return number
