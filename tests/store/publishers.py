"""Feeds of publishers over time: posts, documents, and visits to sources that are stored as a poll stores them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import sqlalchemy as sa

from kzfeed.article.window import compare_windows
from kzfeed.model.articles import Article, Document, WindowComparison
from kzfeed.model.polls import Fetched, NotModified, Poll, SourceConfig
from kzfeed.sandbox.document_reader import read_document
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import Circumstances, VisitResult, next_state
from kzfeed.store import sources
from kzfeed.store.engine import Database
from kzfeed.store.windows import archived_keys
from tests.store.commits import commit_poll, last_window

FIRST_VISIT = datetime(2022, 2, 1, 12, tzinfo=UTC)
NOT_MODIFIED = b"304"

_VOCABULARY = (
    *("harbour", "council", "ferry", "vote", "pension", "bridge", "orchard", "storm", "railway", "museum", "engine"),
    *("lantern", "market", "winter", "signal", "canal", "teacher", "budget", "verdict", "glacier", "violin", "island"),
)


def words(number: int, length: int = 30) -> str:
    """A text of its own for each number."""
    digest = hashlib.sha512(str(number).encode()).digest()
    return " ".join(_VOCABULARY[digest[n % 64] % len(_VOCABULARY)] for n in range(length)) + f" {number}."


def day(number: float) -> str:
    """The date of a post: the day of January 2022, counted from 1."""
    return f"{datetime(2022, 1, 1, 8, tzinfo=UTC) + timedelta(days=number - 1):%a, %d %b %Y %H:%M:%S GMT}"


@dataclass(frozen=True)
class Post:
    """An item of a feed. The link and the guid are addresses made of the number, unless they are given."""

    number: int
    title: str | None = None
    words: str | None = None
    link: str | None = "https://p.example/{n}"
    guid: str | None = "https://p.example/{n}"
    date: str | None = ""
    files: Sequence[str] = ()

    def item(self) -> str:
        date = day(self.number) if self.date == "" else self.date
        elements = {
            "title": f"Post {self.number}" if self.title is None else self.title,
            "link": self.link and self.link.format(n=self.number),
            "guid": self.guid and self.guid.format(n=self.number),
            "pubDate": date,
            "description": words(self.number) if self.words is None else self.words,
        }
        written = [f"<{name}>{escape(value)}</{name}>" for name, value in elements.items() if value is not None]
        written += [f'<enclosure url="{escape(file)}" type="audio/mpeg"/>' for file in self.files]
        return f"<item>{''.join(written)}</item>"


def feed(*posts: Post, note: str = "") -> bytes:
    """A document that shows these posts, in this order."""
    items = "".join(post.item() for post in posts)
    return f"<rss version='2.0'><channel><title>P</title>{note}{items}</channel></rss>".encode()


def cut_off(document: bytes) -> bytes:
    """The document without its end, from the middle of its last item on."""
    return document[: document.rindex(b"<description>") + 20]


def visit(database: Database, name: str, body: bytes, now: datetime, max_entries: int = 5_000) -> Poll:
    """Visit a source that answers with this document, or with a 304, and store what the visit brought."""
    if not sources.load(database, [name]):
        sources.add(database, [SourceConfig(name, f"https://{name}.example/feeds/rss.xml")], now)
    (before,) = sources.load(database, [name])
    outcome: Fetched | NotModified
    if body == NOT_MODIFIED:
        outcome = NotModified(before.url, {})
        result = VisitResult(outcome)
    else:
        outcome = Fetched(before.url, 200, {}, body)
        result = VisitResult(outcome, body_hash=hashlib.sha256(body).hexdigest())
    articles: tuple[Article, ...] = ()
    if result.body_hash and result.body_hash != before.body_hash:
        document = Document(body, None, before.url, None, now, max_entries)
        parsed, articles = read_document(document)
        if parsed.dropped and before.last_document_at:
            parsed, articles = read_document(replace(document, archived=archived_keys(database, before.id)))
        whole = not (parsed.cut_off or parsed.dropped or parsed.skipped)
        window = compare_windows(
            last_window(database, before), articles, before_at=before.window_at, now=now, whole=whole
        )
        result = VisitResult(outcome, parsed, body_hash=result.body_hash, window=window)
    after = next_state(before, result, Circumstances(now, IntervalBounds(), 0.5))
    record = Poll(before.id, now, timedelta(), "unchanged", http_status=outcome.status, entries=len(articles))
    if body == NOT_MODIFIED:
        record = replace(record, outcome="not-modified")
    return commit_poll(
        database, after.source, record, articles, before=before, window=result.window or WindowComparison()
    )


@dataclass(frozen=True)
class Archived:
    """What the archive holds: the versions of each article, the titles of withdrawn articles, the number of gaps."""

    articles: Sequence[Sequence[str]] = ()
    withdrawn: Sequence[str] = ()
    gaps: int = 0


def archived(database: Database, prefix: str) -> Archived:
    """What the archive holds of the sources whose names begin with this prefix."""
    chosen = f"SELECT id FROM sources WHERE name LIKE '{prefix}%'"
    older = f"SELECT article_id, revision, title FROM revisions WHERE source_id IN ({chosen})"
    newest = f"SELECT id, revision, title FROM articles WHERE source_id IN ({chosen})"
    found: dict[int, list[str]] = {}
    with database.read() as connection:
        for article_id, _, title in connection.execute(sa.text(f"{older} UNION ALL {newest} ORDER BY 1, 2")):
            found.setdefault(article_id, []).append(title)
        withdrawn = connection.execute(
            sa.text(
                "SELECT a.title FROM sightings AS s JOIN articles AS a ON a.id = s.article_id "
                f"WHERE s.withdrawn_at IS NOT NULL AND s.source_id IN ({chosen}) ORDER BY a.title"
            )
        ).scalars()
        gaps = connection.execute(sa.text(f"SELECT count(*) FROM gaps WHERE source_id IN ({chosen})")).scalar_one()
        return Archived(sorted(map(tuple, found.values())), list(withdrawn), gaps)
