"""Synthetic publishers and their servers: when each publishes, what its feed shows, how its server answers.

Knows nothing of kzfeed. Times are seconds since the start, a Monday at midnight in UTC; what was published before the
start is there too, as in any feed that somebody begins to follow.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
HISTORY = 30 * DAY


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says to one request. `end` is how many entries it has published by now: its document's ETag too."""

    status: int
    end: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publisher:
    """One source. `published` are the times of its entries, of which its feed shows the newest `window`.

    `away` are stretches in which its server answers 503, `patience` the least time between two requests that it does
    not answer with 429 and Retry-After. `ttl` is in the feed, `max_age` in the headers, both in seconds.
    """

    kind: str
    name: str
    published: Sequence[float]
    window: int
    validators: bool = True
    dated: bool = True
    ttl: float = 0
    max_age: float = 0
    patience: float = 0
    away: tuple[tuple[float, float], ...] = ()

    def end(self, now: float) -> int:
        """How many entries are published by now."""
        return bisect_right(self.published, now)

    def first(self, end: int) -> int:
        """The oldest entry that the feed shows while `end` are published."""
        return max(0, end - self.window)

    def answer(self, now: float, last_request: float | None, known: int | None) -> Answer:
        """What it says to a request at `now` that vouches for the document with `known` entries."""
        if any(start <= now < stop for start, stop in self.away):
            return Answer(503)
        if last_request is not None and now - last_request < self.patience:
            return Answer(429, headers={"retry-after": f"{math.ceil(self.patience)}"})
        end = self.end(now)
        headers = {"etag": f'"{end}"'} if self.validators else {}
        if self.max_age:
            headers["cache-control"] = f"public, max-age={self.max_age:.0f}"
        return Answer(304 if self.validators and known == end else 200, end, headers)


def world(size: int, days: int, seed: int = 2022) -> list[Publisher]:
    """About `size` publishers of every kind, the same ones for the same arguments."""
    publishers: list[Publisher] = []
    for kind, (share, make) in KINDS.items():
        for number in range(max(1, round(size * share))):
            random = Random(f"{seed} {kind} {number}")
            publishers.append(make(random, kind, f"{kind} {number}", days * DAY))
    return publishers


# --- when they publish -----------------------------------------------------------------------------------------------


def _newsroom(random: Random, per_day: float, until: float) -> Iterator[float]:
    """By day more than by night and on weekends a third, in one time zone of the world."""
    zone, peak = random.uniform(0, 24), 2.2
    now = -HISTORY
    while (now := now + random.expovariate(peak * per_day / DAY)) < until:
        hour = (now / HOUR + zone) % 24
        by_day = 0.1 + 1.9 * max(0.0, math.sin((hour - 6) / 16 * math.pi)) if 6 <= hour < 22 else 0.1
        by_week = 0.4 if (now + zone * HOUR) // DAY % 7 >= 5 else 1.1
        if random.random() < by_day * by_week / peak:
            yield now


def _bursts(random: Random, per_day: float, until: float, size: tuple[int, int]) -> Iterator[float]:
    """Little, and every two weeks or so much within a few hours."""
    times = list(_newsroom(random, per_day, until))
    now = -HISTORY
    while (now := now + random.expovariate(1 / (14 * DAY))) < until:
        lasts = random.uniform(2 * HOUR, 8 * HOUR)
        times += [now + random.uniform(0, lasts) for _ in range(random.randint(*size))]
    return iter(sorted(time for time in times if time < until))


# --- who they are ----------------------------------------------------------------------------------------------------

Make = Callable[[Random, str, str, float], Publisher]


def _plain(per_day: tuple[float, float], window: tuple[int, int]) -> Make:
    def make(random: Random, kind: str, name: str, until: float) -> Publisher:
        times = list(_newsroom(random, random.uniform(*per_day), until))
        return Publisher(kind, name, times, random.randint(*window), dated=random.random() < 0.9)

    return make


def _bursty(random: Random, kind: str, name: str, until: float) -> Publisher:
    """Its window holds whatever comes within three hours."""
    times = list(_bursts(random, random.uniform(0.2, 3), until, (10, 60)))
    most = max(bisect_right(times, time + 3 * HOUR) - number for number, time in enumerate(times))
    return Publisher(kind, name, times, max(most, random.randint(15, 40)))


def _bursting(random: Random, kind: str, name: str, until: float) -> Publisher:
    """Its window is small for that: what comes within hours may be more than it shows."""
    times = list(_bursts(random, random.uniform(0.2, 3), until, (30, 120)))
    return Publisher(kind, name, times, random.randint(15, 25))


def _in_batches(random: Random, kind: str, name: str, until: float) -> Publisher:
    """Once a day, at its hour, everything of that day at one go."""
    size, now = random.randint(5, 30), -HISTORY + random.uniform(0, DAY)
    times = []
    while now < until:
        times += [now] * random.randint(1, size)
        now += DAY
    return Publisher(kind, name, times, round(size * random.uniform(1.2, 3)))


def _without_validators(random: Random, kind: str, name: str, until: float) -> Publisher:
    times = list(_newsroom(random, random.uniform(0.2, 20), until))
    return Publisher(kind, name, times, random.randint(15, 40), validators=False)


def _asking_to_wait(random: Random, kind: str, name: str, until: float) -> Publisher:
    times = list(_newsroom(random, random.uniform(2, 12), until))
    wait = random.choice((30, 60, 120, 180, 360)) * MINUTE
    by_ttl = random.random() < 0.5
    window = random.randint(15, 40)
    return Publisher(kind, name, times, window, ttl=wait if by_ttl else 0, max_age=0 if by_ttl else wait)


def _rate_limited(random: Random, kind: str, name: str, until: float) -> Publisher:
    times = list(_newsroom(random, random.uniform(5, 30), until))
    return Publisher(kind, name, times, random.randint(20, 50), patience=random.uniform(20, 110) * MINUTE)


def _reviving(random: Random, kind: str, name: str, until: float) -> Publisher:
    """Its server is away once or twice, for hours or weeks; nothing is published meanwhile."""
    away: list[tuple[float, float]] = []
    for _ in range(random.randint(1, 2)):
        start = random.uniform(0, until)
        away.append((start, start + math.exp(random.uniform(math.log(2 * HOUR), math.log(25 * DAY)))))
    times = _newsroom(random, random.uniform(0.5, 8), until)
    there = [time for time in times if not any(start <= time < stop for start, stop in away)]
    return Publisher(kind, name, there, random.randint(15, 40), away=tuple(away))


def _dead(random: Random, kind: str, name: str, until: float) -> Publisher:
    dies = random.uniform(0, until / 2)
    times = [time for time in _newsroom(random, random.uniform(0.5, 8), until) if time < dies]
    return Publisher(kind, name, times, random.randint(15, 40), away=((dies, math.inf),))


KINDS: dict[str, tuple[float, Make]] = {
    "busy, large window": (0.12, _plain((60, 200), (100, 200))),
    "busy, small window": (0.10, _plain((40, 150), (15, 30))),
    "steady": (0.18, _plain((3, 12), (15, 40))),
    "sleepy": (0.16, _plain((0.05, 0.7), (10, 20))),
    "bursty": (0.10, _bursty),
    "bursting the window": (0.04, _bursting),
    "in daily batches": (0.04, _in_batches),
    "without validators": (0.08, _without_validators),
    "asking to wait": (0.04, _asking_to_wait),
    "rate-limited": (0.04, _rate_limited),
    "away and back": (0.05, _reviving),
    "dead": (0.05, _dead),
}
"""Which part of the world each kind is, and how one of it is made."""
