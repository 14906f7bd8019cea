"""Rows by the many are stored as rows one by one would be, whatever is in them, and refused as those would be."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.store import tables
from kzfeed.store.bulk import ForMany
from kzfeed.store.engine import Database, is_trouble

NOW = datetime(2022, 1, 11, 18, 0, 0, 123456, UTC)
NAMES = [column.name for column in tables.articles.c]
ARTICLES = ForMany(sa.insert(tables.articles), NAMES)
MEDIA = ForMany(sa.insert(tables.media), ["article_id", "kind", "url", "mime_type", "size_bytes"])

TEXTS = (
    "",
    " ",
    "\t\n\r\n\x0b\x85\u2028",
    "\\",
    "\\N",
    "\\.",
    "\\\\n\\t",
    "NULL",
    "'\"`%s:a?",
    "\ufeff正文🏔\U0010ffff",
)
INSTANTS = (
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2022, 1, 12, 2, 0, 0, 123456, timezone(timedelta(hours=8))),
)


def row(number: int, text: str = "正文", published_at: datetime | None = None, revision: int = 1) -> tuple[Any, ...]:
    optional = text or None
    return (
        *(number, f"{number:064}", optional, text, text, text, published_at, optional, optional, None),
        *(NOW, NOW, 1, revision, NOW, 1, "mark"),
    )


@pytest.fixture
def source(database: Database) -> Database:
    """A database with a source, of the id 1."""
    values = {"id": 1, "name": "voa", "enabled": True, "status": "active", "auto": False, "ask_in_full": False}
    with database.write() as connection:
        connection.execute(sa.insert(tables.sources).values(values | {"failure_count": 0, "moved_polls": 0}))
    return database


def stored(database: Database, table: sa.Table = tables.articles) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(each) for each in connection.execute(sa.select(table).order_by(table.c.id))]


def by_the_many(database: Database, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with database.write() as connection:
        ARTICLES.execute(connection, rows)
    return stored(database)


def one_by_one(database: Database, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with database.write() as connection:
        connection.execute(sa.delete(tables.articles))
        for each in rows:
            connection.execute(sa.insert(tables.articles).values(dict(zip(NAMES, each, strict=True))))
    return stored(database)


def test_odd_texts_and_instants_are_stored_as_they_are(source: Database) -> None:
    texts = [*TEXTS, "长" * 2**20, "\\\n\t" * 10_000]
    rows = [row(number, text, INSTANTS[number % 4]) for number, text in enumerate(texts, 1)]

    found = by_the_many(source, rows)

    assert [each[3:6] for each in found] == [(text, text, text) for text in texts]
    expected = [when.replace(microsecond=when.microsecond // 1000 * 1000) for when in INSTANTS]
    assert [each[6] for each in found] == [expected[number % 4] for number in range(1, len(rows) + 1)]
    assert found == one_by_one(source, rows)


def test_text_given_in_utf_8_is_stored_as_text(source: Database) -> None:
    texts = [*TEXTS, "长" * 2**20]
    rows = [row(number, text) for number, text in enumerate(texts, 1)]
    in_utf_8 = [(*each[:4], each[4].encode(), each[5].encode(), *each[6:]) for each in rows]

    assert by_the_many(source, in_utf_8) == one_by_one(source, rows) == one_by_one(source, in_utf_8)
    if source.dialect == "sqlite":
        with source.read() as connection:
            kinds = connection.exec_driver_sql("SELECT DISTINCT typeof(content), typeof(text) FROM articles").all()
        assert kinds == [("text", "text")]


def test_a_single_row_is_a_row_too_and_none_are_no_work(source: Database) -> None:
    assert by_the_many(source, []) == []
    assert by_the_many(source, [row(1)]) == one_by_one(source, [row(1)])


def test_what_is_not_named_is_given_by_the_database(source: Database) -> None:
    by_the_many(source, [row(1)])
    with source.write() as connection:
        MEDIA.execute(
            connection, [(1, "image", "https://e.example/1", None, 2**63 - 1), (1, "video", "\t", "a/b", None)]
        )

    assert stored(source, tables.media) == [
        (1, 1, "image", "https://e.example/1", None, None, 2**63 - 1),
        (2, 1, "video", "\t", None, "a/b", None),
    ]


def test_an_update_takes_each_row_to_its_own(source: Database) -> None:
    update = sa.update(tables.articles).where(tables.articles.c.id == sa.bindparam("the_id"))
    by_the_many(source, [row(1), row(2), row(3)])
    with source.write() as connection:
        # In another order than the statement's.
        moved = ForMany(update, ["the_id", "published_at", "title"])
        moved.execute(connection, {3: (3, INSTANTS[3], "\\N"), 1: (1, None, "一")}.values())

    assert [each[3] for each in stored(source)] == ["一", "正文", "\\N"]
    assert [each[6] for each in stored(source)] == [None, None, INSTANTS[3].replace(microsecond=123000)]


@pytest.mark.parametrize(
    "bad",
    [row(1), (*row(9)[:12], 77, *row(9)[13:]), (*row(9)[:3], None, *row(9)[4:])],
    ids=["an id that is taken", "a source that is not there", "no title"],
)
def test_what_the_database_refuses_is_its_error_and_takes_all_rows_back(source: Database, bad: Any) -> None:
    by_the_many(source, [row(1)])

    with pytest.raises(DatabaseError) as raised:
        by_the_many(source, [row(2), bad, row(3)])

    assert isinstance(raised.value.__cause__, sa.exc.IntegrityError)
    assert not is_trouble(raised.value)
    assert [each[0] for each in stored(source)] == [1]
    assert [each[0] for each in by_the_many(source, [row(2)])] == [1, 2]


@pytest.mark.parametrize("bad", [row(2, revision=-(2**63) - 1), row(2, "\ud800")], ids=["a number", "a surrogate"])
def test_what_cannot_be_written_at_all_takes_all_rows_back(source: Database, bad: Any) -> None:
    with pytest.raises((OverflowError, UnicodeEncodeError)):
        by_the_many(source, [row(1), bad, row(3)])
    assert stored(source) == []


@pytest.mark.parametrize("revision", [2**31 - 1, 2**31, 2**32 + 1, -(2**31), -(2**31) - 1])
def test_a_number_is_stored_whole_or_not_at_all(source: Database, revision: int) -> None:
    try:
        found = by_the_many(source, [row(1, revision=revision)])
    except OverflowError:
        assert source.dialect == "postgresql"
        assert not -(2**31) <= revision < 2**31
        assert stored(source) == []
    else:
        assert found[0][13] == revision


def test_a_connection_that_is_lost_meanwhile_is_trouble(source: Database) -> None:
    if source.dialect != "postgresql":
        pytest.skip("an SQLite file has no connection to lose")

    def write_and_lose() -> None:
        with source.write() as connection:
            process = connection.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
            with source.engine.connect() as other:
                other.execute(sa.select(sa.func.pg_terminate_backend(process, 5000)))
            ARTICLES.execute(connection, [row(1), row(2)])

    with pytest.raises(DatabaseError) as raised:
        write_and_lose()

    assert is_trouble(raised.value)
    assert [each[0] for each in by_the_many(source, [row(1)])] == [1]
