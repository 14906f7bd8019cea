"""docs/cookbook.md: every query gives the right answer, the same on SQLite and PostgreSQL, about a known archive."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.cli.table import value_text
from kzfeed.model.articles import Article, Gap, WindowComparison
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import sources
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from kzfeed.store.queries.user_query import run_query
from tests.store.commits import commit_poll

PAGE = Path(__file__).parents[1] / "docs" / "cookbook.md"
MONDAY = datetime(2024, 5, 6, 8, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def queries(engine: str) -> dict[int, str]:
    """The queries of the page for one engine, by number."""
    found: dict[int, str] = {}
    for section in re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```sql\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        own = [block for block in blocks if block.startswith(f"-- {engine}\n")] or blocks
        (text,) = own
        found[int(section.split(".")[0])] = text.removeprefix(f"-- {engine}\n")
    return found


# --- a known archive -------------------------------------------------------------------------------------------------


def article(url: str, title: str, content: str, published_at: datetime | None, **more: Any) -> Article:
    made = article_of_file(ArchiveFile(None, title, url, content))
    return replace(made, published_at=published_at, published_raw=more.pop("raw", None), **more)


QUAKE = article(
    "https://voa.example/1",
    "阿拉木图地震",
    '<p>地震，救援开始。<a href="https://almaty.example/a">市政府</a><a href="http://usgs.example">地震局</a></p>'
    "<img src='https://img.voa.example/1.jpg'>",
    MONDAY - HOUR,
    language="zh",
    tags=("中亚", "地震"),
)
FERRY = article("https://voa.example/2", "最后一班渡船", "<p>渡船</p>", MONDAY - DAY, language="zh", tags=("中亚",))
UNDATED = article("https://voa.example/3", "无日期", "<p>旧闻</p>", None, raw="last week")
ECHO = article(
    "https://rfi.example/1",
    "哈萨克斯坦地震之后",
    '<p>救援队抵达地震灾区。<a href="https://almaty.example/b">图</a></p><audio src="https://a.rfi.example/1.mp3"></audio>',
    MONDAY + HOUR,
    tags=("地震",),
)
COPY = replace(article("https://mirror.example/1", FERRY.title, FERRY.content, None), language="kk")
OLD = article("https://bbc.example/1", "旧的一篇", "<p>四月</p>", MONDAY - 20 * DAY)
REVISED = replace(QUAKE, title="阿拉木图发生地震", content=QUAKE.content.replace("开始", "继续"))
AGAIN = replace(QUAKE, title="阿拉木图发生地震", content=QUAKE.content.replace("开始", "结束"))


def derived(changed: Article) -> Article:
    """The article with text and fingerprint of its new content."""
    made = article_of_file(ArchiveFile(None, changed.title, str(changed.url), changed.content))
    return replace(changed, text=made.text, fingerprint=made.fingerprint)


def poll(database: Database, name: str, now: datetime, articles: Sequence[Article], **more: Any) -> None:
    source = next(each for each in sources.load(database) if each.name == name)
    after = replace(source, last_polled_at=now, last_success_at=now, last_document_at=now)
    record = Poll(source.id, now, HOUR, "unchanged", entries=len(articles))
    commit_poll(database, after, record, articles, **more)


def fill(database: Database) -> None:
    """Store the known archive."""
    names = ("voa", "rfi", "bbc")
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/rss") for name in names], MONDAY)
    poll(database, "bbc", MONDAY - 20 * DAY + HOUR, [OLD])
    poll(database, "voa", MONDAY, [QUAKE, FERRY, UNDATED])
    poll(database, "rfi", MONDAY + 2 * HOUR, [ECHO, FERRY])
    poll(database, "voa", MONDAY + 3 * HOUR, [derived(REVISED), replace(FERRY, published_at=MONDAY - 2 * DAY)])
    gap = WindowComparison(gap=Gap(MONDAY + 4 * HOUR, MONDAY + 6 * DAY), withdrawn=frozenset({UNDATED.url_hash}))
    poll(database, "voa", MONDAY + 7 * DAY, [derived(AGAIN)], window=gap)
    store_files(database, [("mirror.example", COPY)], MONDAY + 7 * DAY)
    (bbc,) = (each for each in sources.load(database) if each.name == "bbc")
    failed = replace(bbc, failure_count=1, status="failing", last_error_kind="http-status", last_error="HTTP 503")
    record = Poll(bbc.id, MONDAY, HOUR, "failed", http_status=503, error_kind="http-status", error="HTTP 503")
    commit_poll(database, failed, record)


def answer(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with run_query(database, sql, timedelta(seconds=60)) as result:
        return [
            tuple(value if value is None or isinstance(value, int) else value_text(value) for value in row)
            for row in result.rows
        ]


ANSWERS: dict[int, list[tuple[Any, ...]]] = {
    1: [
        ("2024-05-06 09:00:00.000", "rfi", "哈萨克斯坦地震之后"),
        ("2024-05-06 07:00:00.000", "voa", "阿拉木图发生地震"),
        ("2024-05-04 08:00:00.000", "voa", "最后一班渡船"),
        ("2024-04-16 08:00:00.000", "bbc", "旧的一篇"),
        (None, "mirror.example", "最后一班渡船"),
        (None, "voa", "无日期"),
    ],
    2: [("2024-04-16", "bbc", 1), ("2024-05-04", "voa", 1), ("2024-05-06", "rfi", 1), ("2024-05-06", "voa", 1)],
    3: [("2024-04", "bbc", 1), ("2024-05", "rfi", 1), ("2024-05", "voa", 2)],
    4: [("07", 1), ("08", 1)],
    5: [("rfi", 1, 11, 11, 11), ("voa", 3, 2, 6, 14), ("bbc", 1, 2, 2, 2), ("mirror.example", 1, 2, 2, 2)],
    6: [("not named", 3), ("zh", 2), ("kk", 1)],
    7: [
        (4, "voa", "无日期", "last week", "2024-05-06 08:00:00.000"),
        (6, "mirror.example", "最后一班渡船", None, "2024-05-13 08:00:00.000"),
    ],
    8: [
        ("voa", "2024-05-06 07:00:00.000", "阿拉木图发生地震"),
        ("rfi", "2024-05-06 09:00:00.000", "哈萨克斯坦地震之后"),
    ],
    9: [(3, "最后一班渡船", "voa", 2, "2024-05-06 08:00:00.000")],
    10: [("最后一班渡船", 2, 3, 6)],
    11: [("voa", 2, 1470), ("bbc", 1, 60), ("rfi", 1, 60)],
    12: [(2, "voa", "阿拉木图发生地震", 3, "2024-05-13 08:00:00.000")],
    13: [(2, "阿拉木图地震", "阿拉木图发生地震", "2024-05-06 11:00:00.000")],
    14: [("2024-05", "voa", 2)],
    15: [("voa", "无日期", "2024-05-13 08:00:00.000", None)],
    16: [(3, "最后一班渡船", "2024-05-05 08:00:00.000", "2024-05-04 08:00:00.000", "2024-05-06 11:00:00.000")],
    17: [("2024-05", 2)],
    18: [("中亚", 2), ("地震", 2)],
    19: [("almaty.example", 2, 2), ("usgs.example", 1, 1)],
    20: [("audio", "a.rfi.example", 1), ("image", "img.voa.example", 1)],
    21: [("bbc", "2024-04-16")],
    22: [
        ("2024-04-15", "bbc", "new", 1),
        ("2024-05-06", "bbc", "failed", 1),
        ("2024-05-06", "rfi", "new", 1),
        ("2024-05-06", "voa", "new", 2),
        ("2024-05-13", "voa", "new", 1),
    ],
    23: [("bbc", "http-status", 1, "2024-05-06 08:00:00.000")],
    24: [("voa", "2024-05-06 12:00:00.000", "2024-05-12 08:00:00.000", "2024-05-13 08:00:00.000")],
    25: [
        ("bbc", "failing", 1, "2024-04-16 09:00:00.000", None, 0),
        ("voa", "active", 0, "2024-05-13 08:00:00.000", None, 1),
    ],
}


def test_every_query_gives_the_right_answer(database: Database) -> None:
    fill(database)
    engine = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database.dialect]
    given = {number: answer(database, sql) for number, sql in queries(engine).items()}

    assert set(given) == set(range(1, 26))
    for number, rows in ANSWERS.items():
        assert given[number] == rows, number
