"""The judgement of a soak: everything that was wrong, and its figures."""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import linear_regression

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.faults.growing_feeds import shown
from tests.faults.processes import kzfeed
from tests.soak.feeds import HEALTHY, Kind, Seen, behaviour_of, source_of
from tests.soak.program import MARGIN, Sample, counted_polls
from tests.soak.run import Soak, Stretch

COUNTED_AS: dict[Kind, tuple[str, ...]] = {
    "document": ("new", "unchanged"),
    "not modified": ("not-modified",),
    "error": ("http-status",),
    "rate limit": ("http-status",),
    "gone": ("gone",),
    "silence": ("timeout",),
    "nonsense": ("not-a-feed",),
    "page": ("challenge",),
    "empty": ("empty",),
    "cut off": ("bad-response",),
}
"""The outcomes, or kinds of failure, of the polls that got such an answer."""
MEMORY_GROWTH = 4 << 20
"""By how many bytes the memory may grow in the second half of the last stretch, by a linear fit."""
FILES_GROWTH = 3
SHORTEST_S = 300
"""Over less time than this, growth says nothing: a process grows while it begins its work."""
RETIRED = "source retired, its articles are kept"
"""What the log says of a source whose server answered 410."""


def judge(soak: Soak) -> list[str]:
    """Everything that was wrong."""
    return [
        *soak.wrong,
        *soak.feeds.wrong,
        *_not_stored(soak),
        *_early(soak),
        *_polled_though_left_out(soak),
        *_left_alone_after_outages(soak),
        *_wrongly_gone(soak),
        *_miscounted(soak),
        *_growing(soak.stretches[-1]),
        *_complaints(soak),
        *_verified(soak),
    ]


# --- articles --------------------------------------------------------------------------------------------------------


def shown_versions(soak: Soak) -> dict[str, set[int]]:
    """The versions of each feed that must be stored: those of complete answers that no kill may have lost."""
    found: dict[str, set[int]] = defaultdict(set)
    for seen in soak.feeds.seen:
        if seen.version is not None and seen.sent and not soak.feeds.may_be_lost(seen.sent):
            found[source_of(seen.path)].add(seen.version)
    return found


def _not_stored(soak: Soak) -> Iterator[str]:
    article, revision = tables.articles.c, tables.revisions.c
    older = sa.select(article.url, revision.content).join_from(tables.revisions, tables.articles)
    database, stored = Database(soak.database), set()
    with database.read() as connection:
        for query in (sa.select(article.url, article.content), older):
            for url, content in connection.execute(query):
                stored.add((url, content[content.find(">") + 1 : content.find("<", 1)]))
        gaps = connection.execute(sa.select(sa.func.count()).select_from(tables.gaps)).scalar()
    database.close()
    if gaps:
        yield f"{gaps} gaps are recorded, though all windows overlap"
    for name, versions in shown_versions(soak).items():
        required = {(entry.link, entry.wording) for version in versions for entry in shown(name, version)}
        for link, wording in sorted(required - stored):
            yield f"{link} was shown and is not stored: {wording}"


# --- requests --------------------------------------------------------------------------------------------------------


def _early(soak: Soak) -> Iterator[str]:
    """Requests within the gap of their host, or within a Retry-After."""
    at_host: dict[str, list[Seen]] = defaultdict(list)
    for seen in sorted(soak.feeds.seen, key=lambda each: each.at):
        at_host[seen.host].append(seen)
    for visits in at_host.values():
        for before, after in pairwise(visits):
            # How long a client has waited for an answer that came too late, nobody but the client knows.
            answered = before.at if before.kind == "silence" else before.answered or before.at
            asked = soak.size.pace.gap
            if before.kind == "rate limit" and not soak.feeds.may_be_lost(answered):
                asked = max(asked, soak.feeds.retry_after)
            if after.at - answered < asked:
                yield f"{after.host}{after.path} was visited {after.at - answered:.2f} s after the visit before"


def _polled_though_left_out(soak: Soak) -> Iterator[str]:
    began = [at for at, _ in soak.lists]
    for seen in soak.feeds.seen:
        current = bisect_left(began, seen.at) - 1
        at, urls = soak.lists[current]
        if source_of(seen.path) not in urls and seen.at > at + MARGIN:
            yield f"{seen.path} was polled {seen.at - at:.0f} s after a reload without it"


