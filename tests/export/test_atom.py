"""The Atom feed: it is valid, readers read it, and it comes back exactly."""

from datetime import timedelta
from pathlib import Path

import feedparser
import pytest
import sqlalchemy as sa

from kzfeed.model.articles import Document
from kzfeed.sandbox.document_reader import read_document
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.article_queries import stream
from tests.export.archives import Archive, archive_on, only_on_sqlite
from tests.export.atom_rules import breaches
from tests.export.conftest import NewArchive
from tests.export.test_restore import NOW, assert_same

pytestmark = pytest.mark.slow_on_postgresql

HOSTILE = "a]]>&amp;<b>\r\n\ttab \x01\x1b\ufffe\uffff 🎉 <!-- "


def make_hostile(database: Database) -> None:
    """Texts that XML cannot hold as they are, and addresses that are no IRIs."""
    articles = tables.articles.c
    with database.write() as connection:
        values = {"title": HOSTILE, "author": f" {HOSTILE}", "language": "no language", "published_raw": HOSTILE}
        connection.execute(sa.update(tables.articles).where(articles.id == 1).values(values))
        connection.execute(sa.update(tables.articles).where(articles.id == 2).values(content=HOSTILE, text=HOSTILE))
        connection.execute(
            sa.update(tables.articles).where(articles.id == 3).values(url='https://a.example/|"{x}?q=`^')
        )
        connection.execute(sa.update(tables.media).where(tables.media.c.article_id == 4).values(mime_type="sound"))
        connection.execute(sa.update(tables.tags).where(tables.tags.c.article_id == 5).values(tag='"<\n\x02>'))


@pytest.mark.parametrize(
    ("filled", "other", "name"),
    [("sqlite", "postgresql", "x.atom"), ("postgresql", "sqlite", "x.xml.zst")],
    indirect=["filled"],
)
def test_the_feed_comes_back_row_for_row_on_both_engines(
    archive: Archive, new_archive: NewArchive, other: str, name: str
) -> None:
    before = archive.rows()
    archive.export(name, "--versions")

    for target in (archive, new_archive(other)):
        for _ in range(2):
            done = target.kzfeed("backfill", name)
            assert (done.returncode, done.stderr) == (0, "")
            assert_same(before, target.rows())


def test_texts_that_xml_cannot_hold_come_back_too(original: Database, new_archive: NewArchive, tmp_path: Path) -> None:
    make_hostile(original)
    archive = archive_on(original, tmp_path)
    archive.export("x.atom", "--versions")
    target = new_archive("sqlite")

    done = target.kzfeed("backfill", "x.atom")

    assert (done.returncode, breaches(archive.folder / "x.atom")) == (0, [])

    def texts(database: Database) -> set[tuple[object, ...]]:
        return {
            (each.url_hash, each.url, each.title, each.content, each.author, each.language, each.published_raw)
            for each in stream(database)
        }

    assert texts(target.database) == texts(archive.database)
    assert target.rows()["tags"] == archive.rows()["tags"]


@only_on_sqlite
def test_the_feed_is_valid_and_feedparser_finds_no_fault(archive: Archive) -> None:
    archive.export("x.atom")

    parsed = feedparser.parse((archive.folder / "x.atom").read_bytes())

    assert breaches(archive.folder / "x.atom") == []
    assert not parsed.bozo
    assert len(parsed.entries) == archive.rows()["articles"].total()


@only_on_sqlite
def test_the_validator_sees_faults(archive: Archive) -> None:
    path = archive.folder / "x.atom"
    archive.export(path)
    valid = path.read_text("utf-8")

    for right, wrong in [
        ("<updated>20", "<updated>at 20"),
        ("<id>urn", "<id>a b"),
        ("</id>", "</id><id>urn:x:y</id>"),
        ('rel="alternate" href="https', 'rel="alternate" href="'),
        ("<author>", "<author><name>a</name>"),
        ("<category ", "<category name='x' "),
    ]:
        path.write_text(valid.replace(right, wrong, 1), "utf-8")
        assert breaches(path), wrong


@only_on_sqlite
def test_a_poll_of_the_feed_shows_the_same_articles(archive: Archive) -> None:
    archive.export("x.atom")
    body = (archive.folder / "x.atom").read_bytes()

    feed, articles = read_document(
        Document(body, "application/atom+xml", "https://e.example/", None, NOW + timedelta(days=9))
    )

    assert (feed.flaw, feed.dropped) == (None, 0)
    polled = {article.guid: article for article in articles}
    tags = _by_article(archive.database, tables.tags, ("tag",))
    media = _by_article(archive.database, tables.media, ("kind", "url", "mime_type", "size_bytes"))
    for stored in stream(archive.database):
        article = polled.pop(f"urn:kzfeed:{stored.url_hash}")
        same = (stored.url, stored.title, stored.content, stored.text, stored.author)
        assert (article.url, article.title, article.content, article.text, article.author) == same
        assert [(tag,) for tag in article.tags] == tags.get(stored.id, [])
        found = [(each.kind, each.url, each.mime_type, each.size_bytes) for each in article.media]
        assert sorted(found, key=str) == sorted(media.get(stored.id, []), key=str)
        if stored.published_at:
            assert article.published_at == stored.published_at
    assert not polled


def _by_article(database: Database, table: sa.Table, names: tuple[str, ...]) -> dict[int, list[tuple[object, ...]]]:
    found: dict[int, list[tuple[object, ...]]] = {}
    with database.read() as connection:
        for row in connection.execute(
            sa.select(table.c.article_id, *(table.c[name] for name in names)).order_by(table.c.id)
        ):
            found.setdefault(row[0], []).append(tuple(row[1:]))
    return found


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>a</title></entry></feed>",
            "not an entry of an export",
        ),
        ("<rss><channel/></rss>", "the document is a 'rss'"),
        ("<feed xmlns='http://www.w3.org/2005/Atom'><entry>", "no element found"),
        ("no feed", "syntax error"),
        ("", "no element found"),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:kz='urn:kzfeed:export'>"
            "<entry><kz:article>[]</kz:article></entry></feed>",
            "expected a JSON object",
        ),
    ],
)
def test_another_document_is_refused_with_the_line_and_the_reason(
    new_archive: NewArchive, tmp_path: Path, document: str, reason: str
) -> None:
    (tmp_path / "x.atom").write_text(document)

    done = new_archive("sqlite").kzfeed("backfill", "x.atom")

    assert done.returncode == 1
    assert "x.atom: line 1: " in done.stderr
    assert reason in done.stderr


@only_on_sqlite
def test_a_feed_that_is_cut_off_gives_what_it_still_has(archive: Archive, new_archive: NewArchive) -> None:
    archive.export("x.atom")
    path = archive.folder / "x.atom"
    path.write_bytes(path.read_bytes()[:-2000])
    target = new_archive("sqlite")

    done = target.kzfeed("backfill", "x.atom")

    assert done.returncode == 1
    assert target.rows()["articles"].total() >= archive.rows()["articles"].total() - 3
