"""An archive that a thread changes all the time, and what it must hold: for kills of what follows it."""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.article.window import compare_windows
from kzfeed.errors import DatabaseError
from kzfeed.instants import milliseconds
from kzfeed.model.articles import Article
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import schema, sources, tables
from kzfeed.store.engine import Database
from tests.search.reference import Text
from tests.store.commits import commit_poll, last_window

SOURCES = ("a", "b")
MANY = 1_500
"""The number of articles of each source after which few new ones come."""
FIRST_POLLS = 5
"""The number of polls before anything is indexed."""
_FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
_PAUSE_S = 0.2
_SHOWN = 80
"""How many of its earlier articles a document shows again."""


class ChangingArchive:
    """An archive whose sources show new, revised and withdrawn articles as long as the block runs.

    A poll that the database could not store is repeated until it is stored.
    """

    def __init__(self, url: str, sentences: Sequence[str], chance: random.Random) -> None:
        self.url = url
        self.repeated = 0
        """How many polls were stored only when they were repeated."""
        self._database = Database(url)
        self._sentences = sentences
        self._chance = chance
        self._articles: dict[str, Article] = {}
        self._source_of: dict[str, str] = {}
        self._shown: dict[str, list[str]] = {name: [] for name in SOURCES}
        self._may_change = threading.Condition()
        self._polls = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._change_all_the_time)
        self._failure: BaseException | None = None
        schema.upgrade(self._database)
        configs = [SourceConfig(name, f"https://{name}.example/rss") for name in SOURCES]
        sources.configure(self._database, configs, datetime.now(UTC))
        with self._may_change:
            for _ in range(FIRST_POLLS):
                self._show(chance.choice(SOURCES))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Change nothing for the length of the block."""
        with self._may_change:
            yield

    def wait_for_changes(self) -> None:
        """Wait until each source has probably shown a new document."""
        with self._may_change:
            polls = self._polls + len(SOURCES)
            assert self._may_change.wait_for(lambda: self._polls >= polls or self._failure, 120), "nothing changes"

    def texts(self) -> list[Text]:
        """All articles that the sources have shown, as a search must see them. Ask while the archive is paused."""
        if self._failure:
            raise self._failure
        article = tables.articles.c
        with self._database.read() as connection:
            ids = {row.url: row.id for row in connection.execute(sa.select(article.url, article.id))}
        # An article that is not stored gets an id that no search finds.
        return [
            Text(ids.get(url, -1), each.title, each.text, self._source_of[url], each.published_at)
            for url, each in self._articles.items()
        ]

    def _change_all_the_time(self) -> None:
        try:
            while not self._stopping.wait(_PAUSE_S):
                with self._may_change:
                    self._show(self._chance.choice(SOURCES))
        except BaseException as failure:  # noqa: BLE001 - raised by `texts`
            self._failure = failure

    def _show(self, name: str) -> None:
        """A poll of the source, whose document has new, revised and old articles and lacks some withdrawn ones."""
        chance, shown = self._chance, self._shown[name]
        new = [self._new(name) for _ in range(chance.randint(20, 200) if len(shown) < MANY else 2)]
        again = [self._articles[url] for url in shown[-_SHOWN:] if chance.random() > 0.05]
        again = [self._revised(each) if chance.random() < 0.2 else each for each in again]
        shown += [each.url or "" for each in new]
        document = sorted([*new, *again], key=lambda each: each.published_at or _FIRST_DAY, reverse=True)
        while True:
            try:
                self._store(name, document)
                break
            except DatabaseError:
                self.repeated += 1
                if self._stopping.wait(_PAUSE_S):
                    raise
        for each in document:
            self._articles[each.url or ""] = each
            self._source_of.setdefault(each.url or "", name)
        self._polls += 1
        self._may_change.notify_all()

    def _store(self, name: str, document: Sequence[Article]) -> None:
        now = datetime.now(UTC)
        before = next(each for each in sources.load(self._database) if each.name == name)
        window = compare_windows(
            last_window(self._database, before), document, before_at=before.window_at, now=now, whole=True
        )
        after = replace(before, last_polled_at=now, last_document_at=now, window_at=now)
        poll = Poll(before.id, now, timedelta(seconds=1), "unchanged", entries=len(document))
        commit_poll(self._database, after, poll, document, window=window)

    def _new(self, name: str) -> Article:
        number = sum(map(len, self._shown.values())) + self._chance.randrange(1 << 40) * 10_000
        published = _FIRST_DAY + timedelta(hours=self._chance.randrange(20_000))
        return self._article(f"https://{name}.example/{number}", None if number % 10 == 0 else published)

    def _revised(self, article: Article) -> Article:
        """The article with another title and text. If it had no date, it gets one."""
        published = article.published_at or _FIRST_DAY + timedelta(hours=self._chance.randrange(20_000))
        return self._article(article.url or "", published)

    def _article(self, url: str, published_at: datetime | None) -> Article:
        title, *paragraphs = self._chance.choices(self._sentences, k=self._chance.randint(2, 8))
        content = "".join(f"<p>{each}</p>" for each in paragraphs)
        at = None if published_at is None else milliseconds(published_at)
        return article_of_file(ArchiveFile(at, title, url, content))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()
        self._database.close()