def _left_alone_after_outages(soak: Soak) -> Iterator[str]:
    """Healthy sources that are not polled within two intervals after an outage."""
    reloads = [at for at, event in soak.events if event == "reload"]
    for at, event in soak.events:
        if event not in ("network back", "portal away"):
            continue
        until = at + 15 + 2 * soak.size.pace.interval + MARGIN
        if any(at - soak.size.pace.interval < reload < until for reload in reloads):
            continue
        polled = {source_of(seen.path) for seen in soak.feeds.seen if at < seen.at < until}
        urls = next(urls for began, urls in reversed(soak.lists) if began < at)
        alone = [name for name in urls if behaviour_of(name) in HEALTHY and name not in polled]
        if alone:
            yield f"{len(alone)} healthy sources were not polled within {until - at:.0f} s after an outage: {alone[:5]}"


def _wrongly_gone(soak: Soak) -> Iterator[str]:
    told = {source_of(seen.path) for seen in soak.feeds.seen if seen.kind == "gone"}
    source = tables.sources.c
    database = Database(soak.database)
    with database.read() as connection:
        gone = set(connection.execute(sa.select(source.name).where(source.status == "gone")).scalars())
    database.close()
    yield from (f"{name} is gone, and its server never said so" for name in sorted(gone - told))


# --- metrics ---------------------------------------------------------------------------------------------------------


def _miscounted(soak: Soak) -> Iterator[str]:
    for number, stretch in enumerate(soak.stretches, 1):
        at = stretch.samples[-1]
        rows, stored = _rows(soak, stretch, at), counted_polls(at)
        for outcome in rows[1] | stored:
            if not rows[0][outcome] <= stored[outcome] <= rows[1][outcome]:
                told = f"{rows[0][outcome]} to {rows[1][outcome]}"
                yield f"process {number} counted {stored[outcome]} polls {outcome}, the table polls has {told}"
        fewest, most = _answers(soak, stretch, at)
        # In an outage failures count as `offline`.
        outcomes = ["new", "not-modified"] if stretch.had_outage else [each[0] for each in COUNTED_AS.values()]
        for outcome in dict.fromkeys(outcomes):
            number_of_polls = stored[outcome] + (stored["unchanged"] if outcome == "new" else 0)
            if not fewest[outcome] <= number_of_polls <= most[outcome]:
                told = f"{fewest[outcome]} to {most[outcome]}"
                yield f"process {number} counted {number_of_polls} polls {outcome}, the server gave {told} such answers"


def _rows(soak: Soak, stretch: Stretch, at: Sample) -> tuple[Counter[str], Counter[str]]:
    """The polls of this process in the table: those that were certainly stored before the sample, and all."""
    poll = tables.polls.c
    columns = (poll.started_at, poll.duration_ms, poll.outcome, poll.error_kind)
    query = sa.select(*columns).where(poll.id >= stretch.first_poll, poll.id < stretch.last_poll)
    certain: Counter[str] = Counter()
    total: Counter[str] = Counter()
    latest = at.now if stretch.at_rest else at.now - timedelta(seconds=MARGIN)
    database = Database(soak.database)
    with database.read() as connection:
        for started_at, duration_ms, outcome, error_kind in connection.execute(query):
            for word in filter(None, (outcome, error_kind)):
                total[word] += 1
                certain[word] += started_at + timedelta(milliseconds=duration_ms) <= latest
    database.close()
    return certain, total


def _answers(soak: Soak, stretch: Stretch, at: Sample) -> tuple[Counter[str], Counter[str]]:
    """The answers that this process got: those that it certainly counted before the sample, and all, as it counts."""
    certain: Counter[str] = Counter()
    total: Counter[str] = Counter()
    margin = 0 if stretch.at_rest else MARGIN + soak.size.pace.timeout
    for seen in soak.feeds.seen:
        if seen.kind in COUNTED_AS and stretch.began <= seen.at <= at.at:
            word = COUNTED_AS[seen.kind][0]
            total[word] += 1
            certain[word] += (seen.sent or seen.at) <= at.at - margin
    return certain, total


# --- growth ----------------------------------------------------------------------------------------------------------


