"""Databases that only read: the engine refuses to write, and stops statements that take too long."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kzfeed.errors import DatabaseError, StatementTimeout
from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.web.site import url_of

ENDLESS = {
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.fixture
def reader(database: Database) -> Iterator[Database]:
    with closing(Database(url_of(database), create=False, query_time_limit=timedelta(seconds=0.2))) as reader:
        yield reader


def test_the_engine_refuses_to_write(reader: Database) -> None:
    for statement in (sa.insert(tables.tags).values(article_id=1, tag="x"), sa.text("DROP TABLE tags")):
        with pytest.raises(sa.exc.DBAPIError, match=r"readonly|read-only"), reader.engine.begin() as connection:
            connection.execute(statement)
    with pytest.raises(DatabaseError), reader.write() as connection:
        connection.execute(sa.delete(tables.articles))


def test_a_statement_that_takes_too_long_is_stopped_and_the_next_one_is_not(reader: Database) -> None:
    for _ in range(2):
        with pytest.raises(StatementTimeout), reader.read() as connection:
            connection.exec_driver_sql(ENDLESS[reader.dialect]).all()
        with reader.read() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
