"""Upserts: rows that are inserted or, where their primary key exists already, updated."""

from collections.abc import Mapping

import sqlalchemy as sa


def upsert(table: sa.Table, changes: Mapping[str, str]) -> sa.TextClause:
    """The statement for rows of the table, whose parameters have the names of all its columns.

    `changes` gives the new values of an existing row by column, in SQL, where `excluded.NAME` is the value of the row
    that was to be inserted.
    """
    # Text, because both engines share this syntax and SQLAlchemy has `ON CONFLICT` only for one dialect at a time.
    key, names = ", ".join(table.primary_key.columns.keys()), table.c.keys()
    values = ", ".join(f":{name}" for name in names)
    updates = ", ".join(f"{name} = {value}" for name, value in changes.items())
    statement = sa.text(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({values}) "  # noqa: S608 - names of ours
        f"ON CONFLICT ({key}) DO UPDATE SET {updates}"
    )
    return statement.bindparams(*(sa.bindparam(column.name, type_=column.type) for column in table.c))
