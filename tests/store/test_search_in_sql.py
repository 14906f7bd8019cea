"""Search with PostgreSQL's own means: `search(query)` in SQL gives what `kzfeed search` gives."""

import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from kzfeed.errors import UsageError
from kzfeed.instants import milliseconds
from kzfeed.search.folding import fold
from kzfeed.search.query import parse
from kzfeed.search.short_characters import shortened
from kzfeed.search.terms import terms
from kzfeed.store import database_roles, tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.results import newest_results
from kzfeed.store.search.upkeep import catch_up
from tests.conftest import examples
from tests.search.reference import Text
from tests.store.search_archive import SOURCES, add_articles, add_sources, expected, search
from tests.store.test_search import ARTICLES, DAY, QUERIES, real_texts

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def archive(database: Database) -> Database:
    add_sources(database)
    return database


@pytest.fixture
def index(archive: Database) -> Iterator[Index]:
    with open_index(archive) as opened:
        catch_up(opened)
        yield opened


def found_in_sql(archive: Database, typed: str, most: int = 1000, after: str | None = None) -> list[int]:
    with archive.read() as connection:
        statement = sa.text("SELECT article_id FROM search(:typed, :most, :after)")
        return list(connection.execute(statement, {"typed": typed, "most": most, "after": after}).scalars())


TYPED = [
    *("中亚", "哈薩克斯坦 普京 -北京", '"New York" since:2024 until:2025', "title:选举", "kazakh* Қазақ*"),
    *("COVID疫情 5G网络 A股 2023年", "“中亚 五国” 「普京」*", "-title:中 中", "source:a -source:b 中", "ｶﾞ Ｃａｆé"),
    *("since:2024-05 until:2024-05-31T18:00 x", "until:2024/5/3 since:2023-01-01T01:02:03Z x", "SINCE:2024 Title:x"),
    *(
        "\u3000中\u00a0亚\t国\n",
        "中亚*",
        "a*b中",
        '"a*b"',
        "new-york*",
        "“new york”*",
        "a_b",
        "x*** 中**",
        "हिन्दी भाषा*",
    ),
    *(
        "㍿ ½ ﬁn ǅ İ ẞ",
        "각 한국 ㄱ",
        "-中 亚",
        "title:“普京”",
        "中-亚",
        "🙂中",
        "x" * 80,
        "x" * 70 + "*",
        "５Ｇ網絡",
    ),
    *("", "-中", "title:", "。", "a*b", '"open', "source:d 中", "since:2024-13 x", "since:soon x", "-since:2024 x"),
    *("中 --x", "中 -－x", '中 -"-x"', "-title:-x 中", "--since 2024", "sorce:voa", "-Titel：选举", "untill: 中"),
    *('"sorce:voa"', "unit:12", "https://e.example", "中sorce:voa", "science:中"),
    *("x since:2024-05-31T18:00+08:00", "x since:2024-05-31T18:00:01.5-03:30", "x since:2024-05T18:00"),
    *(
        "x since:0001-01-01T00:00+08:00",
        "x until:9999-12-31T23:00-08:00",
        "x since:2024-00",
        "x since:2024-1-1T1:00+24:00",
    ),
    *("x since:2024-07 until:2024-05", "x since:2024 until:2024", "x until:2024 since:2024-05"),
    *("until:2024-02-30 x", "since:0000 x", "since:2024-01-01T24:00 x", "* 中", "--", "title:-"),
]


def understood(typed: str) -> dict[str, object] | None:
    """What Python makes of a query; None if it refuses it."""
    try:
        query = parse(typed)
        sources = [[SOURCES.index(each) + 1 for each in some] for some in (query.sources, query.excluded_sources)]
    except (UsageError, ValueError):
        return None
    named = [
        [{"text": each.text, "is_prefix": each.is_prefix, "in_title": each.in_title} for each in some]
        for some in (query.terms, query.excluded)
    ]
    times = [None if each is None else milliseconds(each) for each in (query.since, query.until)]
    names = ("terms", "excluded", "source_ids", "excluded_source_ids", "since", "until")
    return dict(zip(names, (*named, *sources, *times), strict=True))


def understood_in_sql(archive: Database, typed: str) -> dict[str, object] | None:
    with archive.engine.connect() as connection:
        try:
            made = connection.execute(sa.text("SELECT search_query(:typed)"), {"typed": typed}).scalar_one()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != "P0001":  # not a sentence of ours
                raise
            return None
    return {name: _without_repetitions(value) if isinstance(value, list) else value for name, value in made.items()}


def _without_repetitions(values: list[object]) -> list[object]:
    return list({json.dumps(value): value for value in values}.values())


@pytest.mark.usefixtures("index")
def test_sql_understands_queries_as_python_does(archive: Database) -> None:
    for typed in TYPED:
        assert (typed, understood_in_sql(archive, typed)) == (typed, understood(typed))


LETTERS = st.sampled_from(
    [*'中亞哈萨a1_é.-*:：“”"「」 \u3000ｶﾞ각Қ', "title:", "-", "source:a", " since:2024 ", "ü", "हि"]
)


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(LETTERS, max_size=12).map("".join))
@pytest.mark.usefixtures("index")
def test_sql_understands_any_query_as_python_does(archive: Database, typed: str) -> None:
    assert understood_in_sql(archive, typed) == understood(typed)


