"""The record checked against itself: what kzfeed writes is clean, damage of every kind is found, notes are notes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import URN, FeedContext, article_of_file, articles_of_feed
from kzfeed.errors import DatabaseError
from kzfeed.model.articles import Enclosure, Entry, Feed
from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.store import schema, sources, tables
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Checked, Finding
from kzfeed.store.integrity.verify import verify
from tests.conftest import ENGINES
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
DATE = ("Tue, 11 Jan 2022 17:39:03 GMT",)

ENTRIES = (
    Entry(title="第一篇", link="https://e.example/1?utm_source=rss", guid="1", content="<p>正文</p>", dates=DATE),
    Entry(title="二", link="https://e.example/same", guid="a", content="二", tags=("中亚",)),
    Entry(title="三", link="https://e.example/same", guid="b", content="三"),
    Entry(title="四", link="http://e.example/titled", content="四"),
    Entry(title="五", link="http://e.example/titled", content="五", enclosures=(Enclosure("https://e.example/a.mp3"),)),
    Entry(title="六", guid="tag:e.example,2022:6", content="六", dates=("46 分钟前",)),
    Entry(title="七", content="七"),
    Entry(title="八](https://x.example/)", link="https://e.example/8", content="------\n\n-->"),
)


def source(database: Database, name: str) -> Source:
    configs = [SourceConfig(each, f"https://{each}.example/rss") for each in ("voa", "rfi")]
    sources.configure(database, configs, NOW)
    return sources.load(database, [name])[0]


def poll(database: Database, name: str, entries: tuple[Entry, ...], at: datetime = NOW) -> None:
    """What a poll of these entries writes, as `poll.py` has it written."""
    of = source(database, name)
    feed = Feed("rss", entries=entries)
    articles = articles_of_feed(feed, FeedContext(base_url=of.url, zone=UTC, now=at))
    record = Poll(of.id, at, timedelta(milliseconds=9), "unchanged", http_status=200, entries=len(entries))
    after = replace(
        of,
        validators=Validators(of.url, etag='"1"'),
        body_hash="0" * 64,
        last_document_at=at,
        window_at=at,
        last_polled_at=at,
        last_success_at=at,
    )
    commit_poll(database, after, record, articles)


def fill(database: Database) -> None:
    """One of everything: every identity, versions, two sources, files, a poll that failed and one without news."""
    poll(database, "voa", ENTRIES)
    changed = replace(ENTRIES[0], content="<p>正文，改过</p>", guid="another guid")
    poll(database, "voa", (changed, *ENTRIES[1:]), NOW + timedelta(hours=1))
    poll(database, "rfi", (replace(ENTRIES[0], content="<p>第三版</p>"), ENTRIES[5]), NOW + timedelta(hours=2))
    poll(database, "rfi", (), NOW + timedelta(hours=3))
    rfi = source(database, "rfi")
    failed = Poll(rfi.id, NOW, timedelta(), "failed", error_kind="dns", error="no such host")
    commit_poll(database, rfi, failed)
    file = ArchiveFile(None, "旧", "https://e.example/old", "")
    store_files(
        database, [("e.example", article_of_file(file)), ("e.example", article_of_file(replace(file, body="新")))], NOW
    )


@pytest.fixture(scope="module", params=ENGINES)
def filled(request: pytest.FixtureRequest) -> Iterator[Database]:
    """One of everything, made once an engine: putting rows back is much faster than making a database."""
    databases = request.getfixturevalue(f"empty_{request.param}")
    with closing(Database(url := databases.take())) as database:
        fill(database)
        yield database
    databases.give_back(url)


@pytest.fixture
def archive(filled: Database) -> Iterator[Database]:
    """A filled database to damage."""
    every = tables.metadata.sorted_tables
    with filled.read() as connection:
        rows = {table: [dict(row._mapping) for row in connection.execute(sa.select(table))] for table in every}
    yield filled
    with unguarded(filled) as connection:
        for table in every:
            connection.execute(sa.delete(table))
            if rows[table]:
                connection.execute(sa.insert(table), rows[table])


@contextmanager
def unguarded(database: Database) -> Iterator[sa.Connection]:
    """A transaction in which no foreign key is looked at."""
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            raw.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            if database.dialect == "postgresql":
                connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            yield connection
        if isinstance(raw, sqlite3.Connection):
            raw.execute("PRAGMA foreign_keys = ON")


only_on_sqlite = pytest.mark.parametrize("filled", ["sqlite"], indirect=True, scope="module")
only_on_postgresql = pytest.mark.parametrize("filled", ["postgresql"], indirect=True, scope="module")


def findings(database: Database) -> tuple[Checked, list[Finding]]:
    found: list[Finding] = []
    return verify(database, found.append), found


def by_hand(database: Database, *statements: str) -> None:
    """Run statements as no kzfeed would: with nothing to guard the rows."""
    with unguarded(database) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


FIRST = "(SELECT id FROM articles WHERE title = '第一篇')"
OLD = "(SELECT id FROM articles WHERE title = '旧')"

# The damages of a group are done to one archive. What is found of each is found of no other one in its group, so the
# test fails if any of them is overlooked.
DAMAGE = [
    [
        ("hash", "articles", f"UPDATE articles SET url = 'https://e.example/other' WHERE id = {FIRST}"),
        ("altered", "articles", "UPDATE articles SET title = '另' WHERE title = '三'"),
        ("altered", "revisions", "UPDATE revisions SET text = '另' WHERE revision = 2"),
        ("archive-file", "articles", f"UPDATE articles SET front_matter = 'no hyphens' WHERE id = {OLD}"),
        ("orphan", "tags", "UPDATE tags SET article_id = 999"),
        ("orphan", "revisions", "UPDATE revisions SET source_id = 999"),
        ("orphan", "polls", "UPDATE polls SET source_id = 999 WHERE outcome = 'failed'"),
        ("orphan", "articles", f"UPDATE articles SET revision_source_id = 999 WHERE id = {FIRST}"),
        (
            "orphan",
            "gaps",
            "INSERT INTO gaps (source_id, from_at, to_at, noticed_at) VALUES "
            "(999, '2022-01-01 00:00:00.000', '2022-01-02 00:00:00.000', '2022-01-03 00:00:00.000')",
        ),
        ("revisions", "articles", f"DELETE FROM revisions WHERE revision = 1 AND article_id = {FIRST}"),
        ("sightings", "sightings", "UPDATE sightings SET revision = 9 WHERE guid = 'b'"),
        ("polls", "polls", "UPDATE polls SET new_articles = 500 WHERE new_articles = 8"),
        ("validators", "sources", "UPDATE sources SET last_document_at = NULL WHERE name = 'voa'"),
    ],
    [
        ("hash", "articles", f"UPDATE articles SET url_hash = repeat('0', 64) WHERE id = {FIRST}"),
        ("altered", "articles", "UPDATE articles SET content = '<p>另</p>' WHERE title = '三'"),
        ("orphan", "articles", "DELETE FROM sources WHERE name = 'rfi'"),
        ("revisions", "articles", f"DELETE FROM revisions WHERE revision = 2 AND article_id = {FIRST}"),
        ("sightings", "sightings", "UPDATE sightings SET revision = 0 WHERE guid = 'b'"),
        ("polls", "polls", "UPDATE polls SET outcome = 'new' WHERE outcome = 'failed'"),
    ],
    [
        ("hash", "articles", f"UPDATE articles SET url_hash = 'xyz' WHERE id = {OLD}"),
        ("altered", "articles", "UPDATE articles SET text = '另' WHERE title = '三'"),
        ("revisions", "articles", f"UPDATE revisions SET revision = 7 WHERE revision = 2 AND article_id = {FIRST}"),
        ("sightings", "articles", "DELETE FROM sightings WHERE guid = 'b'"),
        ("polls", "polls", "UPDATE polls SET outcome = 'unchanged' WHERE new_articles = 8"),
    ],
    [
        ("hash", "articles", f"UPDATE articles SET url = NULL WHERE id = {FIRST}"),
        ("altered", "articles", "UPDATE articles SET fingerprint = url_hash WHERE title = '三'"),
        ("altered", "revisions", "UPDATE revisions SET content = '<p>另</p>' WHERE revision = 2"),
        ("revisions", "articles", f"UPDATE articles SET revision = 9 WHERE id = {OLD}"),
    ],
    [
        ("hash", "articles", "UPDATE sightings SET guid = 'c' WHERE guid = 'a'"),
        ("archive-file", "articles", f"UPDATE articles SET title = 't](u:)\n------\n\n' WHERE id = {OLD}"),
        ("orphan", "revisions", f"DELETE FROM articles WHERE id = {FIRST}"),
        ("revisions", "articles", "UPDATE articles SET revision = 0 WHERE title = '三'"),
    ],
    [
        ("hash", "articles", "UPDATE sightings SET guid = 'x' WHERE guid = 'tag:e.example,2022:6'"),
        ("counts", "sources", "DELETE FROM articles WHERE title = '三'"),
    ],
    [
        ("hash", "articles", "UPDATE articles SET fingerprint = '' WHERE title = '三'"),
        ("counts", "sources", "DELETE FROM revisions WHERE revision > 1"),
    ],
    [
        ("hash", "articles", "UPDATE articles SET fingerprint = '0:' || url_hash WHERE title = '三'"),
        ("orphan", "sightings", f"DELETE FROM articles WHERE id = {FIRST}"),
    ],
    [
        ("archive-file", "articles", f"UPDATE articles SET url = 'no scheme' WHERE id = {OLD}"),
        ("orphan", "media", "UPDATE media SET article_id = 999"),
    ],
]

SQLITE_DAMAGE = [
    [
        ("instant", "articles", "UPDATE articles SET published_at = '2022-01-11T17:39:03Z' WHERE title = '第一篇'"),
        ("instant", "polls", "UPDATE polls SET started_at = '2022-01-11 24:00:00.000'"),
        ("instant", "sources", "UPDATE sources SET next_poll_at = '' WHERE name = 'voa'"),
        ("instant", "revisions", "UPDATE revisions SET seen_at = '0000-01-11 00:00:00.000'"),
        ("text", "sightings", "UPDATE sightings SET guid = CAST(x'ff' AS TEXT) WHERE guid = 'b'"),
        ("text", "tags", "UPDATE tags SET tag = CAST(x'ff' AS TEXT)"),
    ],
    [
        ("instant", "articles", "UPDATE articles SET first_seen_at = '2022-02-30 17:39:03.000' WHERE title = '第一篇'"),
        ("text", "articles", "UPDATE articles SET content = CAST(x'3c703eff' AS TEXT) WHERE title = '第一篇'"),
        ("text", "revisions", "UPDATE revisions SET text = CAST(x'e4bd' AS TEXT)"),
    ],
    [
        ("instant", "articles", "UPDATE articles SET published_at = 1641922743 WHERE title = '第一篇'"),
        ("text", "articles", "UPDATE articles SET title = 'a' || char(0) || 'b' WHERE title = '第一篇'"),
    ],
]


def test_what_kzfeed_writes_is_clean(archive: Database) -> None:
    assert findings(archive) == (Checked(articles=9, revisions=3, damage=0, notes=0), [])


def test_an_empty_database_is_clean(database: Database) -> None:
    assert findings(database) == (Checked(articles=0, revisions=0, damage=0, notes=0), [])


@pytest.mark.parametrize("damages", DAMAGE)
def test_damage_is_found_and_named(archive: Database, damages: list[tuple[str, str, str]]) -> None:
    statements = [statement for *_, statement in damages]
    if archive.dialect == "sqlite":
        statements = [each.replace("repeat('0', 64)", f"'{'0' * 64}'") for each in statements]
    by_hand(archive, *statements)

    checked, found = findings(archive)

    named = {(each.kind, each.row.split()[0]) for each in found if each.is_damage}
    assert {(kind, table) for kind, table, _ in damages} <= named
    assert checked.damage == sum(each.is_damage for each in found)
    assert all(each.found and each.advice for each in found)


def test_a_date_that_was_changed_to_another_day_is_not_called_a_wrong_count(archive: Database) -> None:
    by_hand(archive, f"UPDATE articles SET published_at = '2001-02-03 00:00:00.000' WHERE id = {OLD}")

    _, found = findings(archive)

    assert {each.kind for each in found} == {"day-counts"}
    assert all("the counts were changed, or dates of articles" in each.advice for each in found)


@only_on_sqlite
@pytest.mark.parametrize("damages", SQLITE_DAMAGE)
def test_what_only_sqlite_lets_in_is_found_and_stops_nothing(
    archive: Database, damages: list[tuple[str, str, str]]
) -> None:
    by_hand(archive, *(statement for *_, statement in damages), "UPDATE tags SET article_id = 999")

    _, found = findings(archive)

    assert {(kind, table) for kind, table, _ in damages} <= {(each.kind, each.row.split()[0]) for each in found}
    assert ("orphan", True) in {(each.kind, each.is_damage) for each in found}
    assert "database" not in {each.row for each in found}


@only_on_postgresql
def test_an_instant_beyond_the_calendar_is_found(archive: Database) -> None:
    by_hand(archive, f"UPDATE articles SET published_at = 'infinity', last_seen_at = '0044-03-15 BC' WHERE id = {OLD}")

    _, found = findings(archive)

    # The article is counted on its old day, and not on the one that it has now.
    assert [each.kind for each in found if each.is_damage] == ["instant", "instant", "day-counts", "day-counts"]


@pytest.mark.parametrize(
    ("kind", "row", "statement"),
    [
        ("stale", "articles", "UPDATE articles SET fingerprint = '9:' || url_hash, text = 'x' WHERE title = '三'"),
        ("unchecked", "articles", "UPDATE articles SET url_hash = repeat('0', 64) WHERE title = '七'"),
        ("clock", "articles", "UPDATE articles SET last_seen_at = '1970-01-01 00:00:00.000+00' WHERE title = '三'"),
        ("clock", "sightings", "UPDATE sightings SET last_seen_at = '1970-01-01 00:00:00.000+00' WHERE guid = 'b'"),
    ],
)
def test_what_may_well_be_right_is_a_note(archive: Database, kind: str, row: str, statement: str) -> None:
    if archive.dialect == "sqlite":
        statement = statement.replace("+00'", "'").replace("repeat('0', 64)", f"'{'0' * 64}'")
    by_hand(archive, statement)

    checked, found = findings(archive)

    assert checked.damage == 0
    assert (kind, row) in {(each.kind, each.row.split()[0]) for each in found}


def test_what_another_kzfeed_read_is_read_anew_out_of_what_is_stored(database: Database) -> None:
    poll(database, "voa", ENTRIES)
    by_hand(database, "UPDATE articles SET text = 'otherwise', fingerprint = '9:' || url_hash")

    before = findings(database)[0]
    dressed = replace(ENTRIES[0], content="<div><p><time>46 分钟前</time></p><p>正文</p></div>")
    poll(database, "voa", (dressed, *ENTRIES[1:]), NOW + timedelta(hours=1))

    assert (before.damage, before.notes) == (0, len(ENTRIES))
    assert findings(database) == (Checked(articles=len(ENTRIES), revisions=0, damage=0, notes=0), [])


def test_an_article_that_a_file_names_by_a_hash_cannot_be_checked(database: Database) -> None:
    file = ArchiveFile(None, "t", URN + "ab" * 32, "x")
    store_files(database, [("x", article_of_file(file))], NOW)

    assert [(each.kind, each.is_damage) for each in findings(database)[1]] == [("unchecked", False)]


def test_an_address_that_looks_like_the_end_of_a_title_does_no_harm(database: Database) -> None:
    poll(database, "voa", (Entry(title="t", link="https://e.example/](http://x", content="x"),))

    assert findings(database)[1] == []


@pytest.mark.slow
def test_everything_is_seen_as_of_one_moment(archive: Database) -> None:
    done = threading.Event()

    def write() -> None:
        for number in range(10_000):
            entries = tuple(
                Entry(title="t", link=f"https://e.example/{part}", content=f"{number}")
                for part in (f"{number % 50}/1", f"{number % 50}/2", f"new/{number}")
            )
            poll(archive, "voa", entries, NOW + timedelta(seconds=number))
            if done.is_set():
                return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        checks = [findings(archive)]
        while len(checks) < 5 or (checks[-1][0].articles == checks[0][0].articles and thread.is_alive()):
            checks.append(findings(archive))
    finally:
        done.set()
        thread.join()

    assert [found for _, found in checks] == [[]] * len(checks)
    assert checks[0][0].articles < checks[-1][0].articles


@pytest.mark.parametrize(
    "dropped",
    [
        {
            "DROP INDEX ix_articles_published_at": ("articles", "its index ix_articles_published_at is missing"),
            "DROP VIEW article_list": ("article_list", "the view is missing"),
        },
        {
            "ALTER TABLE articles DROP COLUMN author": ("articles", "its column author is missing"),
            "DROP TABLE media": ("media", "the table is missing"),
        },
    ],
)
def test_what_is_missing_of_the_schema_is_damage(database: Database, dropped: dict[str, tuple[str, str]]) -> None:
    poll(database, "voa", ENTRIES)
    by_hand(database, *dropped)

    checked, found = findings(database)

    assert checked.damage == len(found) >= 2
    assert set(dropped.values()) == {(each.row, each.found) for each in found[:2]}
    assert {each.kind for each in found[:2]} == {"schema"}


@only_on_postgresql
def test_constraints_that_are_missing_are_damage(archive: Database) -> None:
    parts = ["articles DROP CONSTRAINT fk_articles_source_id", "sources DROP CONSTRAINT uq_sources_name"]
    parts += ["sightings DROP CONSTRAINT pk_sightings"]
    with archive.engine.connect() as connection, connection.begin() as transaction:
        for part in parts:
            connection.exec_driver_sql(f"ALTER TABLE {part}")
        lacks = dict(schema.missing(connection))
        transaction.rollback()

    assert lacks == {
        "sources": "nothing keeps its column name unique",
        "articles": "its column source_id does not refer to sources",
        "sightings": "its primary key is missing",
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_with_ruined_pages_is_said_to_be_damaged(database: Database) -> None:
    many = [("x", article_of_file(ArchiveFile(None, "t", f"https://e.example/m/{n}", "长" * 2000))) for n in range(50)]
    store_files(database, many, NOW)
    path = Path(str(database.engine.url.database))
    database.close()
    with path.open("r+b") as file:
        for page in range(60, 90):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)

    checked, found = findings(database)

    assert checked.damage
    assert found[0].kind == "file"


def test_a_file_that_is_no_database_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.db").write_bytes(b"no database at all" * 1000)

    with pytest.raises(DatabaseError):
        findings(Database(f"sqlite:///{tmp_path}/kzfeed.db"))
