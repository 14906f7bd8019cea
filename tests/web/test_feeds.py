"""Feeds and exports of the lists: valid, complete, and restored by `kzfeed backfill`; no address of a feed in them."""

import csv
import io
import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.backfill.file_reader import find_files
from kzfeed.backfill.run import backfill, by_host
from kzfeed.store import tables
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.queries.article_queries import Selection, count
from tests.export.atom_rules import breaches
from tests.export.test_restore import NOW
from tests.web.site import Site, index_all, serving


def stored(database: Database, source: str) -> set[tuple[str, str, str]]:
    of_source = sa.select(tables.sources.c.id).where(tables.sources.c.name == source).scalar_subquery()
    columns = [tables.articles.c[name] for name in ("url_hash", "title", "content")]
    with database.read() as connection:
        query = sa.select(*columns).where(tables.articles.c.source_id == of_source)
        return {(row.url_hash, row.title, row.content) for row in connection.execute(query)}


@pytest.mark.parametrize("source", ["news", "evil", "pod"])
@pytest.mark.parametrize("ending", ["atom", "jsonl"])
def test_what_a_list_gives_comes_back_by_backfill(
    site: Site, source: str, ending: str, empty_archive: Path, tmp_path: Path
) -> None:
    given = site.get(f"/articles.{ending}?source={source}")
    file = tmp_path / f"list.{ending}"
    file.write_bytes(given.body)

    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, tmp_path)}")) as database:
        done = backfill(database, find_files([file]), source_of=by_host, clock=lambda: NOW)
        assert done.refused == 0
        assert stored(database, source) == stored(site.database, source) != set()


def test_a_feed_is_valid_and_stays_the_same_until_something_changes(site: Site, tmp_path: Path) -> None:
    for query in ("?source=evil", "?q=灯塔", "?withdrawn=1", "?q=nowhere"):
        feed, again = (site.get(f"/articles.atom{query}") for _ in range(2))

        assert feed.headers["content-type"].startswith("application/atom+xml")
        file = tmp_path / "feed.atom"
        file.write_bytes(feed.body)
        assert breaches(file) == []
        assert feed.body == again.body
        assert site.get(f"/articles.atom{query}", If_None_Match=feed.headers["etag"]).status == 304


def test_a_search_of_an_index_that_is_behind_says_so_in_every_format(empty_archive: Path, tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, tmp_path)}")) as database:
        index_all(database)
        article = article_of_file(ArchiveFile(None, "第91篇", "https://e.example/91", "<p>正文</p>"))
        store_files(database, [("a", article)], NOW)
        with serving(database) as address:
            site = Site(database, address)
            answers = {ending: site.get(f"/articles.{ending}?q=91") for ending in ("json", "atom", "csv", "jsonl")}

            assert answers["json"].json == {"articles": [], "next": None, "unindexed": 1}
            assert {answer.headers.get("kzfeed-unindexed") for answer in answers.values()} == {"1"}
            assert "does not know 1 new" in site.get("/?q=91").visible
            assert site.get("/articles.json").json["unindexed"] == 0

            index_all(database)
            again = site.get("/articles.json?q=91")
            assert (len(again.json["articles"]), again.json["unindexed"]) == (1, 0)
            assert "kzfeed-unindexed" not in again.headers


def test_no_address_of_a_feed_leaves_the_archive(site: Site) -> None:
    for ending in ("atom", "json", "jsonl", "csv"):
        assert "/rss" not in site.get(f"/articles.{ending}").text


def test_an_export_has_every_article_of_the_filters_in_force(site: Site) -> None:
    everything = [json.loads(line) for line in site.get("/articles.jsonl").text.splitlines()]
    rows = list(csv.DictReader(io.StringIO(site.get("/articles.csv?tag=播客").text)))

    assert len({article["url_hash"] for article in everything}) == count(site.database, Selection())
    assert [row["title"] for row in rows] == [f"第{number}集" for number in range(9, 0, -1)]
    assert site.get("/articles.csv?source=nope").status == 400
    head = site.get("/articles.csv", method="HEAD")
    assert (head.status, head.headers["content-type"], head.body) == (200, "text/csv; charset=utf-8", b"")