def _growing(stretch: Stretch) -> Iterator[str]:
    """Growth in the second half of a long stretch."""
    half = stretch.samples[len(stretch.samples) // 2 :]
    if half[-1].at - half[0].at < SHORTEST_S:
        return
    growth = memory_growth(half)
    if growth > MEMORY_GROWTH:
        yield f"the memory grew by {growth / 2**20:.1f} MiB in the last {half[-1].at - half[0].at:.0f} s"
    quarter = len(half) // 2
    first, last = (min(each.files for each in part) for part in (half[:quarter], half[quarter:]))
    if last > first + FILES_GROWTH:
        yield f"there are {last} open files, and were {first} before"


def memory_growth(samples: Sequence[Sample]) -> float:
    """By how many bytes the memory of the daemon grows from the first sample to the last one, by a linear fit.

    Its workers come and go, and each has a limit.
    """
    slope, _ = linear_regression([each.at for each in samples], [each.memory for each in samples])
    return slope * (samples[-1].at - samples[0].at)


# --- what kzfeed says ------------------------------------------------------------------------------------------------


def _complaints(soak: Soak) -> Iterator[str]:
    """Errors in the log, which none of what was done to the daemon explains, and lines that are not JSON."""
    for line in log_lines(soak):
        event = json.loads(line) if line.startswith("{") else {"level": "error", "event": line}
        if event["level"] == "error" and event["event"] != RETIRED:
            yield f"the log says: {line[:500]}"


def log_lines(soak: Soak) -> Iterable[str]:
    return (soak.folder / "kzfeed.log").read_text("utf-8").splitlines()


def _verified(soak: Soak) -> Iterator[str]:
    verified = kzfeed(soak.folder, soak.database, "verify")
    if verified.returncode:
        yield f"kzfeed verify: {verified.stdout}{verified.stderr}"


# --- figures ---------------------------------------------------------------------------------------------------------


def figures(soak: Soak) -> list[tuple[str, str]]:
    """The figures of a soak, each with its name."""
    samples = [sample for stretch in soak.stretches for sample in stretch.samples]
    last = soak.stretches[-1].samples
    half = last[len(last) // 2 :]
    ends = [stretch.samples[-1] for stretch in soak.stretches]
    polls = sum(map(counted_polls, ends), Counter[str]())
    seconds = sum(stretch.samples[-1].at - stretch.began for stretch in soak.stretches)
    articles = {
        entry.link
        for name, versions in shown_versions(soak).items()
        for version in versions
        for entry in shown(name, version)
    }
    answers = Counter(seen.kind for seen in soak.feeds.seen)
    outcomes = ("new", "unchanged", "not-modified", "failed")
    return [
        ("sources, and their hosts", f"{soak.size.sources:,}, {len({seen.host for seen in soak.feeds.seen}):,}"),
        ("requests that the server saw", f"{len(soak.feeds.seen):,}"),
        ("its answers", _listed(answers)),
        ("polls, by the metrics of all processes", _listed({name: polls[name] for name in outcomes})),
        ("failures among them, by kind", _listed({name: polls[name] for name in polls if name not in outcomes})),
        ("articles that the server showed, all stored", f"{len(articles):,}"),
        ("kills", f"{len(soak.stretches) - 1}"),
        ("CPU time of the daemon, without its workers", f"{sum(each.cpu for each in ends) / seconds:.1%} of a core"),
        ("memory of the daemon at the end", f"{last[-1].memory / 2**20:.0f} MiB"),
        ("its growth in the second half of the last process", f"{memory_growth(half) / 2**20:+.1f} MiB"),
        ("most memory of all workers", f"{max(each.workers for each in samples) / 2**20:.0f} MiB"),
        ("open files, most and at the end", f"{max(each.files for each in samples)}, {last[-1].files}"),
        (
            "lag of polls: up to 15 s, 60 s, 300 s",
            ", ".join(_in_time(ends, each) for each in ("15.0", "60.0", "300.0")),
        ),
    ]


def _listed(counts: Mapping[Kind, int] | Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{number:,} {name}" for name, number in ordered if number)


def _in_time(ends: Sequence[Sample], seconds: str) -> str:
    """The share of polls that began at most so late."""
    within = sum(each.value("kzfeed_poll_lag_seconds_bucket", le=seconds) for each in ends)
    total = sum(each.value("kzfeed_poll_lag_seconds_count") for each in ends)
    return f"{within / max(total, 1):.1%}"