def test_real_words_and_strings_have_the_same_keys_in_sql(archive: Database, index: Index, shared: Path) -> None:
    texts = real_texts(shared)
    chance = random.Random(4)
    queries = set()
    for _ in range(300):
        text = chance.choice(texts).text
        start = chance.randrange(len(text) + 1)
        queries.add(f'"{text[start : start + chance.randint(1, 12)]}"'.replace("\0", " "))
    understood_by_both = 0
    for typed in sorted(queries):
        assert understood_in_sql(archive, typed) == understood(typed)
        understood_by_both += understood(typed) is not None
    assert understood_by_both > 100


def test_documents_have_the_terms_of_their_articles(archive: Database, index: Index, shared: Path) -> None:
    texts = [
        *real_texts(shared)[:100],
        Text(1001, "5G网络a中", "用5G。हिन्दी ə的հայ " + "x" * 100),
        Text(1002, "", "", "b", None),
    ]
    add_articles(archive, [replaced._replace(id=number) for number, replaced in enumerate(texts, start=1)])
    catch_up(index)
    statement = (
        "SELECT article_id, tsvector_to_array(search_terms(title, body, mixed_pairs, day, source_id, is_large)) "
        "FROM search_docs"
    )
    with archive.read() as connection:
        found = {row[0]: {term for term in row[1] if term[0] != "@"} for row in connection.exec_driver_sql(statement)}

    for number, text in enumerate(texts, start=1):
        assert found[number] == set(map(shortened, terms(text.title, text.text, SOURCES.index(text.source) + 1)))


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(ARTICLES, st.lists(QUERIES, min_size=8, max_size=8))
def test_search_in_sql_gives_what_the_reference_gives(
    archive: Database, index: Index, articles: list[Text], typed: list[str]
) -> None:
    with archive.write() as connection:
        connection.execute(sa.delete(tables.articles))
    if articles:
        add_articles(archive, articles)
    index.rebuild(lambda done, total: None)

    for each in typed:
        assert (each, found_in_sql(archive, each)) == (each, expected(articles, each))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("search(NULL)", "nothing to search for"),
        ("search('中亚', NULL)", "the greatest number of articles must be 0 or more, not NULL"),
        ("search('中亚', -1)", "the greatest number of articles must be 0 or more, not -1"),
        ("""search('中亚 "New York')""", """the quotation mark in '"New York' has no counterpart"""),
        ("""search('"')""", """the quotation mark in '"' has no counterpart"""),
    ],
)
@pytest.mark.usefixtures("index")
def test_a_mistake_in_sql_is_told_in_a_sentence(archive: Database, call: str, sentence: str) -> None:
    with archive.engine.connect() as connection, pytest.raises(DBAPIError, match=re.escape(sentence)) as raised:
        connection.exec_driver_sql(f"SELECT * FROM {call}")

    assert getattr(raised.value.orig, "sqlstate", None) == "P0001"  # a sentence of ours


def test_search_in_sql_goes_on_after_a_key(archive: Database, index: Index) -> None:
    texts = [Text(n, "中亚", "", published_at=DAY - timedelta(hours=n) if n < 30 else None) for n in range(1, 41)]
    add_articles(archive, texts)
    catch_up(index)

    pages, after = [], None
    while hits := found_in_sql(archive, "中亚", 7, after):
        pages += hits
        with archive.read() as connection:
            statement = sa.text("SELECT key FROM search('中亚', 7, :after)")
            after = connection.execute(statement, {"after": after}).scalars().all()[-1]

    assert pages == expected(texts, "中亚")


def test_articles_dated_in_the_future_come_first_and_old_ones_are_found_too(archive: Database, index: Index) -> None:
    now = datetime.now(UTC)
    years = (300, 30, 1, 0, -1, -2, -40)
    texts = [
        Text(n, "中亚", "", published_at=now + timedelta(days=365 * year)) for n, year in enumerate(years, start=1)
    ]
    texts.append(Text(20, "中亚", ""))
    add_articles(archive, texts)
    catch_up(index)

    for typed in ("中亚", f"中亚 until:{now.year + 20}", "中亚 since:2000", "中亚 until:1990"):
        assert search(archive, index, typed, page_size=3) == expected(texts, typed)


@pytest.mark.slow
def test_hits_of_any_period_are_found(archive: Database, index: Index) -> None:
    texts = [Text(n, "中亚", "普京" * (n % 9 == 0), "abc"[n % 3], DAY - timedelta(days=3 * n)) for n in range(1, 400)]
    add_articles(archive, texts)
    catch_up(index)
    chance = random.Random(8)

    for _ in range(25):
        since, until = sorted(DAY - timedelta(days=chance.randrange(1300)) for _ in range(2))
        period = f"since:{since:%Y-%m-%d} until:{until:%Y-%m-%d}"
        for typed in (f"中亚 {period}", f"普京 since:{since:%Y-%m-%d}", f"普京 until:{until:%Y-%m-%d} source:a"):
            assert (typed, search(archive, index, typed, page_size=50)) == (typed, expected(texts, typed))


