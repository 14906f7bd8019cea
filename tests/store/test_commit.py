"""What polls and files brought, in the database, on both engines: whole, once, and nothing else touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file, fingerprint
from kzfeed.errors import DatabaseError
from kzfeed.model.articles import Article, Media, Tally
from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.store import sources
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def article(address: str = "https://e.example/1", title: str = "标题", content: str = "<p>正文</p>") -> Article:
    return article_of_file(ArchiveFile(stamp=1641922743000, title=title, url=address, body=content))


def source(database: Database, name: str = "voa", now: datetime = NOW) -> Source:
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/rss")], now)
    return sources.load(database, [name])[0]


def poll(of: Source, at: datetime = NOW) -> Poll:
    return Poll(source_id=of.id, started_at=at, duration=timedelta(milliseconds=250), outcome="unchanged", entries=1)


def rows(database: Database, query: str) -> list[Any]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def dump(database: Database) -> dict[str, list[Any]]:
    tables = ("sources", "articles", "revisions", "sightings", "media", "tags")
    return {table: rows(database, f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}


def test_a_poll_stores_articles_sightings_state_and_its_record_together(database: Database) -> None:
    before = source(database)
    after = replace(before, validators=Validators(before.url, etag='"1"'), next_poll_at=LATER, last_success_at=NOW)
    picture = Media("image", "https://e.example/a.jpg", proxy_url="https://images.weserv.nl/?url=e.example/a.jpg")
    brought = replace(article(), guid="g", tags=("中亚", "news"), media=(picture,))

    record = commit_poll(database, after, poll(before), [brought])

    assert (record.outcome, record.new_articles, record.revised_articles) == ("new", 1, 0)
    assert rows(database, "SELECT title, content, text, revision FROM articles") == [("标题", "<p>正文</p>", "正文", 1)]
    assert rows(database, "SELECT guid, revision, withdrawn_at FROM sightings") == [("g", 1, None)]
    assert rows(database, "SELECT tag FROM tags ORDER BY tag") == [("news",), ("中亚",)]
    assert rows(database, "SELECT kind, url, proxy_url FROM media") == [("image", picture.url, picture.proxy_url)]
    assert rows(database, "SELECT outcome, duration_ms, entries, new_articles FROM polls") == [("new", 250, 1, 1)]
    assert sources.load(database) == [after]


def test_the_same_article_again_only_moves_when_it_was_last_seen(database: Database) -> None:
    voa = source(database)
    commit_poll(database, voa, poll(voa), [article()])

    again = replace(article(), content="<div><p class='x'>正文</p></div>")
    record = commit_poll(database, voa, poll(voa, LATER), [again])

    assert (record.outcome, record.new_articles, record.revised_articles) == ("unchanged", 0, 0)
    assert rows(database, "SELECT content, revision FROM articles") == [("<p>正文</p>", 1)]
    with database.read() as connection:
        seen = connection.execute(sa.text("SELECT count(*) FROM articles WHERE last_seen_at > first_seen_at")).scalar()
    assert seen == 1


def test_another_wording_keeps_the_older_one_with_when_and_from_whom_it_came(database: Database) -> None:
    voa, rfi = source(database), source(database, "rfi")
    commit_poll(database, voa, poll(voa), [article()])

    record = commit_poll(database, rfi, poll(rfi, LATER), [article(content="<p>正文，更新</p>")])

    assert (record.outcome, record.revised_articles) == ("new", 1)
    assert rows(database, "SELECT revision, text, source_id FROM articles") == [(2, "正文，更新", voa.id)]
    assert rows(database, "SELECT revision, text, source_id FROM revisions") == [(1, "正文", voa.id)]
    assert rows(database, "SELECT source_id, revision FROM sightings ORDER BY 1") == [(voa.id, 1), (rfi.id, 2)]


def test_sources_with_different_wordings_do_not_make_a_revision_at_every_poll(database: Database) -> None:
    voa, rfi = source(database), source(database, "rfi")
    for _ in range(3):
        commit_poll(database, voa, poll(voa), [article()])
        commit_poll(database, rfi, poll(rfi), [article(content="<p>摘要</p>")])

    assert rows(database, "SELECT revision FROM articles") == [(2,)]


def test_a_wording_that_comes_back_is_a_revision_of_its_own(database: Database) -> None:
    voa = source(database)
    for wording in ("一", "二", "一"):
        commit_poll(database, voa, poll(voa), [article(content=wording)])

    assert rows(database, "SELECT revision, text FROM articles") == [(3, "一")]
    assert rows(database, "SELECT revision, text FROM revisions ORDER BY 1") == [(1, "一"), (2, "二")]


def test_files_stored_twice_change_no_row(database: Database) -> None:
    files = [
        ("voa.example", article()),
        ("voa.example", article("https://e.example/2", content="<p>二</p>")),
        ("bbc.example", article("https://e.example/3", content="<img src='https://e.example/x.jpg'>")),
        ("voa.example", article(content="<p>正文的另一版</p>")),
    ]

    assert store_files(database, files, NOW) == Tally(new=3, revised=1)
    stored = dump(database)
    assert store_files(database, files, LATER) == Tally(unchanged=4)
    assert dump(database) == stored


def test_a_poll_after_a_backfill_of_the_same_article_adds_a_sighting_and_no_article(database: Database) -> None:
    store_files(database, [("archive", article())], NOW)
    voa = source(database)

    record = commit_poll(database, voa, poll(voa, LATER), [article()])

    assert record.new_articles == record.revised_articles == 0
    assert rows(database, "SELECT count(*) FROM articles") == [(1,)]
    assert rows(database, "SELECT count(*) FROM sightings") == [(2,)]


def test_a_poll_that_fails_half_way_leaves_nothing(database: Database) -> None:
    voa = source(database)
    state = dump(database)
    broken = replace(poll(voa), source_id=999)  # a record of no source: the last statement of the transaction fails

    with pytest.raises(DatabaseError):
        commit_poll(database, replace(voa, validators=Validators(voa.url, etag='"1"')), broken, [article()])

    if database.dialect == "sqlite":
        assert dump(database) == state
    assert rows(database, "SELECT count(*) FROM articles") == [(0,)]
    assert sources.load(database)[0].validators is None


def test_a_better_reading_of_the_same_html_is_no_revision(database: Database) -> None:
    voa = source(database)
    commit_poll(database, voa, poll(voa), [article()])
    with database.write() as connection:  # as an older kzfeed would have read it
        connection.execute(sa.text("UPDATE articles SET fingerprint = 'older', text = 'older'"))

    record = commit_poll(database, voa, poll(voa, LATER), [article()])

    assert record.revised_articles == 0
    assert rows(database, "SELECT text, fingerprint FROM articles") == [("正文", fingerprint("标题", "<p>正文</p>"))]


def test_a_better_reading_of_a_wording_stays_with_that_wording(database: Database) -> None:
    voa = source(database)
    commit_poll(database, voa, poll(voa), [article()])
    with database.write() as connection:  # as an older kzfeed would have read it
        connection.execute(sa.text("UPDATE articles SET fingerprint = 'older', text = 'older'"))

    # The first place in a document is what the source shows now, the other one is the wording stored before.
    commit_poll(database, voa, poll(voa, LATER), [article(content="<p>更新</p>"), article()])

    newest = fingerprint("标题", "<p>更新</p>")
    assert rows(database, "SELECT revision, text, fingerprint FROM articles") == [(2, "更新", newest)]
    assert rows(database, "SELECT revision, text FROM revisions") == [(1, "正文")]


def test_awkward_text_is_stored_on_both_engines(database: Database) -> None:
    long_address = "https://e.example/" + "a" * 8000
    awkward = article(long_address, title="a\x00b", content="\x00" + "长" * 100_000)

    store_files(database, [("x", replace(awkward, tags=("t" * 10_000,)))], NOW)

    assert rows(database, "SELECT url, title, length(content) FROM articles") == [(long_address, "a\ufffdb", 100_001)]


@pytest.mark.parametrize("stamp", [0, -1, -62135596800000, 253402300799999, 10**15, -(10**30), None])
def test_a_stamp_of_any_size_comes_back(database: Database, stamp: int | None) -> None:
    from kzfeed.export.files import archive_file_bytes
    from kzfeed.store.queries.article_queries import find

    file = ArchiveFile(stamp=stamp, title="t", url="https://e.example/1", body="")
    store_files(database, [("x", article_of_file(file))], NOW)

    assert archive_file_bytes(find(database, "https://e.example/1")).startswith(
        f"<!--{stamp if stamp is not None else 'NaN'}-->".encode()
    )


def test_a_clock_that_leaps_by_years_during_a_poll_costs_no_poll(database: Database) -> None:
    voa = source(database)
    record = commit_poll(database, voa, replace(poll(voa), duration=timedelta(days=400)), [article()])

    assert record.new_articles == 1
    assert rows(database, "SELECT duration_ms FROM polls") == [(2**31 - 1,)]
