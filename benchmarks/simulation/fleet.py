"""A day of many sources on four members that are killed at random, in virtual time: `python -m
benchmarks.simulation.fleet --sources 20000`.

Claims, commits and the policy are the real ones, on a real database; servers and the time that visits take are made up.
At the end every entry that a visit showed must be archived, once, and the database agree with itself.
"""

import argparse
import heapq
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import inf
from random import Random
from statistics import median

import sqlalchemy as sa

from benchmarks.measure import Broken
from benchmarks.scale.backlog import insert_sources
from benchmarks.scale.many_sources import database_of
from kzfeed.article.archive_file import ArchiveFile
from kzfeed.article.build import article_of_file
from kzfeed.hosts import host_of
from kzfeed.model.articles import Article, Feed, WindowComparison
from kzfeed.model.polls import Failed, Fetched, NotModified, Outcome, Poll, PollOutcome, Source
from kzfeed.schedule.interval import IntervalBounds
from kzfeed.schedule.policy import Circumstances, VisitResult, next_state
from kzfeed.store import tables
from kzfeed.store.commit import PollCommit, commit_polls
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from kzfeed.store.queue import claims
from kzfeed.store.queue.leases import LEASE, NewClaim

START = datetime(2026, 11, 2, tzinfo=UTC)
MEMBERS, SLOTS = 4, 200
KILLED_EVERY, AWAY = 1800.0, 30.0
"""Mean seconds from the start of a member to its kill, and from there to the next start."""
PER_DAY = 5
"""Entries that a source publishes in a day in the mean."""
SHARED = 10
"""One source of so many is on a host that it shares with 49 others."""
BOUNDS = IntervalBounds(min_interval=timedelta(minutes=15), max_interval=timedelta(hours=24))


@dataclass
class Member:
    """A member of the fleet: its name in claims, and the visits under way by source id: their ends and sources."""

    name: str
    visits: dict[int, tuple[float, Source]] = field(default_factory=dict)
    killed_at: float = 0.0


@dataclass(frozen=True)
class World:
    """What is simulated: so many sources until so many seconds after START.

    `tick` are the seconds between two looks of a member, `before` the entries that a source has at START.
    """

    sources: int
    until: float
    tick: float
    before: int

    def times(self, name: str) -> list[float]:
        """When a source publishes, in seconds since START."""
        chance = Random(name)
        later = sorted(chance.uniform(0, 86400) for _ in range(chance.randint(0, 2 * PER_DAY)))
        return [-1.0] * self.before + later


