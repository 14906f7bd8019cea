"""Hostile titles, tags, addresses and names of sources in JSON and in Atom: whole, valid, and read again by kzfeed."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from kzfeed.model.articles import Document
from kzfeed.sandbox.document_reader import read_document
from kzfeed.store.engine import Database
from tests.export.atom_rules import breaches
from tests.slow import slow
from tests.web.browser.archive import NOW, fill
from tests.web.hostile import NAMES
from tests.web.site import Site, serving

FEEDS = (
    *("/articles.atom?source=hostile", "/articles.atom?undated=1", "/articles.atom?q=article", "/changes.atom"),
    *("/withdrawn.atom", "/gaps.atom", *(f"/articles.atom?{argument}={quote(NAMES[0])}" for argument in ("tag", "q"))),
)
SHOWN = [" ".join(name.split()) for name in NAMES]


@pytest.fixture(scope="module")
def site(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hostile")
    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, folder)}")) as database:
        fill(database, None)
        with serving(database) as address:
            yield Site(database, address)


@pytest.mark.parametrize("path", FEEDS)
def test_a_feed_of_hostile_articles_is_valid_and_kzfeed_reads_every_entry(
    site: Site, path: str, tmp_path: Path
) -> None:
    answer = site.get(path)
    (tmp_path / "feed.atom").write_bytes(answer.body)
    _, articles = read_document(Document(answer.body, "application/atom+xml", f"{site.address}{path}", None, NOW))

    assert answer.status == 200
    assert breaches(tmp_path / "feed.atom") == []
    assert len(articles) == answer.text.count("<entry>")


def test_hostile_titles_and_tags_stand_in_json_and_atom_as_they_came(site: Site) -> None:
    listed = site.get("/articles.json?source=hostile").json["articles"]
    answer = site.get("/articles.atom?source=hostile")
    _, articles = read_document(Document(answer.body, None, "http://localhost/", None, NOW))

    for name in SHOWN:
        assert any(name in each["title"] for each in listed), name
        assert any(name in each.title for each in articles), name
    assert {tag for each in articles for tag in each.tags} >= set(SHOWN)
    assert any("evil.example" in (each.url or "") for each in articles)


def test_sources_with_hostile_names_have_pages_in_html_and_json(site: Site) -> None:
    names = {each["name"] for each in site.get("/sources.json").json["sources"]}

    for name in NAMES:
        assert name in names
        for ending in ("", ".json"):
            answer = site.get(f"/sources/{quote(name, safe='')}{ending}")
            assert answer.status == 200, name
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("ending", ["", ".atom", *(slow(each) for each in (".json", ".jsonl", ".csv"))])
def test_what_is_typed_comes_back_only_as_text(site: Site, ending: str) -> None:
    page = f"/articles{ending}" if ending else "/"
    for argument in ("q", "source", "tag", "language", "after"):
        for name in NAMES:
            answer = site.get(f"{page}?{argument}={quote(name, safe='')}")

            assert answer.status in (200, 400)
            assert "nosniff" in answer.headers["x-content-type-options"]
            if answer.headers["content-type"].startswith("text/html"):
                assert "<script>window" not in answer.text
                assert "<img" not in answer.text
