"""Servers, databases and variables of PostgreSQL with other settings than its defaults."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.databases import Databases, execute
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Reply, recording
from tests.fork_server import clean_environment, fork_server


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_without_all_characters_is_refused(postgresql: str, tmp_path: Path, encoding: str) -> None:
    databases = Databases(tmp_path, postgresql)
    name = f"test_{encoding.lower()}"
    execute(
        postgresql,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
        "STRATEGY file_copy",
    )
    url = sa.make_url(postgresql).set(database=name).render_as_string(hide_password=False)
    said = (
        f"kzfeed: the encoding of the database {name} is {encoding}, which has not all characters: "
        "CREATE DATABASE NAME ENCODING 'UTF8' TEMPLATE template0 makes one that kzfeed can use\n"
    )
    try:
        for command in ("backfill", "."), ("list",):
            done = fork_server().run(["--database", url, *command], tmp_path, clean_environment())
            assert (done.returncode, done.stdout, done.stderr) == (3, "", said)
    finally:
        databases.drop(url)


def test_settings_of_sessions_that_the_driver_cannot_read_make_no_difference(
    postgresql_url: str, tmp_path: Path
) -> None:
    (tmp_path / "one.txt").write_text(
        "<!--1641922743000-->\n[标题](https://a.example/1)\n------\n\n<p>正文</p>\n", "utf-8"
    )
    name = sa.make_url(postgresql_url).database
    execute(postgresql_url, f"ALTER DATABASE {name} SET datestyle = 'German, DMY'")
    execute(postgresql_url, f"ALTER DATABASE {name} SET intervalstyle = 'sql_standard'")

    def kzfeed(*arguments: str) -> str:
        environment = clean_environment(PGCLIENTENCODING="latin1", PGTZ="Asia/Almaty")
        done = fork_server().run(["--database", postgresql_url, *arguments], tmp_path, environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert kzfeed("backfill", "one.txt").startswith("1 file: 1 new")
    assert "2022-01-11 17:39  a.example  标题" in kzfeed("list")
    assert "2022-01-11 17:39:03" in kzfeed("query", "SELECT published_at, interval '1 day' FROM articles")


def test_nothing_is_visited_or_written_while_the_server_takes_no_writes(postgresql_url: str, tmp_path: Path) -> None:
    with recording() as server:
        page = server.page("/feed", Reply(body=rss()))
        source = f'[[sources]]\nname = "voa"\nurl = "http://127.0.0.1:{server.port}/feed"\n'
        (tmp_path / "kzfeed.toml").write_text(source, "utf-8")

        def kzfeed(*arguments: str) -> tuple[int, str]:
            done = fork_server().run(["--database", postgresql_url, *arguments], tmp_path, clean_environment())
            return done.returncode, done.stderr

        assert kzfeed("poll")[0] == 0
        execute(
            postgresql_url,
            f"ALTER DATABASE {sa.make_url(postgresql_url).database} SET default_transaction_read_only = on",
        )
        refused = [kzfeed("poll"), kzfeed("db", "recount")]
        visits = len(page.seen)

    assert visits == 1
    for status, said in refused:
        assert status == 3
        assert said.startswith("kzfeed: the database is read-only at present (default_transaction_read_only, or a")
        assert said.count("\n") == 1
