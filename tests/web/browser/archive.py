"""The archive that the browser is shown: real articles, and hostile ones with versions, gaps and withdrawals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import sqlalchemy as sa

from kzfeed.article.url import url_hash
from kzfeed.backfill.file_reader import find_files
from kzfeed.backfill.run import backfill, by_host
from kzfeed.model.articles import Gap, WindowComparison
from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.export.test_restore import rss, show
from tests.web.hostile import BODIES, NAMES, URLS
from tests.web.site import index_all

ROOT = Path(__file__).parents[3]
FEEDS_WITH_IMAGES = ("CRE.xml", "TechCrunch.xml", "pet_atom.xml")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def fill(database: Database, shared: Path | None) -> None:
    """Store the samples, real articles from the shared folder where there is one, and hostile articles; index them."""
    _backfill(database, ROOT / "seeds")
    if shared:
        _backfill(database, shared / "corpus" / "family")
        for number, name in enumerate(FEEDS_WITH_IMAGES):
            body = (shared / "corpus" / "foreign" / "feedjira" / name).read_bytes()
            show(database, f"feed-{number}", body, NOW - timedelta(days=number))
    _show_hostile(database)
    index_all(database)


def _backfill(database: Database, folder: Path) -> None:
    backfill(database, find_files([folder], follow_links=False), source_of=by_host, clock=lambda: NOW)


def _show_hostile(database: Database) -> None:
    """Each hostile body in an article with a former version, and sources with hostile names."""
    links = [f"https://hostile.example/{number}" for number in range(len(BODIES))]
    for at, word in ((NOW, "first"), (NOW + _HOUR, "second")):
        items = [_item(number, link, BODIES[number], word) for number, link in enumerate(links)]
        odd = [_item(100 + number, url, "<p>An odd address</p>", word) for number, url in enumerate(URLS)]
        withdrawn = frozenset({url_hash(links[0])})
        overlap = (
            WindowComparison(gap=Gap(NOW, NOW + _HOUR), withdrawn=withdrawn) if word == "second" else WindowComparison()
        )
        show(database, "hostile", rss("hostile", [*items, *odd]), at, overlap)
    for number, _ in enumerate(NAMES):
        body = f"<p>Of a source with an odd name: {number}</p>"
        show(
            database, f"odd-{number}", rss("odd", [_item(200 + number, f"https://odd.example/{number}", body, "")]), NOW
        )
    with database.write() as connection:
        for number, name in enumerate(NAMES):
            renamed = sa.update(tables.sources).values(name=name, title=name)
            connection.execute(renamed.where(tables.sources.c.name == f"odd-{number}"))


def _item(number: int, link: str, body: str, word: str) -> str:
    name = NAMES[number % len(NAMES)]
    date = f"<pubDate>Fri, 20 Nov 2026 {number % 12:02}:00:00 GMT</pubDate>" if number % 7 else ""
    return (
        f"<item><title>{escape(f'{name} {word} {number}')}</title><link>{escape(link)}</link>{date}"
        f"<category>{escape(name)}</category><author>{escape(name)}</author>"
        f"<description>{escape(f'<p>The {word} text of article {number}.</p>{body}')}</description></item>"
    )


# --- addresses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Articles:
    """Addresses of article pages: the hostile ones, which all have former versions, and the others."""

    revised: Sequence[str]
    others: Sequence[str]


def articles(database: Database) -> Articles:
    column = tables.articles.c
    with database.read() as connection:
        rows = connection.execute(sa.select(column.url_hash, column.revision).order_by(column.id)).all()
    revised = [f"/a/{row.url_hash[:16]}" for row in rows if row.revision > 1]
    others = [f"/a/{row.url_hash[:16]}" for row in rows if row.revision == 1]
    return Articles(revised, others)


def page_types(found: Articles) -> Iterator[tuple[str, str]]:
    """One address of every type of page."""
    revised = found.revised[0]
    yield from (
        ("articles", "/"),
        ("filtered", "/?source=hostile&changed=1"),
        ("search", "/?q=article"),
        ("nothing found", "/?q=nothingatall"),
        ("undated", "/?undated=1"),
        ("article", found.others[0]),
        ("revised article", revised),
        ("hostile article", found.revised[len(BODIES) - 1]),
        ("version", f"{revised}/v/1"),
        ("diff", f"{revised}/diff/1..2"),
        ("changes", "/changes"),
        ("withdrawn", "/withdrawn"),
        ("gaps", "/gaps"),
        ("sources", "/sources"),
        ("source", "/sources/hostile"),
        ("no such page", "/nothing"),
        ("wrong request", "/?since=yesterdayish"),
    )
