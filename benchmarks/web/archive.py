"""Generator of an archive for the benchmark of pages: articles over ten years with everything that a page may show.

The same size gives the same rows. One article in 20 has former versions, one in 50 is withdrawn, one in 100 undated,
one in 1,000 thirty times as long as the others; a quarter have an image, and half have tags.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import sqlalchemy as sa

from benchmarks.search.texts import FIRST_DAY, STRETCH, articles
from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.day_counts import recount
from kzfeed.store.engine import Database
from tests.search.reference import Text

END = datetime(2026, 11, 1, tzinfo=UTC)
"""The archive's last day."""
LONG = 1000
"""Articles whose numbers are multiples of it are thirty times as long."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
TAGS = ("政治", "经济", "中亚", "哈萨克斯坦", "文化", "体育", "Kazakhstan", "экономика")
LANGUAGES = ("zh-Hans", "zh-Hant", "en", "ru")

Row = dict[str, Any]
Rows = Mapping[sa.Table, Sequence[Row]]


def fill(database: Database, count: int, number_of_sources: int, real: list[str]) -> None:
    """Fill an empty archive with `count` articles, a month of polls of each source and a year of their sums."""
    numbers = range(1, number_of_sources + 1)
    sources.configure(database, [_config(number) for number in numbers], END)
    chance = random.Random(2)
    weights = list(accumulate(1 / (number + 4) for number in numbers))
    owners = iter(lambda: chance.choices(numbers, cum_weights=weights)[0], None)
    for texts in _batches(zip(articles(count, real), owners, strict=False), 2000):
        rows: defaultdict[sa.Table, list[Row]] = defaultdict(list)
        for text, owner in texts:
            _add_article(rows, text, owner, chance)
        _insert(database, rows)
    for number in numbers:
        _insert(database, _rows_of_source(number, chance))
    with database.write() as connection:
        recount(connection)
        last = {"last_polled_at": END, "last_success_at": END, "last_document_at": END, "next_poll_at": END + _HOUR}
        connection.execute(sa.update(tables.sources).values(**last))
        if database.dialect == "postgresql":
            newest = "setval(pg_get_serial_sequence('articles', 'id'), max(id))"
            connection.exec_driver_sql(f"SELECT {newest} FROM articles")
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("ANALYZE")


def _config(number: int) -> SourceConfig:
    return SourceConfig(f"source-{number:03}", f"https://{number}.example.org/feed.xml", title=f"第{number}号报纸")


def _batches(items: Iterable[tuple[Text, int]], size: int) -> Iterator[list[tuple[Text, int]]]:
    batch: list[tuple[Text, int]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def _insert(database: Database, rows: Rows) -> None:
    with database.write() as connection:
        for table in tables.metadata.sorted_tables:
            if rows.get(table):
                connection.execute(sa.insert(table), rows[table])


def _add_article(rows: defaultdict[sa.Table, list[Row]], text: Text, owner: int, chance: random.Random) -> None:
    assert text.published_at
    number = text.id
    body = text.text * 30 if number % LONG == 0 else text.text
    published = text.published_at + (END - FIRST_DAY - STRETCH)
    seen = min(published + chance.random() * _HOUR, END)
    versions = chance.randint(2, 4) if number % 20 == 0 else 1
    address = f"https://www.example.org/{number}.html"
    dated = None if number % 100 == 0 else published
    shown: Row = {"published_at": dated, "title": text.title, "content": _html(body, number, owner), "text": body}
    rows[tables.articles].append(
        {
            "id": number,
            "url_hash": hashlib.sha256(address.encode()).hexdigest(),
            "url": address,
            **shown,
            "language": chance.choice(LANGUAGES),
            "first_seen_at": seen,
            "last_seen_at": seen + _DAY,
            "source_id": owner,
            "revision": versions,
            "revision_seen_at": seen + (versions - 1) * _HOUR,
            "revision_source_id": owner,
            "fingerprint": "",
        }
    )
    for version in range(1, versions):
        former = body[: len(body) * version // versions] + body[-20:]
        at = {"article_id": number, "revision": version, "seen_at": seen + (version - 1) * _HOUR, "source_id": owner}
        words = {"title": text.title[: 10 + version], "content": _html(former, number, owner), "text": former}
        rows[tables.revisions].append({**at, "published_at": dated, **words})
    withdrawn = seen + 5 * _HOUR if number % 50 == 0 else None
    sighting = {"article_id": number, "source_id": owner, "guid": address, "first_seen_at": seen, "revision": versions}
    rows[tables.sightings].append({**sighting, "last_seen_at": seen + 5 * _HOUR, "withdrawn_at": withdrawn})
    if withdrawn:
        rows[tables.withdrawals].append({"article_id": number, "source_id": owner, "from_at": withdrawn})
    if number % 4 == 0:
        image = f"https://images.example.org/{number}.jpg"
        rows[tables.media].append({"article_id": number, "kind": "image", "url": image, "mime_type": "image/jpeg"})
    if number % 2 == 0:
        rows[tables.tags] += [{"article_id": number, "tag": tag} for tag in chance.sample(TAGS, 2)]


def _html(text: str, number: int, owner: int) -> str:
    sentences = text.split("。")
    paragraphs = ["。".join(sentences[start : start + 4]) for start in range(0, len(sentences), 4)]
    image = f'<p><img src="https://images.example.org/{number}.jpg" alt="图"></p>' if number % 4 == 0 else ""
    link = f'<p><a href="https://{owner}.example.org/more">更多</a></p>'
    return image + "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs) + link


def _rows_of_source(number: int, chance: random.Random) -> Rows:
    """A month of hourly polls, a year of the sums of polls before, three gaps and a former address."""
    found: defaultdict[sa.Table, list[Row]] = defaultdict(list)
    poll = {"source_id": number, "duration_ms": 120, "bytes": 90_000, "new_articles": 0, "revised_articles": 0}
    for hour in range(30 * 24):
        started = END - hour * _HOUR - timedelta(seconds=number)
        outcome = chance.choices(("new", "unchanged", "not-modified", "failed"), (10, 5, 80, 5))[0]
        failed = outcome == "failed"
        result: Row = {"http_status": None if failed else 200, "entries": 0 if failed else 20}
        error = {"error_kind": "timeout", "error": "no answer within 30 s"} if failed else {}
        news = {"new_articles": 2} if outcome == "new" else {}
        absent = {"error_kind": None, "error": None}
        found[tables.polls].append(
            {**poll, "started_at": started, "outcome": outcome, **result, **absent, **error, **news}
        )
    sums = {"polls": 24, "with_news": 4, "not_modified": 18, "duration_ms": 2880, "bytes": 900_000}
    more = {"new_articles": 8, "revised_articles": 1, "filtered": 0}
    for day in range(30, 395):
        found[tables.poll_days].append({"day": (END - day * _DAY).date(), "source_id": number, **sums, **more})
    for month in (2, 5, 9):
        start = END - timedelta(days=30 * month + number % 20)
        found[tables.gaps].append(
            {"source_id": number, "from_at": start, "to_at": start + 7 * _HOUR, "noticed_at": start + 8 * _HOUR}
        )
    found[tables.source_addresses].append(
        {
            "source_id": number,
            "url": f"http://{number}.example.org/old.xml",
            "from_at": END - 900 * _DAY,
            "to_at": END - 500 * _DAY,
            "reason": "moved",
        }
    )
    return found
