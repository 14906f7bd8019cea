"""What polls and folders of files brought, written down: many polls or files in one transaction, each of them whole.

How it is written stands in `articles` and `states`; here is in what order, and what becomes of a poll that cannot be.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

import sqlalchemy as sa

from kzfeed.errors import DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model import Article, Overlap, Poll, Source, Tally
from kzfeed.store import source_state as states
from kzfeed.store import sources, tables, windows
from kzfeed.store.articles import bring
from kzfeed.store.bulk import ForMany, Row
from kzfeed.store.engine import Database, is_trouble
from kzfeed.store.lookup import Brought, hashes_of

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PollCommit:
    """A poll to be written down: the source's state after it, its record, and the articles that it brought.

    `before` is the state that the poll began from, `overlap` what its window has to do with the one before, `pause`
    until when nobody may visit `paused_host`, by default the source's own. Where another poll stored a document
    meanwhile, this one's may be the older: it adds what it alone holds and changes nothing else.
    """

    source: Source
    poll: Poll
    articles: Sequence[Article] = ()
    before: Source | None = None
    overlap: Overlap = Overlap()  # noqa: RUF009 - frozen
    pause: datetime | None = None
    paused_host: str | None = None


def commit_polls(database: Database, commits: Sequence[PollCommit]) -> list[Poll | DatabaseError]:
    """Write polls down, each of them all or nothing, as if one after the other, in one transaction.

    Returns in their order the records with what the polls brought, or why one could not be stored: a poll that cannot
    costs itself only, a database in trouble all of them.
    """
    if not commits:
        return []
    try:
        with database.write() as connection:
            return [poll for part in _apart(commits, _concerns) for poll in _commit(connection, part)]
    except DatabaseError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - whatever one poll holds, the others are to be stored
        failure = DatabaseError(f"a poll cannot be stored: {error!r}")
        failure.__cause__ = error
    if len(commits) == 1 or is_trouble(failure):
        return [failure] * len(commits)
    return _one_by_one(database, commits)


def _one_by_one(database: Database, commits: Sequence[PollCommit]) -> list[Poll | DatabaseError]:
    results: list[Poll | DatabaseError] = []
    for commit in commits:
        last = results[-1] if results else None
        if isinstance(last, DatabaseError) and is_trouble(last):
            results.append(last)
        else:
            results += commit_polls(database, [commit])
    return results


def store_files(database: Database, articles: Iterable[tuple[str, Article]], now: datetime) -> Tally:
    """Write the articles of archive files down, each for the source that is named with it, all or nothing.

    What is stored already stays as it is, untouched. Raises DatabaseError.
    """
    tally = Tally()
    runs = [(name, [article for _, article in run]) for name, run in groupby(articles, key=lambda pair: pair[0])]
    with database.write() as connection:
        ids = sources.ids_of(connection, [name for name, _ in runs])
        brought = [Brought(ids[name], run, now, live=False) for name, run in runs]
        for part in _apart(brought, lambda each: _hashes(each.articles)):
            tally = sum(bring(connection, part), tally)
    return tally


def _apart(items: Iterable[Item], concerns: Callable[[Item], Collection[object]]) -> Iterator[list[Item]]:
    """The items in their order, in lists within which no two concern the same."""
    part: list[Item] = []
    concerned: set[object] = set()
    for item in items:
        its = concerns(item)
        if not concerned.isdisjoint(its):
            yield part
            part, concerned = [], set()
        part.append(item)
        concerned.update(its)
    if part:
        yield part


def _hashes(articles: Iterable[Article]) -> set[str]:
    return {url_hash for article in articles for url_hash in hashes_of(article)}


def _concerns(commit: PollCommit) -> set[object]:
    return {commit.source.id, *_hashes(commit.articles)}


def _commit(connection: sa.Connection, commits: Sequence[PollCommit]) -> list[Poll]:
    """Write down polls of which no two concern the same source or the same article."""
    present = states.present(connection, [commit.source for commit in commits])
    overtaken = {
        commit.source.id
        for commit in commits
        if commit.before and commit.before.last_document_at != present[commit.source.id].last_document_at
    }
    in_time = [commit for commit in commits if commit.source.id not in overtaken]
    brought = [
        Brought(commit.source.id, commit.articles, _now(commit), live=commit.source.id not in overtaken)
        for commit in commits
        if commit.articles
    ]
    tallies = dict(zip((each.source_id for each in brought), bring(connection, brought), strict=True))
    for commit in in_time:
        windows.mark_withdrawn(connection, commit.source.id, commit.overlap.withdrawn, _now(commit))
    gaps = [(commit.source.id, commit.overlap.gap, _now(commit)) for commit in in_time if commit.overlap.gap]
    windows.record_gaps(connection, gaps)
    states.leave(connection, {each.source.id: bool(each.articles) for each in commits if each.source.id in overtaken})
    states.save(connection, [commit.source for commit in in_time], present)
    pauses = [(commit.paused_host or host_of(commit.source.url), commit.pause) for commit in commits if commit.pause]
    states.pause_hosts(connection, pauses)
    polls = [_record(commit.poll, tallies.get(commit.source.id, Tally())) for commit in commits]
    _POLLS.execute(connection, map(_poll_row, polls))
    return polls


def _now(commit: PollCommit) -> datetime:
    return commit.source.last_polled_at or commit.poll.started_at


def _record(poll: Poll, tally: Tally) -> Poll:
    if not (tally.new or tally.revised or poll.new_articles or poll.revised_articles):
        return poll
    outcome = "new" if poll.outcome == "unchanged" and (tally.new or tally.revised) else poll.outcome
    return replace(poll, outcome=outcome, new_articles=tally.new, revised_articles=tally.revised)


_POLLS = ForMany(
    sa.insert(tables.polls),
    [
        *("source_id", "started_at", "duration_ms", "outcome", "http_status", "bytes", "entries"),
        *("new_articles", "revised_articles", "error_kind", "error"),
    ],
)


def _poll_row(poll: Poll) -> Row:
    return (
        *(poll.source_id, poll.started_at, poll.duration_ms, poll.outcome, poll.http_status),
        *(poll.body_bytes, poll.entries, poll.new_articles, poll.revised_articles, poll.error_kind, poll.error),
    )
