"""Work of polls and backfill in an archive of any size, through the store's own functions.

Its input is prepared outside the measured time, from article numbers alone: preparing reads nothing of the archive.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, count, islice

from benchmarks.feeds import Writer
from benchmarks.measure import Broken
from benchmarks.scale import archives
from benchmarks.scale.archives import STRETCH, WINDOW, Shape, listed
from benchmarks.scale.cost import Clock
from kzfeed.article.build import FeedContext, articles_of_feed
from kzfeed.article.window import compare_windows
from kzfeed.model.articles import Article, Entry, Feed, Media, WindowComparison
from kzfeed.model.polls import Poll, PollOutcome, Source
from kzfeed.store.commit import PollCommit, commit_polls, store_files
from kzfeed.store.engine import Database
from kzfeed.store.windows import last_windows

FILES = 500
"""Files that backfill stores in one transaction."""

Work = Callable[[], None]


@dataclass
class Archive:
    """An archive under measurement. `visited` and `fresh` give the numbers of sources that were not used yet."""

    database: Database
    shape: Shape
    sources: dict[int, Source] = field(default_factory=dict)
    clock: Clock = field(init=False)
    numbers: Iterator[int] = field(init=False)
    visited: Iterator[int] = field(init=False)
    fresh: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.shape
        self.numbers = count(shape.articles + 1)
        busy = range(1, shape.busy + 1)
        rare = range(shape.busy + 1, shape.busy + shape.rare + 1)
        self.visited = chain.from_iterable(zip(busy, rare, strict=False))
        self.fresh = iter(range(shape.busy + shape.rare + 1, shape.busy + shape.rare + shape.fresh + 1))
        self.sources = listed(self.database)
        self.clock = Clock(self.database)

    def take(self, numbers: Iterator[int], many: int) -> list[Source]:
        """The next unused sources, in their present state."""
        taken = [self.sources[number] for number in islice(numbers, many)]
        if len(taken) < many:
            raise Broken("there are too few sources for so many samples")
        return taken


# --- the work --------------------------------------------------------------------------------------------------------


def one_new(archive: Archive, many: int) -> Work:
    """Polls of twenty entries of which one is new: read the windows, compare, commit."""
    sources = archive.take(archive.visited, many)
    documents = []
    for source in sources:
        known = islice(archive.shape.windows[source.id], WINDOW - 1)
        documents.append([large(next(archive.numbers)), *(small(archive.shape, number) for number in known)])

    def work() -> None:
        now = datetime.now(UTC)
        windows = last_windows(archive.database, sources)
        commits = []
        for source, articles, window in zip(sources, documents, windows, strict=True):
            moved = compare_windows(window, articles, before_at=source.window_at, now=now, whole=True)
            commits.append(commit_of(source, now, "unchanged", articles, moved))
        store(archive, commits, new=1)
        if any(commit.window.shared != WINDOW - 1 for commit in commits):
            raise Broken("windows do not overlap as they should")

    return work


def not_modified(archive: Archive, many: int) -> Work:
    """Polls with a 304."""
    sources = random.Random(next(archive.numbers)).sample(sorted(archive.shape.windows), many)
    commits = [
        commit_of(archive.sources[number], datetime.now(UTC), "not-modified", (), WindowComparison())
        for number in sources
    ]
    return lambda: store(archive, commits, new=0)


def contact(archive: Archive, many: int) -> Work:
    """First polls, each with twenty new articles."""
    now = datetime.now(UTC)
    sources = archive.take(archive.fresh, many)
    commits = [
        commit_of(source, now, "unchanged", [large(next(archive.numbers)) for _ in range(WINDOW)], WindowComparison())
        for source in sources
    ]
    return lambda: store(archive, commits, new=WINDOW)


def files(archive: Archive, many: int) -> Work:
    """Archive files of all years, each batch from ten sources."""
    chance = random.Random(next(archive.numbers))
    batches = []
    for _ in range(0, many, FILES):
        names = [archive.sources[each].name for each in chance.sample(sorted(archive.shape.windows), 10)]
        articles = [from_file(next(archive.numbers), chance.random() * STRETCH) for _ in range(FILES)]
        batches.append([(names[place * 10 // FILES], article) for place, article in enumerate(articles)])

    def work() -> None:
        for batch in batches:
            if store_files(archive.database, batch, datetime.now(UTC)).new != FILES:
                raise Broken("files were stored already")

    return work


def commit_of(
    source: Source, now: datetime, outcome: PollOutcome, articles: Sequence[Article], moved: WindowComparison
) -> PollCommit:
    """A successful poll in the form that the store takes."""
    status = 304 if outcome == "not-modified" else 200
    record = Poll(source.id, now, timedelta(seconds=0.1), outcome, status, 0, len(articles))
    after = replace(
        source,
        last_polled_at=now,
        last_success_at=now,
        last_document_at=now if articles else source.last_document_at,
        window_at=now if articles else source.window_at,
        next_poll_at=now + source.every,
        next_poll_reason="its interval",
        body_hash=archives.digest(str(now)) if articles else source.body_hash,
    )
    return PollCommit(after, record, articles, before=source, window=moved)


def store(archive: Archive, commits: Sequence[PollCommit], *, new: int) -> None:
    for commit, poll in zip(commits, commit_polls(archive.database, commits), strict=True):
        if isinstance(poll, Exception):
            raise poll
        if (poll.new_articles, poll.revised_articles) != (new, 0):
            raise Broken(f"expected {new} new articles and none revised, found {poll}")
        archive.sources[commit.source.id] = commit.source


def small(shape: Shape, number: int) -> Article:
    """The article of this number, built without reading the archive."""
    words, url = archives.text(number), archives.address(number)
    image = Media("image", f"https://images.example.org/2026/{number}.jpg", None, "image/jpeg")
    return Article(
        url_hash=archives.digest(f"article {number}"),
        url=url,
        title=archives.title(number),
        content=f"<p>{words}</p>",
        text=words,
        fingerprint=archives.digest(f"visible {number}"),
        published_at=shape.published(number),
        guid=url,
        language="en",
        media=() if number % 2 else (image,),
        link_hash=archives.digest(f"article {number}"),
        own_hashes=(archives.digest(f"joint {number}"),),
    )


def large(number: int) -> Article:
    """A new article of 19 KB."""
    stored = originals()[number % len(originals())]
    return replace(
        stored,
        url_hash=archives.digest(f"article {number}"),
        url=archives.address(number),
        guid=archives.address(number),
        fingerprint=archives.digest(f"visible {number}"),
        published_at=datetime.now(UTC),
        link_hash=archives.digest(f"article {number}"),
        own_hashes=(archives.digest(f"joint {number}"),),
    )


def from_file(number: int, age: timedelta) -> Article:
    """A new article of 19 KB from an archive file."""
    published = archives.FILLED - age
    stamp = f"<!--{published.timestamp() * 1000:.0f}-->"
    bare = replace(large(number), guid=None, language=None, link_hash=None, own_hashes=())
    return replace(bare, published_at=published, published_raw=stamp)


@cache
def originals() -> tuple[Article, ...]:
    writer = Writer(1)
    entries = [writer.entry("scale", number, age=number) for number in range(100)]
    feed = Feed("rss", entries=tuple(Entry(each.title, link=each.link, content=each.html) for each in entries))
    return articles_of_feed(feed, FeedContext("https://www.example.org/", UTC, datetime.now(UTC)))


@dataclass(frozen=True)
class Task:
    """A measured piece of work, with `units` of it in each sample."""

    title: str
    prepare: Callable[[Archive, int], Work]
    units: int
    samples: int


TASKS = (
    Task("a poll, one new entry of twenty", one_new, 1, 150),
    Task("fifty polls, one new entry of twenty each", one_new, 50, 21),
    Task("a poll, 304", not_modified, 1, 150),
    Task("fifty polls, 304", not_modified, 50, 51),
    Task("a thousand files", files, 2 * FILES, 11),
    Task("a first contact, 20 articles of 19 KB", contact, 1, 40),
    Task("fifty first contacts", contact, 50, 9),
)