@dataclass
class Fleet:
    """The simulation, and what has happened so far. `now` is in seconds since START."""

    database: Database
    world: World
    ended_at: float = 0.0
    """When the simulation ended, in seconds since START."""
    chance: Random = field(default_factory=lambda: Random(15))
    hosts: Counter[str] = field(default_factory=Counter)
    late: list[float] = field(default_factory=list)
    after_kills: list[float] = field(default_factory=list)
    orphaned: dict[int, float] = field(default_factory=dict)
    """When the member was killed that visited a source, by the source's id."""
    counts: Counter[str] = field(default_factory=Counter)

    def run(self, patience: float) -> None:
        """Let the members work until the time is over, or has run for so many real seconds."""
        tick, give_up_at = self.world.tick, time.monotonic() + patience
        events: list[tuple[float, int]] = [(tick * number / MEMBERS, number) for number in range(MEMBERS)]
        members = [self._started(0, number) for number in range(MEMBERS)]
        while events[0][0] < self.world.until and time.monotonic() < give_up_at:
            now, number = heapq.heappop(events)
            self.ended_at = now
            if now >= members[number].killed_at:
                self._kill(members[number], now)
                members[number] = self._started(now, number)
                heapq.heappush(events, (now + self.chance.expovariate(1 / AWAY), number))
            else:
                self._look(members[number], now)
                heapq.heappush(events, (now + tick, number))
        for member in members:  # the end of the day: what is under way ends
            self._commit(member, self.ended_at + 3600)

    def _started(self, now: float, number: int) -> Member:
        self.counts["starts"] += 1
        killed_at = now + self.chance.expovariate(1 / KILLED_EVERY)
        return Member(f"machine{number}:{self.counts['starts']}", killed_at=killed_at)

    def _kill(self, member: Member, now: float) -> None:
        self.counts["kills"] += 1
        for source_id, (_, source) in member.visits.items():
            self.counts["visits lost"] += 1
            self.hosts[host_of(source.url)] -= 1
            self.orphaned[source_id] = now

    def _look(self, member: Member, now: float) -> None:
        """Commit what has ended, renew the claims, and claim anew."""
        self._commit(member, now)
        at = START + timedelta(seconds=now)
        if member.visits:
            kept = claims.renew(self.database, member.name, list(member.visits), at + LEASE)
            if kept != member.visits.keys():
                raise Broken("a member that lives has lost a claim")
        busy = claims.Busy(list(member.visits), {host_of(source.url) for _, source in member.visits.values()})
        free = SLOTS - len(member.visits)
        claimed = claims.claim_due(self.database, NewClaim(member.name, at, LEASE), limit=free, busy=busy)
        for source in claimed:
            self._visit(member, source, now)

    def _visit(self, member: Member, source: Source, now: float) -> None:
        host = host_of(source.url)
        self.hosts[host] += 1
        if self.hosts[host] > 1:
            raise Broken(f"two visits at once to {host}")
        self.counts["visits"] += 1
        assert source.next_poll_at
        self.late.append(now - (source.next_poll_at - START).total_seconds())
        if (killed_at := self.orphaned.pop(source.id, None)) is not None:
            self.after_kills.append(now - killed_at)
        takes = 30.0 if self.chance.random() < 0.005 else self.chance.expovariate(1 / 0.7)
        member.visits[source.id] = (now + takes, source)

    def _commit(self, member: Member, now: float) -> None:
        ended = {source_id: visit for source_id, visit in member.visits.items() if visit[0] <= now}
        commits = [self._poll(source, end) for end, source in ended.values()]
        for commit, poll in zip(commits, commit_polls(self.database, commits), strict=True):
            if isinstance(poll, Exception):
                raise poll
            self.counts["polls"] += 1
            self.counts[poll.outcome] += 1
            self.hosts[host_of(commit.source.url)] -= 1
            del member.visits[commit.source.id]

    def _poll(self, source: Source, end: float) -> PollCommit:
        """What a visit brings that ends then, as poll.py has it."""
        at = START + timedelta(seconds=end)
        published = [when for when in self.world.times(source.name) if when <= end]
        known = int(source.validators.etag.strip('"')) if source.validators and source.validators.etag else 0
        outcome: Outcome
        said: PollOutcome
        headers = {"etag": f'"{len(published)}"'}
        articles: tuple[Article, ...] = ()
        feed, window = None, None
        if self.chance.random() < 0.005:
            outcome, said = Failed("timeout", "no answer"), "failed"
        elif known == len(published):
            outcome, said = NotModified(source.url, headers), "not-modified"
        else:
            outcome, said = Fetched(source.url, 200, headers, b""), "unchanged"
            feed, window = Feed("rss"), WindowComparison(len(published), known, None, None, becomes_reference=True)
            articles = tuple(article(source.url, number, when) for number, when in enumerate(published))
        visit = VisitResult(outcome, feed, window, str(len(published)) if articles else None)
        after = next_state(source, visit, Circumstances(at, BOUNDS, self.chance.random())).source
        record = Poll(source.id, at, timedelta(seconds=1), said, entries=len(articles))
        if said == "failed":
            record = replace(record, error_kind="timeout", error="no answer")
        return PollCommit(after, record, articles, before=source, window=window or WindowComparison())


