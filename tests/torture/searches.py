"""Comparison of many searches with the reference: `python -m tests.torture.searches FOLDER [--articles 5000]`.

The articles are made of the Chinese sentences of a folder's files, one sentence as the title and up to twenty as the
text. The queries are strings of one to ten characters of them; every fifth is shuffled, so that most of these are
absent, and every fourth is written in traditional characters. The exit status is 1 if one of them finds anything but
the articles whose folded title or text contains it. On two cores it takes some minutes.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import opencc

from kzfeed.store import schema
from kzfeed.store.engine import Database
from kzfeed.store.search.opening import open_index
from kzfeed.store.search.upkeep import catch_up
from tests.conftest import ENGINES
from tests.databases import Databases, postgresql_server
from tests.search.reference import Text
from tests.search.texts import articles_of_sentences, sentences, strings
from tests.store.search_archive import add_articles, add_sources, expected, hit_ids
from tests.torture.report import say


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.searches", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with Chinese texts")
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None, help="repeats the articles and queries of an earlier run")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chance = random.Random(seed)
    texts = list(articles_of_sentences(options.articles, sentences(options.folder), chance))
    traditional = opencc.OpenCC("s2t")
    queries = {
        typed if number % 4 else traditional.convert(typed): None
        for number, typed in enumerate(strings(options.queries, texts, chance))
    }
    wanted = {typed: expected(texts, typed) for typed in queries}
    absent = sum(not ids for ids in wanted.values())
    characters = sum(len(text.title + text.text) for text in texts)
    say(f"seed {seed}: {len(texts)} articles of {characters} characters")
    say(f"{len(queries)} queries, {absent} of them absent")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server:
        for engine in ENGINES:
            answers = _answers(Databases(Path(folder), server.url).new(engine), texts, list(queries))
            lines = [
                f"{typed} finds {len(ids)} articles instead of {len(wanted[typed])}"
                for typed, ids in answers.items()
                if ids != wanted[typed]
            ]
            hits = sum(map(len, answers.values()))
            say(f"{engine}: {len(answers)} queries, {hits} articles found, {len(lines)} queries wrong", *lines)
            wrong += len(lines)
    return 1 if wrong else 0


def _answers(url: str, texts: Sequence[Text], queries: Sequence[str]) -> dict[str, list[int]]:
    """What each query finds in a new archive: half of the articles were there when the index was built."""
    database = Database(url)
    schema.upgrade(database)
    add_sources(database)
    half = len(texts) // 2
    with open_index(database) as index:
        add_articles(database, texts[:half])
        catch_up(index)
        add_articles(database, texts[half:])
        catch_up(index)
        answers = {typed: hit_ids(database, index, typed) for typed in queries}
    database.close()
    return answers


if __name__ == "__main__":
    sys.exit(main())
