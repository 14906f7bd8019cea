"""`kzfeed list`: its lines, pages and filters on both engines, and that no page reads all articles."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from kzfeed.search.hits import ArticlePosition, parse_key
from kzfeed.search.query import parse
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.article_list import (
    FilteredSearch,
    PropertyFilter,
    languages,
    listed,
    listed_hits,
    newest_dates,
    position_of,
)
from kzfeed.store.queries.article_queries import Selection
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.upkeep import catch_up
from tests.cli.test_terminal import shown
from tests.fork_server import clean_environment, fork_server
from tests.search.reference import Text
from tests.store.plans import FULL_SCAN, plans_of
from tests.store.search_archive import add_articles, add_sources

FIRST = datetime(2024, 5, 1, 12, tzinfo=UTC)
TEXTS = [
    # Three articles at a time are published in the same instant; each seventh has no date.
    Text(
        number,
        f"第{number}篇\x1b[2J",
        "中亚" if number % 2 else "别的",
        "abc"[number % 3],
        None if number % 7 == 0 else FIRST + timedelta(hours=number // 3),
    )
    for number in range(1, 31)
]


def _in_time(texts: list[Text]) -> list[Text]:
    return sorted(texts, key=lambda text: (text.published_at is not None, text.published_at or FIRST, text.id))


ORDER = [text.id for text in reversed(_in_time(TEXTS))]
"""The articles in the order of the list."""


def filled(database: Database) -> Database:
    """Store 30 articles: each fifth is revised, each fourth withdrawn by source c, each third has the tag 中亚."""
    add_sources(database)
    add_articles(database, TEXTS)
    with database.write() as connection:
        connection.execute(sa.update(tables.articles).where(tables.articles.c.id % 5 == 0).values(revision=2))
        seen = {"source_id": 3, "first_seen_at": FIRST, "last_seen_at": FIRST, "revision": 1}
        sightings = [{"article_id": text.id, "withdrawn_at": None if text.id % 4 else FIRST, **seen} for text in TEXTS]
        connection.execute(sa.insert(tables.sightings), sightings)
        tags = [{"article_id": text.id, "tag": "中亚" if text.id % 3 == 0 else "x" * 5_000} for text in TEXTS]
        connection.execute(sa.insert(tables.tags), tags)
    return database


@pytest.fixture(scope="module")
def archive(shared_database: Database) -> Database:
    """Those articles, for tests that only read."""
    return filled(shared_database)


class List:
    """Runs `kzfeed list` on the archive."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def __call__(self, *options: str) -> Any:
        return fork_server().run(["--database", self.url, "list", *options], self.folder, clean_environment())

    def ids(self, *options: str) -> list[int]:
        done = self("--json", *options)
        assert done.stderr == ""
        return [article["id"] for article in json.loads(done.stdout)]


@pytest.fixture
def listing(archive: Database, tmp_path: Path) -> List:
    return List(_url(archive), tmp_path)


def _url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


# --- lines -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow_on_postgresql
def test_a_heading_stands_above_aligned_lines(database: Database, tmp_path: Path) -> None:
    with filled(database).write() as connection:
        connection.execute(sa.update(tables.sources).where(tables.sources.c.id == 1).values(name="新华社中亚新闻"))

    lines = shown(tmp_path, "--database", _url(database), "list", "-n", "4").splitlines()

    assert lines[0] == "    id  published (UTC)   source          title"
    assert lines[1] == "    30  2024-05-01 22:00  新华社中亚新闻  第30篇\\x1b[2J"
    assert {cell_len(line.split("第")[0]) for line in lines[1:4]} == {cell_len(lines[0].split("title")[0])}
    assert "there are more: go on with --after" in lines[-1]
    assert max(map(cell_len, lines)) <= 80


def test_an_empty_list_says_so(listing: List) -> None:
    done = listing("--tag", "no such tag")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no article found\n")
    assert listing.ids("--tag", "no such tag") == []


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pages_follow_one_another_to_the_undated_without_a_gap(listing: List) -> None:
    pages: list[list[int]] = []
    key: list[str] = []
    while page := json.loads(listing("--json", "--limit", "4", *key).stdout):
        key = ["--after", page[-1]["key"]]
        pages.append([article["id"] for article in page])

    assert [number for page in pages for number in page] == ORDER
    assert [len(page) for page in pages] == [4] * 7 + [2]


