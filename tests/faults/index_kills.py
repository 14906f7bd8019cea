"""Loop that kills kzfeed while it indexes, and compares what a search finds then with the reference."""

import random
import time

import sqlalchemy as sa

from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from kzfeed.store.search.index import Index
from kzfeed.store.search.opening import open_index
from tests.databases import Databases
from tests.faults.kill_loops import KILLS_A_ROUND, Figures
from tests.faults.processes import Launcher
from tests.search.reference import Text
from tests.store.search_archive import add_articles, add_sources, expected, search

QUERIES = ("中亚", "京", "哈萨克斯坦", "普京", "kazakh*", '"new york"', "中亚 -普京", "title:京")
_WORDS = ("中亚", "哈薩克斯坦", "普京", "北京", "Kazakhstan", "New York", "五国", "。", "\n")
_ADDED = 150
"""Articles that come before each kill."""


def indexing_kills(launcher: Launcher, databases: Databases, engine: str, kills: int, chance: random.Random) -> Figures:
    """Kill `kzfeed search` this many times while it indexes or builds the index again."""
    figures, length = Figures(), 1.0
    while figures.kills < kills:
        url = databases.new(engine)
        database = Database(url)
        schema.upgrade(database)
        add_sources(database)
        texts: dict[int, Text] = {}
        for _ in range(min(kills - figures.kills, KILLS_A_ROUND)):
            _change(database, texts, chance)
            rebuild = ["--rebuild"] if chance.random() < 0.5 else []
            took = launcher.run_and_kill(url, "search", "中亚", *rebuild, after=chance.uniform(0, length))
            figures.kills += took is None
            figures.too_late += took is not None
            length = took or length
        figures.rounds += 1
        with open_index(database) as index:
            _search_until_nothing_lacks(launcher, url, index)
            for query in QUERIES:
                found, wanted = search(database, index, query), expected(list(texts.values()), query)
                if found != wanted:
                    figures.wrong.append(f"{query} finds {len(found)} articles instead of {len(wanted)}")
        database.close()
    return figures


def _search_until_nothing_lacks(launcher: Launcher, url: str, index: Index) -> None:
    """Search until the index is complete. For a few seconds a search takes the killed process for one at work."""
    until = time.monotonic() + 120
    while launcher.run(url, "search", "中亚") != 0 or index.lag().articles:
        assert time.monotonic() < until, "the index stays behind"
        time.sleep(0.5)


def _change(database: Database, texts: dict[int, Text], chance: random.Random) -> None:
    """Add articles, and revise some of those that are there."""
    revised = chance.sample(sorted(texts), min(len(texts), 20))
    with database.write() as connection:
        for number in revised:
            texts[number] = texts[number]._replace(text=_text(chance))
            article = tables.articles.c
            connection.execute(sa.update(tables.articles).where(article.id == number).values(text=texts[number].text))
            connection.execute(sa.insert(tables.article_changes), [{"article_id": number}])
    first = len(texts) + 1
    new = [Text(number, _text(chance), _text(chance)) for number in range(first, first + _ADDED)]
    add_articles(database, new)
    texts |= {text.id: text for text in new}


def _text(chance: random.Random) -> str:
    return "".join(chance.choices(_WORDS, k=chance.randint(1, 30)))
