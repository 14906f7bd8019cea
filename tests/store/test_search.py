"""Search finds exactly what the reference finds, in the same order, whatever was added or changed meanwhile."""

import random
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kzfeed.errors import DatabaseError, UsageError
from kzfeed.search.hits import parse_key
from kzfeed.search.query import parse
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index, IndexUnusable
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.results import newest_results
from kzfeed.store.search.sqlite_index import SqliteIndex
from kzfeed.store.search.upkeep import catch_up
from tests.conftest import NewDatabase, examples
from tests.search.reference import Text
from tests.search.texts import strings
from tests.store.search_archive import add_articles, add_sources, expected, search
from tests.store.test_day_counts import article, poll

DAY = datetime(2024, 5, 1, tzinfo=UTC)


@pytest.fixture
def archive(database: Database) -> Database:
    add_sources(database)
    return database


@pytest.fixture
def index(archive: Database) -> Iterator[Index]:
    with open_index(archive) as opened:
        yield opened


@cache
def real_texts(shared: Path) -> list[Text]:
    """Articles of real Chinese, Japanese, Korean and other feeds and archive files, in pieces."""
    files = sorted(each for folder in ("corpus", "feeds", "seeds") for each in (shared / folder).rglob("*.*"))
    whole = [re.sub(r"<[^>]*>", " ", each.read_text("utf-8", errors="ignore").replace("\0", "")) for each in files]
    pieces = [text[start : start + 1500] for text in whole for start in range(0, min(len(text), 15_000), 1500)]
    chosen = random.Random(7).sample(pieces, min(len(pieces), 200))
    return [
        Text(
            number, text[:30], text[30:], "abc"[number % 3], None if number % 10 == 0 else DAY - timedelta(hours=number)
        )
        for number, text in enumerate(chosen, start=1)
    ]


@pytest.mark.slow
def test_500_queries_of_real_texts_find_exactly_the_articles_with_the_string(
    archive: Database, index: Index, shared: Path
) -> None:
    texts = real_texts(shared)
    add_articles(archive, texts)
    catch_up(index)
    queries = strings(500, texts, random.Random(12))

    wrong = [query for query in queries if search(archive, index, query) != expected(texts, query)]

    assert wrong == []


@pytest.mark.slow
def test_mixed_strings_words_and_phrases_of_real_texts_are_found(archive: Database, index: Index, shared: Path) -> None:
    texts = real_texts(shared)
    add_articles(archive, texts)
    catch_up(index)
    chance = random.Random(3)
    queries: set[str] = set()
    while len(queries) < 150:
        text = chance.choice(texts).text
        start, size = chance.randrange(max(len(text), 1)), chance.randint(1, 12)
        queries.add(
            chance.choice(['"{}"', "title:{}", "{}*", "{}"]).format(text[start : start + size].replace('"', ""))
        )
    found_any = 0
    for query in sorted(queries):
        try:
            parse(query)
        except UsageError:
            continue
        ids = search(archive, index, query)
        assert (query, ids) == (query, expected(texts, query))
        found_any += bool(ids)

    assert found_any > 50


PARTS = "中亚 中 亚洲 普京 哈薩克 5G网络 Kazakh Kazakhs New_York 。 | Қазақ カ ｶﾞ հայ"
WORDS = st.lists(
    st.sampled_from(PARTS.replace("|", "\n").split(" ")).map(lambda part: part.replace("_", " ")), max_size=6
).map("".join)
ARTICLES = st.lists(
    st.builds(
        Text,
        st.just(0),
        WORDS,
        WORDS,
        st.sampled_from("abc"),
        st.none() | st.integers(-3, 3).map(lambda hours: DAY + timedelta(hours=12 * hours)),
    ),
    max_size=12,
).map(lambda texts: [text._replace(id=number) for number, text in enumerate(texts, start=1)])
TERMS = '中 中亚 哈萨克 亚洲 G网络 kazakh kazakh* "new_york" қазақ title:中亚 title:kazakh カ հայ հ* հ中'
OTHERS = "-普京 -中亚 -哈萨克 -title:中 source:a source:b -source:c since:2024-05 until:2024-05-01T12:00"
QUERIES = st.builds(
    lambda term, others: " ".join([term, *others]).replace("_", " "),
    st.sampled_from(TERMS.split()),
    st.lists(st.sampled_from(f"{TERMS} {OTHERS}".split()), max_size=3),
)


@settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow],
)
@given(ARTICLES, st.lists(QUERIES, min_size=8, max_size=8))
def test_any_query_on_any_archive_gives_what_the_reference_gives(
    archive: Database, index: Index, articles: list[Text], typed: list[str]
) -> None:
    with archive.write() as connection:
        connection.execute(sa.delete(tables.articles))
    if articles:
        add_articles(archive, articles)
    index.rebuild(lambda done, total: None)
    for each in typed:
        assert (each, search(archive, index, each, page_size=2)) == (each, expected(articles, each))


def test_articles_are_found_after_they_were_indexed_and_the_lag_says_how_many_are_not(
    archive: Database, index: Index
) -> None:
    with pytest.raises(IndexUnusable, match="no search index yet"):
        index.lag()

    catch_up(index)
    add_articles(archive, [Text(1, "中亚", ""), Text(2, "", "中亚")])

    assert search(archive, index, "中亚") == []
    assert (index.lag().articles, index.lag().since is not None) == (2, True)
    assert catch_up(index) == 2
    assert search(archive, index, "中亚") == [2, 1]
    assert (index.lag().articles, index.lag().since) == (0, None)


def test_a_revised_article_is_found_by_its_new_words_only(archive: Database, index: Index) -> None:
    poll(archive, "voa", DAY, [article(1, DAY, title="普京访问中亚"), article(2, DAY, title="别的")])
    catch_up(index)
    poll(
        archive,
        "voa",
        DAY + timedelta(hours=1),
        [article(1, DAY, title="习近平访问中亚"), article(2, DAY, title="别的")],
    )
    catch_up(index)

    assert search(archive, index, "普京") == []
    assert search(archive, index, "习近平") == [1]
    assert search(archive, index, "访问") == [1]


def test_a_corrected_date_moves_an_article_to_its_new_place(archive: Database, index: Index) -> None:
    poll(
        archive,
        "voa",
        DAY,
        [article(1, None, title="中亚一"), article(2, DAY, title="中亚二"), article(3, None, title="中亚三")],
    )
    catch_up(index)
    assert search(archive, index, "中亚", page_size=1) == [2, 3, 1]

    poll(archive, "voa", DAY + timedelta(hours=1), [article(1, DAY + timedelta(days=400), title="中亚一")])
    catch_up(index)

    assert search(archive, index, "中亚", page_size=1) == [1, 2, 3]
    assert search(archive, index, "中亚 since:2025") == [1]


def test_pages_go_on_where_the_last_one_ended_though_articles_came_meanwhile(archive: Database, index: Index) -> None:
    texts = [Text(number, "中亚", "", published_at=DAY - timedelta(hours=5 * number)) for number in range(1, 41)]
    add_articles(archive, texts)
    catch_up(index)
    first = newest_results(archive, index, parse("中亚"), limit=20)
    add_articles(archive, [Text(100, "中亚", "", published_at=DAY + timedelta(days=1))])
    catch_up(index)

    second = newest_results(archive, index, parse("中亚"), parse_key(first[-1].key), limit=50)

    assert [parse_key(each.key).article_id for each in (*first, *second)] == list(range(1, 41))


def test_a_hit_has_title_source_date_and_snippet(archive: Database, index: Index) -> None:
    add_articles(archive, [Text(1, "哈薩克斯坦", "他去了。哈萨克斯坦很大。", "b", DAY)])
    catch_up(index)

    (hit,) = newest_results(archive, index, parse("哈萨克"), limit=20)

    assert (hit.url, hit.source, hit.published_at) == ("https://e.example/1", "b", DAY)
    assert (hit.title.text, hit.title.hits) == ("哈薩克斯坦", ((0, 3),))
    assert [hit.snippet.text[slice(*span)] for span in hit.snippet.hits] == ["哈萨克"]


def test_an_unknown_source_is_refused(archive: Database, index: Index) -> None:
    catch_up(index)

    with pytest.raises(UsageError, match="no source 'bbc' in this database"):
        search(archive, index, "中亚 source:bbc")


def test_a_rebuilt_index_finds_the_same(archive: Database, index: Index) -> None:
    texts = [Text(number, f"中亚{number}", "五国") for number in range(1, 50)]
    add_articles(archive, texts)
    catch_up(index)
    progress: list[tuple[int, int]] = []

    index.rebuild(lambda done, total: progress.append((done, total)))

    assert search(archive, index, "中亚") == expected(texts, "中亚")
    assert progress[-1] == (49, 49)
    if isinstance(index, SqliteIndex):
        with closing(sqlite3.connect(index.file)) as connection:
            assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert catch_up(index) == 0