def test_the_list_says_how_to_go_on_only_where_there_is_more(listing: List) -> None:
    said = listing("--limit", "29").stderr

    assert said == f"\nthere are more: go on with --after undated:{ORDER[28]}\n"
    assert listing("--limit", "1", "--after", said.split()[-1]).stdout.splitlines()[1].split()[0] == str(ORDER[29])
    assert listing("--limit", "30").stderr == ""


# --- filters ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow_on_postgresql
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--revised"], [number for number in ORDER if number % 5 == 0]),
        (["--withdrawn"], [number for number in ORDER if number % 4 == 0]),
        (["--undated"], [28, 21, 14, 7]),
        (["--tag", "中亚"], [number for number in ORDER if number % 3 == 0]),
        (["--source", "b"], [number for number in ORDER if number % 3 == 1]),
        (["--since", "2024-05-01T20:00", "--until", "2024-05-01T22:00"], [29, 27, 26, 25, 24]),
        (["--since", "2024-05-02T04:00+08:00", "--until", "2024-05-01T22:00Z"], [29, 27, 26, 25, 24]),
        (["--revised", "--until", "2025"], [number for number in ORDER if number % 5 == 0]),
        (["--source", "a", "--tag", "中亚", "--revised"], [30, 15]),
        (["--undated", "--withdrawn"], [28]),
        (["--revised", "--until", "2024-05-01T15:00"], [5]),
    ],
)
def test_each_filter_selects_and_filters_add_up(listing: List, options: list[str], expected: list[int]) -> None:
    assert listing.ids(*options) == expected
    first = json.loads(listing("--json", "--limit", "1", *options).stdout)[0]
    assert listing.ids("--after", first["key"], *options) == expected[1:]


@pytest.mark.slow
def test_a_query_selects_what_search_finds_beside_the_other_filters(listing: List) -> None:
    found = [number for number in ORDER if number % 2]

    assert listing.ids("--query", "中亚") == found
    assert listing.ids("--query", "中亚 source:b") == [number for number in found if number % 3 == 1]
    assert listing.ids("--query", "中亚", "--revised") == [25, 15, 5]
    assert listing.ids("--query", "中亚", "--undated") == [21, 7]
    assert listing.ids("--query", "中亚", "--source", "a", "--until", "2024-05-01T15:00") == [3]
    page = json.loads(listing("--json", "--query", "中亚", "--limit", "3").stdout)
    assert listing.ids("--query", "中亚", "--after", page[-1]["key"]) == found[3:]
    assert "go on with --after" in listing("--query", "中亚", "--limit", "3").stderr


@pytest.mark.slow_on_postgresql
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--undated", "--since", "2024-05-01"], "give --undated, or --since and --until"),
        (["--after", "x"], "'x' is not the key of an article"),
        (["--after", "999999999999999:1"], "is not the key of an article: no calendar has its date"),
        (["--query", "中亚 source:a", "--source", "b"], "no article has both the source b and one of source:a"),
        (["--source", "nope"], "no source 'nope' in this database: `kzfeed sources list` shows their names"),
        (["--since", "1714521600"], "expected a time such as 2024"),
        (["--since", "2022-02-30"], "'2022-02-30': expected a time"),
        (["--since", "2024-07", "--until", "2024-05"], "no time is since 2024-07-01 and before 2024-05-01"),
        (["--query", "中亚 since:2024-07", "--until", "2024-05"], "no time is since 2024-07-01 and before 2024-05-01"),
    ],
)
def test_what_cannot_be_listed_is_refused_in_a_sentence(listing: List, options: list[str], said: str) -> None:
    done = listing(*options)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


# --- cost ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        PropertyFilter(Selection()),
        PropertyFilter(Selection("a")),
        PropertyFilter(Selection("a", FIRST, FIRST + timedelta(days=1))),
        PropertyFilter(Selection(), revised=True),
        PropertyFilter(Selection("a"), revised=True),
        PropertyFilter(Selection(), withdrawn=True),
        PropertyFilter(Selection(), undated=True),
        PropertyFilter(Selection("a"), undated=True),
        PropertyFilter(Selection(), tag="中亚"),
        PropertyFilter(Selection("a"), tag="中亚", withdrawn=True),
        PropertyFilter(Selection(), language="zh-CN"),
        PropertyFilter(Selection("a"), language="zh-CN", undated=True),
    ],
    ids=lambda wanted: "-".join(
        each for each in ("revised", "withdrawn", "undated", "tag", "language") if getattr(wanted, each)
    ),
)
def test_no_page_reads_all_articles(archive: Database, wanted: PropertyFilter) -> None:
    pages = (None, ArticlePosition(1714567200000, 5), parse_key("undated:21"))
    plans = plans_of(archive, lambda: [listed(archive, wanted, after, 5) for after in pages])
    plans += plans_of(archive, lambda: newest_dates(archive, wanted, 5))

    assert plans
    for statement, plan in plans:
        assert not FULL_SCAN.search(plan), (statement, plan)


