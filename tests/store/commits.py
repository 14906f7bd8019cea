"""One poll at a time, where a test is not about many of them."""

from collections.abc import Sequence
from typing import Any

from kzfeed.errors import DatabaseError
from kzfeed.model.articles import Article, WindowEntry
from kzfeed.model.polls import Poll, Source
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.windows import last_windows


def commit_poll(database: Database, source: Source, poll: Poll, articles: Sequence[Article] = (), **more: Any) -> Poll:
    (result,) = commit_polls(database, [PollCommit(source, poll, articles, **more)])
    if isinstance(result, DatabaseError):
        raise result
    return result


def last_window(database: Database, source: Source) -> list[WindowEntry]:
    (window,) = last_windows(database, [source])
    return window