def test_a_day_with_more_articles_than_the_index_has_room_for_makes_it_anew(archive: Database, index: Index) -> None:
    add_articles(archive, [Text(1, "中亚", "", published_at=DAY)])
    catch_up(index)
    add_articles(archive, [Text(number, "中亚", "", published_at=DAY) for number in range(2, 1500)])

    catch_up(index)

    assert search(archive, index, "中亚") == list(range(1499, 0, -1))


@pytest.mark.slow
def test_a_day_that_fills_while_the_index_is_built_makes_it_anew(archive: Database, index: Index) -> None:
    add_articles(archive, [Text(1, "中亚", "", published_at=DAY)])
    late = [Text(number, "中亚", "", published_at=DAY) for number in range(2, 1500)]

    def more_come(done: int, total: int) -> None:
        if late:
            add_articles(archive, late)
            late.clear()

    index.rebuild(more_come)

    assert late == []
    catch_up(index)
    assert search(archive, index, "中亚") == list(range(1499, 0, -1))


def test_rebuilds_at_the_same_time_end_in_one_whole_index(archive: Database, index: Index) -> None:
    texts = [Text(number, f"中亚{number}", "五国") for number in range(1, 1500)]
    add_articles(archive, texts)
    with ThreadPoolExecutor(3) as pool:

        def rebuild(_: int) -> None:
            with open_index(archive) as other:
                other.rebuild(lambda done, total: None)

        list(pool.map(rebuild, range(3)))

    assert index.lag().articles == 0
    assert search(archive, index, "五国 中亚2*") == expected(texts, "五国 中亚2*")


def test_a_damaged_index_is_named_and_built_again_when_it_is_deleted(sqlite_database: Database, tmp_path: Path) -> None:
    database = sqlite_database
    add_sources(database)
    add_articles(database, [Text(1, "中亚", "")])
    file = tmp_path / "kzfeed.search.db"
    file.write_bytes(b"no database" * 1000)
    with open_index(database) as index, pytest.raises(DatabaseError, match=r"search\.db is damaged: delete it"):
        catch_up(index)
    file.unlink()

    with open_index(database) as index:
        catch_up(index)
        assert search(database, index, "中亚") == [1]


def test_an_index_of_another_archive_is_not_used_but_built_again(new_database: NewDatabase) -> None:
    other, files = new_database("sqlite"), []
    for database, title in ((new_database("sqlite"), "中亚"), (other, "普京")):
        add_sources(database)
        add_articles(database, [Text(1, title, "")])
        with open_index(database) as index:
            catch_up(index)
            assert isinstance(index, SqliteIndex)
            files.append(index.file)
    files[0].replace(files[1])

    with open_index(other) as index:
        with pytest.raises(IndexUnusable, match="another archive"):
            search(other, index, "普京")
        catch_up(index)
        assert (search(other, index, "普京"), search(other, index, "中亚")) == ([1], [])


def test_a_database_in_memory_has_no_index() -> None:
    database = Database("sqlite://")

    with pytest.raises(DatabaseError, match="a database in memory has no search index"):
        open_index(database)

    database.close()


STATEMENTS = re.compile(r"```sql\n(ATTACH[^;]+;)(.*?)```", re.DOTALL)


@pytest.mark.parametrize(("typed", "ids"), [("哈薩克", [2, 1]), ("亞", [3]), ("囧", [])])
def test_the_documented_statement_finds_articles_without_kzfeed(
    sqlite_database: Database, tmp_path: Path, typed: str, ids: list[int]
) -> None:
    add_sources(sqlite_database)
    words = ["哈萨克斯坦", "去哈薩克", "亚洲"]
    add_articles(
        sqlite_database, [Text(number, "", each, published_at=DAY) for number, each in enumerate(words, start=1)]
    )
    with open_index(sqlite_database) as index:
        catch_up(index)
    document = (Path(__file__).parents[2] / "docs" / "search.md").read_text("utf-8")
    found = STATEMENTS.search(document)
    assert found

    with closing(sqlite3.connect(f"file:{tmp_path}/kzfeed.db?mode=ro", uri=True)) as connection:
        connection.execute(found[1].replace("kzfeed.search.db", f"{tmp_path}/kzfeed.search.db"))
        rows = connection.execute(found[2], {"query": typed}).fetchall()

    assert [row[0] for row in rows] == ids
