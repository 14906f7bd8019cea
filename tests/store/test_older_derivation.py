"""Articles that an older kzfeed archived, with its fingerprints and its joined lines, beside what a feed shows now."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file, first_fingerprint
from kzfeed.model.articles import Article
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.integrity.findings import Finding
from kzfeed.store.integrity.verify import verify
from tests.store.commits import commit_poll
from tests.store.test_commit import LATER, NOW, poll, rows, source

GLUED = "<p>in the wayof Apple</p>"
APART = "<p>in the way of Apple</p>"


def article(content: str, number: int = 1) -> Article:
    return article_of_file(ArchiveFile(0, f"t{number}", f"https://e.example/{number}", content))


def archived_by_an_older_kzfeed(database: Database, *articles: Article) -> None:
    voa = source(database)
    commit_poll(database, voa, poll(voa), articles)
    with database.write() as connection:
        for each in articles:
            old = {"old": first_fingerprint(each.title, each.content), "url_hash": each.url_hash}
            connection.execute(
                sa.text("UPDATE articles SET fingerprint = :old WHERE url_hash = :url_hash AND revision = 1"), old
            )


def versions(database: Database) -> list[Any]:
    older = rows(database, "SELECT article_id, revision, content FROM revisions")
    return sorted(older + rows(database, "SELECT id, revision, content FROM articles"))


def test_nothing_becomes_a_new_version_by_the_upgrade_alone(database: Database) -> None:
    cells = "<tr><td>1</td><td>23</td></tr><svg><text>x</text></svg>"
    stored = [article(GLUED), article(cells, 2), article("<p>a <del>b</del></p>", 3)]
    archived_by_an_older_kzfeed(database, *stored)
    voa = source(database)

    for _ in range(3):
        record = commit_poll(database, voa, poll(voa, LATER), [article(APART), *stored[1:]])
        assert (record.outcome, record.new_articles, record.revised_articles) == ("unchanged", 0, 0)

    assert versions(database) == [(number, 1, each.content) for number, each in enumerate(stored, 1)]
    findings: list[Finding] = []
    verify(database, findings.append)
    assert [each for each in findings if each.row.startswith("articles")] == []
    # What the new derivation gives for the same text is kept, so that later changes are seen by it.
    assert rows(database, "SELECT fingerprint FROM articles ORDER BY id")[1:] == [
        (each.fingerprint,) for each in stored[1:]
    ]


def test_an_edit_of_an_article_from_an_older_kzfeed_is_a_new_version(database: Database) -> None:
    archived_by_an_older_kzfeed(database, article(GLUED))
    voa = source(database)
    edited = article("<p>in the way of Orange</p>")

    for _ in range(2):
        commit_poll(database, voa, poll(voa, LATER), [edited])

    assert versions(database) == [(1, 1, GLUED), (1, 2, edited.content)]


def test_an_older_version_that_another_source_still_shows_is_no_new_version_after_the_upgrade(
    database: Database,
) -> None:
    archived_by_an_older_kzfeed(database, article(GLUED))
    voa, bbc = source(database), source(database, "bbc")
    newer = article("<p>edited</p>")
    commit_poll(database, bbc, poll(bbc), [newer])

    for _ in range(2):
        record = commit_poll(database, voa, poll(voa, LATER), [article(APART)])
        assert record.revised_articles == 0

    assert versions(database) == [(1, 1, GLUED), (1, 2, newer.content)]


def test_cells_deletions_and_text_in_images_make_a_new_version(database: Database) -> None:
    bodies = [
        "<tr><td>1</td><td>23</td></tr>",
        "<tr><td>12</td><td>3</td></tr>",
        "<tr><td>12</td><td><del>3</del></td></tr>",
        "<tr><td>12</td><td><del>3</del><svg><text>4</text></svg></td></tr>",
    ]
    voa = source(database)
    for body in bodies:
        commit_poll(database, voa, poll(voa), [article(body)])

    assert versions(database) == [(1, number, body) for number, body in enumerate(bodies, 1)]


def test_a_file_of_an_older_version_is_no_new_version(database: Database) -> None:
    archived_by_an_older_kzfeed(database, article(GLUED))
    store_files(database, [("x", article(APART)), ("x", replace(article(GLUED), author="a"))], NOW)

    assert versions(database) == [(1, 1, GLUED)]
