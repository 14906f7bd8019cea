"""Records as JSON, and back: one object for each row, with instants as ISO 8601 text in UTC.

What is read is checked against the schema, because anybody may have written it.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from kzfeed.article.build import derivation_version_of
from kzfeed.article.strings import is_storable
from kzfeed.article.url import URL_HASH
from kzfeed.instants import iso_text
from kzfeed.model.articles import StoredArticle
from kzfeed.source_names import expected_name, is_source_name
from kzfeed.store import tables
from kzfeed.store.transfer.records import (
    BELONGING,
    TEXTS,
    ArticleRecord,
    SourceRecord,
    Values,
    key_of_row,
    record_columns,
    whole_row,
)
from kzfeed.text import without_userinfo

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def json_of_article(record: ArticleRecord) -> dict[str, Any]:
    """The record as a JSON object, without its versions and without the columns in `TEXTS`."""
    return {**_json_of(record.article), **_belonging(record)}


def _belonging(record: ArticleRecord) -> dict[str, Any]:
    belonging: dict[str, Any] = {name: [_json_of(row) for row in rows] for name, rows in record.belonging.items()}
    return {**belonging, "tags": [row["tag"] for row in record.belonging.get("tags", ())]}


def json_of_whole_article(
    article: StoredArticle, record: ArticleRecord, sources: Iterable[SourceRecord]
) -> dict[str, Any]:
    """All of an article as a JSON object: the columns of `articles`, what belongs to it, versions, `sources`."""
    whole = {**_json_of(whole_row(article, record)), **_belonging(record)}
    if record.versions:
        whole["versions"] = [_json_of(values) for values in record.versions]
    if described := [json_of_source(source) for source in sources]:
        whole["sources"] = described
    return whole


def json_of_version(values: Values) -> dict[str, Any]:
    """An older version as a JSON object, without the columns in `TEXTS`."""
    return _json_of({name: value for name, value in values.items() if name not in TEXTS})


def json_of_source(record: SourceRecord) -> dict[str, Any]:
    """The record as a JSON object."""
    return {
        **_json_of(_without_passwords(record.source)),
        "addresses": [_json_of(_without_passwords(row)) for row in record.addresses],
        "gaps": [_json_of(row) for row in record.gaps],
    }


def _json_of(values: Values) -> dict[str, Any]:
    return {name: iso_text(value) if isinstance(value, datetime) else value for name, value in values.items()}


def article_of_json(given: Mapping[str, Any]) -> ArticleRecord:
    """The record in a JSON object, without the columns in `TEXTS`. Raises ValueError, which says what is wrong."""
    article = _values(tables.articles, given, TEXTS)
    if not URL_HASH.fullmatch(article["url_hash"]):
        raise ValueError(f"url_hash is {article['url_hash']!r:.80}: expected 64 hexadecimal digits")
    if derivation_version_of(article["fingerprint"]) is None:
        raise ValueError(
            f"fingerprint is {article['fingerprint']!r:.80}: expected a version, `:` and 64 hexadecimal digits"
        )
    versions = _rows(tables.revisions, given, "versions", TEXTS)
    numbers = [row["revision"] for row in versions]
    if numbers != sorted(set(numbers)) or not all(1 <= number < article["revision"] for number in numbers):
        raise ValueError(f"the revisions in versions are {numbers}: expected some of 1 to {article['revision'] - 1}")
    tags = given.get("tags", [])
    if not isinstance(tags, list):
        raise ValueError("tags is not a list")
    rows_of = {**given, "tags": [{"tag": tag} for tag in tags]}
    belonging = {name: _rows(table, rows_of, name) for name, table in BELONGING.items()}
    for name, rows in belonging.items():
        key = key_of_row(BELONGING[name])
        if key and len({tuple(row[column] for column in key) for row in rows}) < len(rows):
            raise ValueError(f"{name} has two rows with the same {' and '.join(key)}")
    if not all(1 <= row["revision"] <= article["revision"] for row in belonging["sightings"]):
        raise ValueError(f"a sighting's revision is not one of 1 to {article['revision']}")
    return ArticleRecord(article, versions, belonging)


def source_of_json(given: Any) -> SourceRecord:
    """The record in a JSON object. Raises ValueError, which says what is wrong."""
    if not isinstance(given, dict):
        raise ValueError("a source is not an object")
    source = _values(tables.sources, given)
    if not _is_source_name(source["name"]):
        raise ValueError(f"a source is named {source['name']!r:.80}: expected {expected_name(source['name'])}")
    addresses = _rows(tables.source_addresses, given, "addresses")
    return SourceRecord(
        _without_passwords(source), tuple(map(_without_passwords, addresses)), _rows(tables.gaps, given, "gaps")
    )


def _without_passwords(values: Values) -> Values:
    return {
        name: without_userinfo(value) if isinstance(value, str) and "://" in value else value
        for name, value in values.items()
    }


def _rows(table: sa.Table, given: Mapping[str, Any], key: str, left_out: Collection[str] = ()) -> tuple[Values, ...]:
    rows = given.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{key} is not a list of objects")
    return tuple(_values(table, row, left_out) for row in rows)


def _values(table: sa.Table, given: Mapping[str, Any], left_out: Collection[str] = ()) -> Values:
    """The table's values in a JSON object. Other keys are ignored: a later kzfeed may write more."""
    return {
        name: _value(f"{table.name}: {name}", column, given.get(name))
        for name, column in record_columns(table).items()
        if name not in left_out
    }


def _value(what: str, column: sa.Column[Any], given: Any) -> Any:
    if given is None and column.nullable:
        return None
    if column.foreign_keys:
        if _is_source_name(given):
            return given
        raise ValueError(f"{what} is {given!r:.80}: expected the name of a source, {expected_name(given)}")
    kind = column.type
    if isinstance(kind, tables.Instant):
        return _instant(what, given)
    if isinstance(kind, sa.Boolean):
        is_right = isinstance(given, bool)
    elif isinstance(kind, sa.Integer):
        bits = 63 if isinstance(kind, sa.BigInteger) else 31
        is_right = type(given) is int and -(2**bits) <= given < 2**bits
    elif isinstance(kind, sa.Double):
        is_right = type(given) in (int, float)
    else:
        is_right = isinstance(given, str) and is_storable(given)
    if not is_right:
        raise ValueError(f"{what} is {given!r:.80}: expected {_EXPECTED.get(type(kind), 'text that can be stored')}")
    return given


def _is_source_name(given: Any) -> bool:
    # Somebody may have put a name with capitals into the database: its articles must come back too.
    return isinstance(given, str) and is_source_name(given.lower())


_EXPECTED: dict[type, str] = {
    sa.Boolean: "true or false",
    sa.Integer: "a whole number of 4 bytes",
    sa.BigInteger: "a whole number of 8 bytes",
    sa.Double: "a number",
}


def _instant(what: str, given: Any) -> datetime:
    if isinstance(given, str) and _INSTANT.fullmatch(given):
        with suppress(ValueError):  # the 30th of February
            return datetime.fromisoformat(given)
    raise ValueError(f"{what} is {given!r:.80}: expected an instant such as 2022-01-11T17:39:03.000Z")