@pytest.mark.slow
def test_a_text_too_long_for_the_index_is_read_by_each_search(archive: Database, index: Index) -> None:
    chance = random.Random(1)
    long = "".join(chr(chance.randrange(0x4E00, 0x9FA0)) for _ in range(300_000))
    texts = [
        Text(1, "书", f"{long}。中亚 Kazakhstan New York", "a", DAY),
        Text(2, "普京", "Kazakhs", "b", DAY - timedelta(days=900)),
        Text(3, "中亚", "Kazakhstan 普京", "c", DAY),
    ]
    add_articles(archive, texts)
    catch_up(index)

    for typed in (
        "中亚",
        "kazakh*",
        "kazakhstan",
        '"new york"',
        "普京",
        "普京 -kazakhstan",
        "中亚 -普京",
        "中亚 source:a",
    ):
        assert search(archive, index, typed) == expected(texts, typed)
    assert search(archive, index, fold(long[100:110])) == [1]


def test_a_deleted_article_is_not_found(archive: Database, index: Index) -> None:
    add_articles(archive, [Text(1, "中亚", ""), Text(2, "中亚", "")])
    catch_up(index)
    with archive.write() as connection:
        connection.execute(sa.delete(tables.articles).where(tables.articles.c.id == 1))

    assert found_in_sql(archive, "中亚") == [2]
    assert search(archive, index, "中亚") == [2]


def test_a_role_that_may_only_read_searches_also_after_a_rebuild(archive: Database, index: Index) -> None:
    add_articles(archive, [Text(1, "中亚", "")])
    catch_up(index)
    role = f"reader_{random.randrange(10**9)}"
    with archive.write() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
    database_roles.grant(archive, role)

    for _ in range(2):
        as_role = archive.engine.url.update_query_dict({"options": f"-crole={role}"})
        reader = Database(as_role.render_as_string(hide_password=False))
        with open_index(reader) as its_index:
            assert found_in_sql(reader, "中亚 source:a") == [1]
            assert search(reader, its_index, "中亚 source:a") == [1]
            assert (its_index.may_write(), its_index.lag().articles) == (False, 0)
        reader.close()
        index.rebuild(lambda done, total: None)

    database_roles.revoke(archive, role)
    with archive.write() as connection:
        connection.exec_driver_sql(f"DROP ROLE {role}")


def test_several_processes_index_each_article_once(archive: Database, index: Index) -> None:
    texts = [Text(number, f"中亚{number}", "五国") for number in range(1, 1001)]
    add_articles(archive, texts)

    def index_all(_: int) -> int:
        database = Database(archive.engine.url.render_as_string(hide_password=False))
        with open_index(database) as other:
            done = catch_up(other)
        database.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(index_all, range(4)))

    assert sum(done) == 1000
    assert search(archive, index, "五国") == expected(texts, "五国")


def test_an_indexing_transaction_leaves_no_list_of_terms_that_each_search_must_read(
    archive: Database, index: Index
) -> None:
    add_articles(archive, [Text(number, "中亚", "五国") for number in range(1, 11)])

    assert index.index_some(5) == 5

    with archive.write() as connection:
        pages = connection.exec_driver_sql("SELECT gin_clean_pending_list('search_docs_terms')").scalar()
    assert pages == 0


def rebuild_three_times(index: Index) -> None:
    for _ in range(3):
        index.rebuild(lambda done, total: None)


@pytest.mark.slow
def test_searches_go_on_while_the_index_is_built_again(archive: Database, index: Index) -> None:
    texts = [Text(number, f"中亚{number}", "五国") for number in range(1, 301)]
    add_articles(archive, texts)
    catch_up(index)
    wrong: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        rebuilding = pool.submit(rebuild_three_times, index)
        while not rebuilding.done():
            hits = len(newest_results(archive, index, parse("五国"), limit=500))
            hits_in_sql = len(found_in_sql(archive, "五国"))
            wrong += [hits, hits_in_sql] if (hits, hits_in_sql) != (300, 300) else []
        rebuilding.result()

    assert wrong == []


# PostgreSQL counts those of earlier transactions too until it has reported them.
SCANS = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'search_docs'"


def test_no_search_reads_all_documents(archive: Database, index: Index) -> None:
    add_articles(
        archive, [Text(n, f"中亚{n}", "五国 Kazakhstan", "a", DAY - timedelta(hours=n)) for n in range(1, 501)]
    )
    catch_up(index)

    for typed in (
        "中亚",
        "中",
        "中亚1 -kazakhs",
        "kazakh*",
        '"absent words"',
        "五国 source:a since:2024-04 until:2024-05",
    ):
        with archive.engine.connect() as connection:
            before = connection.exec_driver_sql(SCANS).one()
            connection.execute(sa.text("SELECT * FROM search(:typed)"), {"typed": typed})
            whole, by_index = (
                now - then for now, then in zip(connection.exec_driver_sql(SCANS).one(), before, strict=True)
            )
        assert (typed, whole) == (typed, 0)
        assert by_index > 0
