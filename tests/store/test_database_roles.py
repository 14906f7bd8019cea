"""`kzfeed db grant`: a PostgreSQL role reads everything but secrets, and can be dropped after `db revoke`."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command as alembic
from sqlalchemy.exc import ProgrammingError

from kzfeed.explanation import explanation_lines
from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources
from kzfeed.store.database_roles import WITHHELD, grant
from kzfeed.store.engine import Database
from kzfeed.store.queries.source_list import addresses, sources_page
from kzfeed.store.queries.statistics import Period
from tests.databases import Databases, execute
from tests.etiquette.recording_server import Reply, recording
from tests.fork_server import clean_environment, fork_server
from tests.store.test_schema import migrate
from tests.test_cookbook import queries

ROLE = 'Reader "one"'
NOW = datetime(2022, 1, 11, 18, tzinfo=UTC)
QUOTED = '"Reader ""one"""'


def kzfeed(url: str, folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = fork_server().run(["--database", url, *arguments], folder, clean_environment())
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def url(postgresql: str, postgresql_template: str, tmp_path: Path) -> Iterator[str]:
    """A database on PostgreSQL, and a role that may log in."""
    databases = Databases(tmp_path, postgresql)
    url = databases.new("postgresql", template=postgresql_template)
    execute(url, f"CREATE ROLE {QUOTED} LOGIN")
    yield url
    databases.drop(url)
    execute(postgresql, f"DROP ROLE IF EXISTS {QUOTED}")


@pytest.fixture
def reader(url: str) -> Iterator[sa.Engine]:
    """Connections of the role."""
    role_url = sa.make_url(url).set(drivername="postgresql+psycopg", username=ROLE)
    engine = sa.create_engine(role_url, connect_args={"client_encoding": "UTF8"})
    yield engine
    engine.dispose()


def refused(engine: sa.Engine, statement: str) -> str:
    with pytest.raises(ProgrammingError) as raised, engine.begin() as connection:
        connection.exec_driver_sql(statement)
    return str(getattr(raised.value.orig, "sqlstate", ""))


def test_a_role_reads_every_table_and_view_and_writes_none(url: str, reader: sa.Engine, tmp_path: Path) -> None:
    assert refused(reader, "SELECT * FROM articles") == "42501"

    status, said, _ = kzfeed(url, tmp_path, "db", "grant", ROLE)

    assert status == 0
    assert f"TO {QUOTED}" in said
    assert said.endswith("may read everything but the addresses of sources, which may hold secrets\n")
    with reader.connect() as connection:
        inspector = sa.inspect(connection)
        for name in [*inspector.get_table_names(), *inspector.get_view_names()]:
            names = (each["name"] for each in inspector.get_columns(name))
            readable = ", ".join(each for each in names if each not in WITHHELD.get(name, ()))
            connection.exec_driver_sql(f"SELECT {readable} FROM {name}").all()
        for sql in queries("PostgreSQL").values():
            connection.execution_options(no_parameters=True).exec_driver_sql(sql).all()
    for table, columns in WITHHELD.items():
        for column in columns:
            assert refused(reader, f"SELECT {column} FROM {table}") == "42501"
    assert refused(reader, "DELETE FROM tags") == "42501"
    assert refused(reader, "UPDATE articles SET title = ''") == "42501"


def test_the_role_can_use_kzfeed_itself(url: str, reader: sa.Engine, tmp_path: Path) -> None:
    kzfeed(url, tmp_path, "db", "grant", ROLE)
    own = sa.make_url(url).set(username=ROLE).render_as_string(hide_password=False)

    for arguments in (["query", "SELECT count(*) FROM articles"], ["list", "--tag", "t"], ["stats"]):
        assert kzfeed(own, tmp_path, *arguments)[0] == 0, arguments
    assert kzfeed(own, tmp_path, "status")[0] == 1  # no daemon runs
    status, _, said = kzfeed(own, tmp_path, "query", "SELECT url FROM sources")
    assert (status, "permission denied" in said, said.count("\n")) == (2, True, 1)


def test_the_role_sees_sources_and_why_they_are_polled_when_they_are(url: str, tmp_path: Path) -> None:
    kzfeed(url, tmp_path, "db", "grant", ROLE)
    config = SourceConfig("voa", "https://voa.example/rss?token=geheim")
    owned, read = Database(url), Database(sa.make_url(url).set(username=ROLE).render_as_string(hide_password=False))
    with closing(owned), closing(read):
        sources.add(owned, [config], NOW)
        (line,) = sources_page(read, Period(NOW.date(), NOW.date()), limit=5)
        source = sources.load_without_addresses(read, "voa")
        assert source
        told = list(map(str, explanation_lines(read, source, NOW)))
        (address,) = addresses(read, source.id)

    assert (line.host, line.next_poll_at) == ("voa.example", NOW)
    assert (address.host, address.reason) == (None, "configured")
    assert "never polled before" in told[0]
    assert "geheim" not in f"{line}{source}{told}"


def test_the_errors_of_polls_do_not_tell_the_role_the_address(url: str, reader: sa.Engine, tmp_path: Path) -> None:
    refusals = {"missing": Reply(404), "gone": Reply(410), "circle": Reply(302, [("Location", "/geheim/circle")])}
    with recording() as server:
        for name, refusal in refusals.items():
            server.page(f"/geheim/{name}", refusal)
        text = "".join(
            f'[[sources]]\nname = "{name}"\nurl = "http://127.0.0.1:{server.port}/geheim/{name}"\n' for name in refusals
        )
        (tmp_path / "kzfeed.toml").write_text(text, "utf-8")
        assert kzfeed(url, tmp_path, "poll")[0] == 1
    kzfeed(url, tmp_path, "db", "grant", ROLE)

    with reader.connect() as connection:
        told = [
            *connection.exec_driver_sql("SELECT error FROM polls").scalars(),
            *connection.exec_driver_sql("SELECT last_error FROM sources").scalars(),
            *connection.exec_driver_sql("SELECT last_error FROM source_health").scalars(),
        ]
    assert len(told) == 9
    assert "geheim" not in f"{told}"
    assert f"http://127.0.0.1:{server.port}: the server answered 404" in told


def test_an_upgrade_takes_addresses_out_of_the_errors_that_are_stored(url: str) -> None:
    with closing(Database(url)) as database:
        sources.add(database, [SourceConfig("voa", "https://voa.example/geheim/rss")], NOW)
        migrate(database, alembic.downgrade, "0024")
        said = "https://voa.example/geheim/rss: the server answered 404"
        offline = f"as all hosts do, because most hosts fail: http-status: {said}"
        execute(url, f"UPDATE sources SET last_error = '{said}'")
        execute(
            url,
            "INSERT INTO polls (source_id, started_at, duration_ms, outcome, bytes, entries, new_articles, "
            f"revised_articles, error) SELECT 1, now(), 1, 'failed', 0, 0, 0, 0, unnest(ARRAY['{said}', '{offline}'])",
        )
        migrate(database, alembic.upgrade, "head")
        with database.read() as connection:
            errors = connection.exec_driver_sql("SELECT error FROM polls ORDER BY id").scalars().all()
            last = connection.exec_driver_sql("SELECT last_error FROM sources").scalar_one()

    origin = "https://voa.example: the server answered 404"
    assert last == origin
    assert errors == [origin, f"as all hosts do, because most hosts fail: http-status: {origin}"]


@pytest.mark.parametrize("command", ["grant", "revoke"])
def test_the_owner_and_a_role_that_writes_keep_their_rights(url: str, tmp_path: Path, command: str) -> None:
    execute(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {QUOTED}")
    owner = str(sa.make_url(url).username)

    for role in (owner, ROLE):
        status, printed, said = kzfeed(url, tmp_path, "db", command, role)
        assert (status, printed) == (2, "")
        assert said == f"kzfeed: {role} may write this archive, so it may read all of it: name a role that only reads\n"

    execute(url, f"SET ROLE {QUOTED}; SELECT url FROM sources")


def test_a_role_may_read_the_new_columns_of_an_upgraded_database(url: str, reader: sa.Engine) -> None:
    database = Database(url)
    with closing(database):
        migrate(database, alembic.downgrade, "0023")
        grant(database, ROLE)
        execute(url, f"ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM {QUOTED}")
        migrate(database, alembic.upgrade, "head")

    with reader.connect() as connection:
        connection.exec_driver_sql("SELECT last_error_kind, last_error FROM source_health").all()
        connection.exec_driver_sql("SELECT last_error_kind, last_error FROM sources").all()


def test_later_tables_are_included_and_a_revoked_role_reads_nothing_and_can_be_dropped(
    url: str, reader: sa.Engine, tmp_path: Path
) -> None:
    assert kzfeed(url, tmp_path, "db", "grant", ROLE)[0] == 0
    execute(url, "CREATE TABLE later (id int)")
    with reader.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM later").all() == []

    assert kzfeed(url, tmp_path, "db", "revoke", ROLE)[0] == 0

    assert refused(reader, "SELECT * FROM later") == "42501"
    assert refused(reader, "SELECT name FROM sources") == "42501"
    reader.dispose()
    execute(url, f"DROP ROLE {QUOTED}")


def test_an_unknown_role_is_one_sentence_with_the_nearest(url: str, tmp_path: Path) -> None:
    status, _, said = kzfeed(url, tmp_path, "db", "grant", "postgre")

    assert (status, said) == (
        2,
        "kzfeed: the server has no role 'postgre': the nearest is postgres; CREATE ROLE makes one\n",
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_says_what_to_do_instead(database: Database, database_url: str, tmp_path: Path) -> None:
    for command in ("grant", "revoke"):
        status, _, said = kzfeed(database_url, tmp_path, "db", command, "reader")
        assert (status, said.startswith("kzfeed: SQLite has no roles: ")) == (2, True)
