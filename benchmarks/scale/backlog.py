"""Benchmark of a backlog: very many sources that are all due, half of them on one host and longer due than the others.

Sources are claimed and committed as 304 in turn, as a daemon does it, and the table shows what each claim and each
commit costs and how late the sources are polled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from statistics import median

import sqlalchemy as sa

from benchmarks.measure import Broken
from benchmarks.scale.archives import settle
from benchmarks.scale.cost import Clock, Cost
from benchmarks.scale.many_sources import database_of
from kzfeed.model.articles import WindowComparison
from kzfeed.model.polls import Poll, Source
from kzfeed.store import tables
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims
from kzfeed.store.queue.leases import NewClaim
from kzfeed.store.row_counts import count_deleted

HUGE = "huge.example"
A_HOST = 2
"""Sources of every other host."""
LIMIT = 100
CLAIMS = 200
OWNER = "tests"
LEASE = timedelta(seconds=12)

_WORDS = {
    "sqlite": (
        "(WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count}) "
        "SELECT n FROM series)",
        "strftime('%Y-%m-%d %H:%M:%f', {second}, 'unixepoch')",
    ),
    "postgresql": ("generate_series(1::bigint, {count}) AS series(n)", "to_timestamp({second})"),
}
HEAD = (
    "| engine | sources due | | median ms | CPU ms | 95 % ms | most ms |",
    "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
)


def fill(database: Database, count: int, now: datetime) -> None:
    """Make so many due sources, each of which was polled once. Those of the huge host have been due for longest."""
    is_huge = "n % 2 = 0"
    # A multiplier that is prime to the number of sources puts them in an order that looks like chance.
    ago = f"((n * 7919) % 3600) + CASE WHEN {is_huge} THEN 7200 ELSE 0 END"
    host = f"CASE WHEN {is_huge} THEN '{HUGE}' ELSE 'h' || ((n / {2 * A_HOST}) * 7919 % {count}) || '.example' END"
    insert_sources(database, count, host, f"{int(now.timestamp())} - ({ago})", polled="at")


def insert_sources(database: Database, count: int, host: str, second: str, polled: str = "NULL") -> None:
    """Insert hourly sources, numbered `n` from 1: `sN` at `http://HOST/N`.

    Expressions of SQL say the host, the second since 1970 at which a source is due (`at`), and when it was polled.
    """
    series, instant = _WORDS[database.dialect]
    yes, no = ("true", "false") if database.dialect == "postgresql" else ("1", "0")
    statement = (
        "INSERT INTO sources (id, name, url, configured_url, host, enabled, status, every_seconds, auto, "
        "failure_count, moved_polls, ask_in_full, next_poll_at, last_polled_at, last_success_at, last_document_at) "
        "SELECT n, 's' || n, 'http://' || host || '/' || n, 'http://' || host || '/' || n, host, {yes}, 'active', "
        "3600, {no}, 0, 0, {no}, at, {polled}, {polled}, {polled} "
        "FROM (SELECT n, {host} AS host, {at} AS at FROM {series}) AS made"
    )
    at, numbers = instant.format(second=second), series.format(count=count)
    words = statement.format(yes=yes, no=no, host=host, at=at, polled=polled, series=numbers)
    with database.write() as connection:
        connection.execute(sa.text(words.replace(":", "\\:")))
        count_deleted(connection, tables.sources, -count)  # `verify` expects as many rows as were counted
    settle(database)


@dataclass(frozen=True)
class Turn:
    """One claim, the commit of what was claimed before it, and how long the claimed sources had been due."""

    claim: Cost
    commit: Cost
    late: list[timedelta]
    huge: int


def work_off(database: Database, now: datetime, turns: int = CLAIMS) -> Iterator[Turn]:
    """Claim and commit in turn. The polls of one claim are under way while the next one is made."""
    clock = Clock(database)
    under_way: list[Source] = []
    for turn in range(turns):
        at = now + turn * timedelta(milliseconds=100)
        claimed: list[Source] = []
        busy = claims.Busy([each.id for each in under_way], {_host(each) for each in under_way})

        def claim(at: datetime = at, busy: claims.Busy = busy, claimed: list[Source] = claimed) -> None:
            claimed += claims.claim_due(database, NewClaim(OWNER, at, LEASE), limit=LIMIT, busy=busy)

        cost = clock.cost_of(claim)
        committed = clock.cost_of(partial(commit_polls, database, [_unchanged(each, at) for each in under_way]))
        late = [at - each.next_poll_at for each in claimed if each.next_poll_at]
        yield Turn(cost, committed, late, sum(_host(each) == HUGE for each in claimed))
        under_way = claimed


def _host(source: Source) -> str:
    return source.url.split("/")[2]


def _unchanged(source: Source, now: datetime) -> PollCommit:
    after = replace(
        source,
        last_polled_at=now,
        last_success_at=now,
        next_poll_at=now + source.every,
        next_poll_reason="its interval",
    )
    record = Poll(source.id, now, timedelta(seconds=0.1), "not-modified", 304, 0, 0)
    return PollCommit(after, record, before=source, window=WindowComparison())


def rows(engine: str, database: Database, count: int, repeats: int = CLAIMS) -> Iterator[str]:
    """The lines of the table for one database, which is empty and is filled by this, from so many claims."""
    now = datetime.now(UTC).replace(microsecond=0)
    fill(database, count, now)
    turns = list(work_off(database, now, repeats))
    claimed = sum(len(turn.late) for turn in turns)
    if claimed < LIMIT * len(turns) * 0.9:
        raise Broken(f"{claimed} sources were claimed in {len(turns)} claims of {LIMIT}")
    for what, costs in (("a claim", [t.claim for t in turns]), (f"commit of {LIMIT}", [t.commit for t in turns[1:]])):
        walls = sorted(cost.wall for cost in costs)
        figures = [median(walls), median(c.cpu for c in costs), walls[ceil(0.95 * len(walls)) - 1], walls[-1]]
        yield f"| {' | '.join([engine, f'{count:,}', what, *(f'{each:.1f}' for each in figures)])} |"
    huge = sum(turn.huge for turn in turns)
    lates = sorted(late for turn in turns for late in turn.late)
    middle = lates[len(lates) // 2]
    yield f"{claimed:,} claimed, {huge} on the huge host; due for {lates[0]} to {lates[-1]}, median {middle}"


def table(engines: Sequence[str], numbers: Sequence[int] = (100_000, 1_000_000)) -> Iterator[str]:
    """The table, with a line below it for each database: who was polled, and how late."""
    yield from HEAD
    notes = []
    for engine in engines:
        for number in numbers:
            with database_of(engine) as database:
                *lines, note = rows(engine, database, number)
            yield from lines
            notes.append(f"{engine}, {number:,}: {note}")
    yield ""
    yield from notes
