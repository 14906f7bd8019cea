"""The kinds of values in exported columns, for formats that have types of their own."""

from collections.abc import Mapping
from typing import Any, Literal

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.transfer.records import BELONGING, article_columns, record_columns

Kind = Literal["text", "instant", "integer", "bigint", "double", "boolean"]
"""An `integer` has 4 bytes, a `bigint` 8."""


def columns_of_article() -> dict[str, Kind]:
    """The kinds of `article_columns`. Names of sources are text, their ids numbers."""
    own = tables.articles.c
    return {name: _kind(own[name]) if name in own else "text" for name in article_columns()}


def columns_of_lists() -> dict[str, Mapping[str, Kind]]:
    """The kinds of the columns of all rows that belong to an article, by table; its older versions as `versions`."""
    return {
        name: {
            column: "text" if found.foreign_keys else _kind(found) for column, found in record_columns(table).items()
        }
        for name, table in {**BELONGING, "versions": tables.revisions}.items()
    }


def _kind(column: sa.Column[Any]) -> Kind:
    match column.type:
        case tables.Instant():
            return "instant"
        case sa.Boolean():
            return "boolean"
        case sa.BigInteger():
            return "bigint"
        case sa.Integer():
            return "integer"
        case sa.Double():
            return "double"
        case sa.Text():
            return "text"
    raise TypeError(f"{column}: no kind of export for {column.type!r}")
