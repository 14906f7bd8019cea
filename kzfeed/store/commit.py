"""Commit of polls and archive files: many in one transaction, each of them whole or not at all.

A poll that cannot be stored costs only itself: the others of its transaction are then stored one by one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa

from kzfeed.article.identity import candidate_hashes
from kzfeed.errors import DatabaseError
from kzfeed.hosts import host_of
from kzfeed.model.articles import Article, Tally, WindowComparison, WindowEntry
from kzfeed.model.polls import Poll, Source
from kzfeed.store import tables, windows
from kzfeed.store.articles import store_articles
from kzfeed.store.engine import Database, is_database_failure, name_of_host, name_of_source
from kzfeed.store.known_articles import ArticleBatch
from kzfeed.store.queue.host_pauses import pause_hosts
from kzfeed.store.source_state import current_rows, end_overtaken_polls, save_states
from kzfeed.store.sources import ids_by_name

Item = TypeVar("Item")

_INSERT_POLLS = sa.insert(tables.polls)


@dataclass(frozen=True, slots=True)
class PollCommit:
    """A poll to store: the source's state after it, its record, and its articles.

    `before` is the source's state when the poll began, `window` how its window relates to the one before, `pause`
    until when nobody may visit `paused_host` (the source's own host unless given). `filtered` are the entries of the
    document that are not stored. If another poll has stored a document meanwhile, this document may be the older one:
    its new articles are stored, and nothing else changes.
    """

    source: Source
    poll: Poll
    articles: Sequence[Article] = ()
    filtered: Sequence[WindowEntry] = ()
    before: Source | None = None
    window: WindowComparison = WindowComparison()  # noqa: RUF009 - frozen
    pause: datetime | None = None
    paused_host: str | None = None


def commit_polls(database: Database, commits: Sequence[PollCommit]) -> list[Poll | DatabaseError]:
    """Store polls in one transaction, with the same result as one after the other, each as a whole.

    Returns for each poll, in order, its record with the numbers of new and revised articles, or the error if it could
    not be stored. If the database itself fails, that error stands for all polls.
    """
    if not commits:
        return []
    try:
        return database.write_concurrently(_lock_names(commits), partial(_commit_all, commits))
    except DatabaseError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - the other polls must be stored whatever is wrong with this one
        failure = DatabaseError(f"the poll cannot be stored: {error!r}")
        failure.__cause__ = error
    if len(commits) == 1 or is_database_failure(failure):
        return [failure] * len(commits)
    return _one_by_one(database, commits)


def _commit_all(commits: Sequence[PollCommit], connection: sa.Connection) -> list[Poll | DatabaseError]:
    return [poll for group in _independent(commits, _touched) for poll in _commit(connection, group)]


def _one_by_one(database: Database, commits: Sequence[PollCommit]) -> list[Poll | DatabaseError]:
    results: list[Poll | DatabaseError] = []
    for commit in commits:
        last = results[-1] if results else None
        if isinstance(last, DatabaseError) and is_database_failure(last):
            results.append(last)
        else:
            results += commit_polls(database, [commit])
    return results


def store_files(database: Database, articles: Iterable[tuple[str, Article]], now: datetime) -> Tally:
    """Store articles of archive files, each with the name of its source, all in one transaction.

    What is stored already stays untouched. Raises DatabaseError.
    """
    tally = Tally()
    runs = [(name, [article for _, article in run]) for name, run in groupby(articles, key=lambda pair: pair[0])]
    with database.write() as connection:
        ids = ids_by_name(connection, [name for name, _ in runs])
        batches = [ArticleBatch(ids[name], run, now, is_live=False, content_from="file") for name, run in runs]
        for group in _independent(batches, lambda batch: _keys(batch.articles)):
            tally = sum(store_articles(connection, group), tally)
    return tally


def _independent(items: Iterable[Item], touched: Callable[[Item], Collection[object]]) -> Iterator[list[Item]]:
    """The items in order, in groups in which no two touch the same source or article."""
    group: list[Item] = []
    touched_by_group: set[object] = set()
    for item in items:
        touched_by_item = touched(item)
        if not touched_by_group.isdisjoint(touched_by_item):
            yield group
            group, touched_by_group = [], set()
        group.append(item)
        touched_by_group.update(touched_by_item)
    if group:
        yield group


def _keys(articles: Iterable[Article]) -> set[str]:
    """The hashes and addresses under which the archive may hold the articles."""
    hashes = {url_hash for article in articles for url_hash in candidate_hashes(article)}
    return hashes | {article.url for article in articles if article.url}


def _touched(commit: PollCommit) -> set[object]:
    return {commit.source.id, *_keys(commit.articles)}


def _lock_names(commits: Iterable[PollCommit]) -> Iterator[str]:
    """The names of what the polls touch: their sources and hosts, and the hosts of their articles.

    Two sources can have an article in common only if its links are of one host, or if it has none.
    """
    for commit in commits:
        yield name_of_source(commit.source.id)
        yield from (name_of_host(source.url) for source in (commit.source, commit.before) if source)
        yield from (name_of_host(each.url) if each.url else each.url_hash for each in commit.articles)


def _commit(connection: sa.Connection, commits: Sequence[PollCommit]) -> list[Poll]:
    """Store polls of which no two touch the same source or article."""
    current = current_rows(connection, [commit.source for commit in commits])
    overtaken = {
        commit.source.id
        for commit in commits
        if commit.before and commit.before.last_document_at != current[commit.source.id].last_document_at
    }
    batches = [
        ArticleBatch(
            commit.source.id,
            commit.articles,
            _ended_at(commit),
            is_live=commit.source.id not in overtaken,
            wants_pages=commit.source.full_text is not None,
        )
        for commit in commits
        if commit.articles
    ]
    tallies = dict(zip((batch.source_id for batch in batches), store_articles(connection, batches), strict=True))
    in_time = [commit for commit in commits if commit.source.id not in overtaken]
    _record_windows(connection, in_time)
    save_states(connection, [commit.source for commit in in_time], current)
    end_overtaken_polls(
        connection, {commit.source.id: bool(commit.articles) for commit in commits if commit.source.id in overtaken}
    )
    pause_hosts(
        connection,
        [(commit.paused_host or host_of(commit.source.url), commit.pause) for commit in commits if commit.pause],
    )
    polls = [_with_tally(commit.poll, tallies.get(commit.source.id, Tally())) for commit in commits]
    connection.execute(_INSERT_POLLS, list(map(_poll_row, polls)))
    return polls


def _record_windows(connection: sa.Connection, commits: Iterable[PollCommit]) -> None:
    for commit in commits:
        windows.begin_withdrawals(connection, commit.source.id, commit.window.withdrawn, _ended_at(commit))
    windows.end_withdrawals(connection, [(each.source.id, _ended_at(each)) for each in commits if each.articles])
    unchanged = [commit for commit in commits if _shows_last_window(commit)]
    windows.record_unchanged_windows(connection, [(each.source, _ended_at(each)) for each in unchanged])
    windows.record_unchanged_articles(
        connection, [(each.source, _ended_at(each)) for each in unchanged if _is_first_of_day(each)]
    )
    windows.record_filtered_entries(
        connection, {each.source.id: each.filtered for each in commits if each.window.becomes_reference}
    )
    gaps = [(commit.source.id, commit.window.gap, _ended_at(commit)) for commit in commits if commit.window.gap]
    windows.record_gaps(connection, gaps)


def _shows_last_window(commit: PollCommit) -> bool:
    """Whether the server says that its document is still the one of the last window: by 304, or the same bytes."""
    if commit.poll.outcome == "failed" or commit.articles or commit.filtered or commit.source.window_at is None:
        return False
    return commit.source.window_at == commit.source.last_document_at


def _is_first_of_day(commit: PollCommit) -> bool:
    """Whether this is the first visit of its day (in UTC) that succeeds."""
    before = commit.before.last_success_at if commit.before else None
    return before is None or before.astimezone(UTC).date() != _ended_at(commit).astimezone(UTC).date()


def _ended_at(commit: PollCommit) -> datetime:
    return commit.source.last_polled_at or commit.poll.started_at


def _with_tally(poll: Poll, tally: Tally) -> Poll:
    outcome = "new" if poll.outcome == "unchanged" and (tally.new or tally.revised) else poll.outcome
    return replace(poll, outcome=outcome, new_articles=tally.new, revised_articles=tally.revised)


def _poll_row(poll: Poll) -> dict[str, Any]:
    return {
        "source_id": poll.source_id,
        "started_at": poll.started_at,
        "duration_ms": poll.duration_ms,
        "outcome": poll.outcome,
        "http_status": poll.http_status,
        "bytes": poll.body_bytes,
        "entries": poll.entries,
        "new_articles": poll.new_articles,
        "revised_articles": poll.revised_articles,
        "filtered": poll.filtered,
        "flaw": poll.flaw,
        "error_kind": poll.error_kind,
        "error": poll.error,
    }
