"""Kinds of pages that the benchmark asks for, with random sources, articles and words, as paths."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import sqlalchemy as sa

from benchmarks.web.archive import LANGUAGES, LONG, TAGS
from kzfeed.store import tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.source_list import source_names

Path = Callable[[random.Random], str]
_SAMPLE = 2_000


@dataclass(frozen=True)
class Kind:
    """Pages that cost about the same, and the most milliseconds that they may take."""

    path: Path
    goal_ms: int = 50


@dataclass(frozen=True)
class Known:
    """The names of the sources, and articles drawn by chance: their hashes, those with versions, and long ones."""

    sources: Sequence[str]

    hashes: Sequence[str]
    revised: Sequence[str]
    long: Sequence[str]
    runs: Sequence[str]
    """Chinese strings of at least ten characters."""


def draw(database: Database) -> Known:
    """What the archive holds, with articles drawn by chance."""
    article = tables.articles.c
    with database.read() as connection:
        highest = connection.execute(sa.select(sa.func.max(article.id))).scalar_one()
        ids = random.Random(4).sample(range(1, highest + 1), min(_SAMPLE, highest))
        query = sa.select(article.url_hash, article.revision, article.text)
        rows = connection.execute(query.where(article.id.in_(ids))).all()
        long = connection.execute(
            query.where(
                article.revision > 1, article.id.in_(range(LONG, highest + 1, max(highest // 20 // LONG, 1) * LONG))
            )
        ).all()
    runs = [run for row in rows for run in re.findall("[\u4e00-\u9fff]{10,}", row.text[:2000])]
    revised = [row.url_hash[:16] for row in rows if row.revision > 1]
    hashes = [row.url_hash[:16] for row in rows]
    return Known(source_names(database), hashes, revised, [row.url_hash[:16] for row in long], runs)


def kinds(known: Known) -> Mapping[str, Kind]:
    """The kinds of pages by name."""

    def source(chance: random.Random) -> str:
        return known.sources[min(int(chance.paretovariate(0.5)), len(known.sources)) - 1]

    def words(chance: random.Random) -> str:
        run = chance.choice(known.runs)
        size = chance.choice((2, 3, 4))
        start = chance.randrange(len(run) - size + 1)
        return run[start : start + size]

    def older(chance: random.Random) -> str:
        return f"/?{urlencode({'until': f'{chance.randint(2017, 2026)}-{chance.randint(1, 9):02}'})}"

    def filtered(chance: random.Random) -> str:
        chosen = {
            "source": source(chance),
            "language": chance.choice(LANGUAGES),
            "tag": chance.choice(TAGS),
            chance.choice(("changed", "withdrawn", "undated")): "1",
        }
        return f"/?{urlencode(dict(chance.sample(sorted(chosen.items()), chance.choice((1, 1, 2)))))}"

    return {
        "newest articles": Kind(lambda _: "/"),
        "older articles": Kind(older),
        "filtered articles": Kind(filtered),
        "search": Kind(lambda chance: f"/?{urlencode({'q': words(chance)})}"),
        "search of a source": Kind(lambda chance: f"/?{urlencode({'q': words(chance), 'source': source(chance)})}"),
        "article": Kind(lambda chance: f"/a/{chance.choice(known.hashes)}"),
        "version": Kind(lambda chance: f"/a/{chance.choice(known.revised)}/v/1"),
        "diff": Kind(lambda chance: f"/a/{chance.choice(known.revised)}/diff/1..2", 200),
        "diff of a long article": Kind(lambda chance: f"/a/{chance.choice(known.long)}/diff/1..2", 200),
        "changes": Kind(lambda _: "/changes"),
        "withdrawn": Kind(lambda _: "/withdrawn"),
        "gaps": Kind(lambda _: "/gaps"),
        "sources": Kind(lambda _: "/sources"),
        "source, with heat map": Kind(lambda chance: f"/sources/{source(chance)}", 200),
    }