def test_articles_are_chosen_by_the_language_of_their_feed(database: Database) -> None:
    too_long = "x" * 5_000
    with filled(database).write() as connection:
        for rest, language in enumerate(("zh-CN", "kk", too_long, None)):
            chosen = sa.update(tables.articles).where(tables.articles.c.id % 4 == rest)
            connection.execute(chosen.values(language=language))

    assert languages(database, 10) == ["kk", "zh-CN"]
    assert languages(database, 1) == ["kk"]
    kazakh = [row["id"] for row in listed(database, PropertyFilter(Selection(), language="kk"), None, 50)]
    assert kazakh == [number for number in ORDER if number % 4 == 1]
    assert listed(database, PropertyFilter(Selection(), language=too_long), None, 50) == []


@pytest.mark.parametrize("number", [60, 1_300], ids=["few", "many"])
def test_a_search_among_few_and_among_many_articles_finds_the_same(database: Database, number: int) -> None:
    """Few texts are searched without the index. Sources take turns, each fifth article has no date."""
    dates = [None if each % 5 == 0 else FIRST + timedelta(minutes=each // 2) for each in range(number)]
    texts = [
        Text(each + 1, f"第{each}篇", "中亞" if each % 2 else "別的", "abc"[each % 3], date)
        for each, date in enumerate(dates)
    ]
    add_sources(database)
    add_articles(database, texts)
    with database.write() as connection:
        connection.execute(sa.update(tables.articles).values(revision=2))
    expected = [each.id for each in reversed(_in_time(texts)) if each.text == "中亞" and each.source != "b"]
    until = FIRST + timedelta(minutes=20)
    early = [each for each in expected if (date := dates[each - 1]) and date < until]

    def found(typed: str, after: ArticlePosition | None = None, limit: int = 2_000, undated: bool = False) -> list[int]:
        wanted = PropertyFilter(Selection(), revised=True, undated=undated)
        return [row["id"] for row in listed_hits(database, index, FilteredSearch(parse(typed), wanted), after, limit)]

    with open_index(database) as index:
        catch_up(index)
        assert found("中亚 -source:b") == found("中亚 source:a source:c") == expected
        assert found("中亚 -source:b until:2024-05-01T12:20") == early
        assert found("中亚 -source:b", undated=True) == [each for each in expected if dates[each - 1] is None]
        half = listed_hits(
            database,
            index,
            FilteredSearch(parse("中亚 -source:b"), PropertyFilter(Selection(), revised=True)),
            None,
            10,
        )
        assert found("中亚 -source:b", position_of(half[-1]), 7) == expected[10:17]
        assert found("nowhere") == []


@pytest.mark.slow
def test_pages_of_a_tag_that_very_many_articles_have_follow_one_another(database: Database) -> None:
    many = [Text(number, "第", "篇", "b", FIRST + timedelta(seconds=number)) for number in range(1, 10_101)]
    add_sources(database)
    add_articles(database, many)
    with database.write() as connection:
        rows = [{"article_id": text.id, "tag": "中亚"} for text in many if text.id % 200]
        connection.execute(sa.insert(tables.tags), rows)
    wanted = PropertyFilter(Selection("b"), tag="中亚")

    first = listed(database, wanted, None, 110)
    second = listed(database, wanted, position_of(first[-1]), 2)

    assert [row["id"] for row in first + second] == [number for number in range(10_100, 9_900, -1) if number % 200][
        :112
    ]
    plans = plans_of(database, lambda: listed(database, wanted, None, 110))
    assert plans
    # PostgreSQL may sort what it has found by the tag: it knows how few that are.
    assert database.dialect != "sqlite" or not any("TEMP B-TREE" in plan for _, plan in plans)