@lru_cache(maxsize=50_000)
def article(address: str, number: int, when: float) -> Article:
    """The entry of this number, published at this time, of the source at this address."""
    stamp = round((START.timestamp() + when) * 1000)
    return article_of_file(ArchiveFile(stamp, f"Entry {number}", f"{address}/{number}", "<p>Text</p>"))


def fill(database: Database, count: int) -> None:
    """Make so many sources, whose first polls are spread over the first hour."""
    host = f"CASE WHEN n % {SHARED} = 0 THEN 'shared' || (n / {50 * SHARED}) ELSE 'h' || n END || '.example'"
    # A multiplier that is prime to the number of sources puts them in an order that looks like chance.
    insert_sources(database, count, host, f"{int(START.timestamp())} + ((n * 7919) % 36000) / 10.0")


def check(fleet: Fleet) -> None:
    """Raise Broken unless all is archived that the last visits showed, and the database agrees with itself."""
    with fleet.database.read() as connection:
        polls = connection.execute(sa.select(sa.func.count()).select_from(tables.polls)).scalar_one()
        carried = sa.select(tables.sightings.c.source_id, sa.func.count()).group_by(tables.sightings.c.source_id)
        held: dict[int, int] = dict(map(tuple, connection.execute(carried)))
        column = tables.sources.c
        found = connection.execute(sa.select(column.id, column.name, column.last_document_at)).all()
    if polls != fleet.counts["polls"]:
        raise Broken(f"{fleet.counts['polls']} polls were committed, {polls} are stored")
    for source_id, name, last in found:
        published = fleet.world.times(name)
        shown = sum(when <= (last - START).total_seconds() for when in published) if last else 0
        if held.get(source_id, 0) != shown:
            raise Broken(f"{name} showed {shown} entries, {held.get(source_id, 0)} are archived")
        fleet.counts["entries"] += shown
        fleet.counts["published"] += sum(when <= fleet.ended_at for when in published)
    findings: list[object] = []
    verify(fleet.database, findings.append)
    if findings:
        raise Broken(f"the database contradicts itself: {findings[:3]}")


def lines(fleet: Fleet, began: float) -> Iterator[str]:
    """The figures of the simulation."""
    counts, late, after = fleet.counts, sorted(fleet.late), sorted(fleet.after_kills)
    hours = fleet.ended_at / 3600
    yield f"{fleet.world.sources:,} sources, {hours:.2f} hours, {MEMBERS} members, {counts['kills']} kills"
    yield (
        f"{counts['visits']:,} visits, {counts['polls']:,} polls stored, {counts['visits lost']:,} lost to kills "
        f"and made again; never two to a host at once"
    )
    outcomes = ", ".join(f"{counts[each]:,} {each}" for each in ("new", "unchanged", "not-modified", "failed"))
    yield f"outcomes: {outcomes}"
    yield f"{counts['entries']:,} of {counts['published']:,} entries archived, each once: all that a visit showed"
    yield f"late: median {median(late):.1f} s, 99 % within {late[len(late) * 99 // 100]:.1f}, at most {late[-1]:.1f}"
    if after:
        yield f"polled again after a kill: median {median(after):.1f} s, at most {after[-1]:.1f} s"
    yield f"real time: {time.monotonic() - began:.0f} s, CPU of this process {time.process_time():.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation.fleet", description=__doc__)
    parser.add_argument("--sources", type=int, default=20_000)
    parser.add_argument("--hours", type=float, default=26, help="entries are published in the first 24")
    parser.add_argument("--minutes", type=float, default=inf, help="of real time, after which the simulation ends")
    parser.add_argument("--tick", type=float, default=10, help="seconds between two looks of a member for due sources")
    parser.add_argument("--before", type=int, default=3, help="entries that a source has at the beginning")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="postgresql")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with database_of(options.engine) as database:
        fill(database, options.sources)
        fleet = Fleet(database, World(options.sources, options.hours * 3600, options.tick, options.before))
        fleet.run(options.minutes * 60)
        check(fleet)
        for line in lines(fleet, began):
            sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
