"""Misbehaving feeds of the soak, and the record of every request that they got.

A feed with validators shows its next version only after a request with the ETag of the version before, as
`tests.faults.growing_feeds` explains. So whatever a complete response showed must be stored.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.faults.growing_feeds import document, etag_of
from tests.faults.web_server import Reply, Request
from tests.soak.program import MARGIN

Kind = Literal[
    "document", "not modified", "moved", "error", "rate limit", "gone", "silence", "nonsense", "page", "empty",
    "cut off", "portal",
]  # fmt: skip
"""What a request was answered with. A `page` is HTML where a feed was, `silence` an answer that comes too late."""
DOUBTFUL: tuple[Kind, ...] = ("nonsense", "page", "empty", "portal")
"""Answers after which a request without validators is right (rules 18 and 21 in docs/politeness.md)."""
Behaviour = Literal[
    "steady", "growing", "without validators", "failing", "rate-limiting", "moving", "vanishing", "silent", "broken",
    "cut off", "missing", "slow",
]  # fmt: skip
BEHAVIOURS: tuple[tuple[Behaviour, int], ...] = (
    ("steady", 19),
    ("growing", 17),
    ("without validators", 3),
    ("failing", 2),
    ("rate-limiting", 1),
    ("moving", 2),
    ("vanishing", 1),
    ("silent", 1),
    ("broken", 1),
    ("cut off", 1),
    ("missing", 1),
    ("slow", 1),
)
"""How many of fifty sources behave so."""
HEALTHY: tuple[Behaviour, ...] = ("steady", "growing", "slow")
_FIFTY = [behaviour for behaviour, number in BEHAVIOURS for _ in range(number)]
GROWS = 0.3
"""The share of visits at which a growing feed shows a new version."""
MISBEHAVES = 0.25
"""The share of visits at which a source that fails at times does."""
_PAGE = b"<!DOCTYPE html><html><title>Sorry</title><p>Please log in.</p></html>"
PORTALS = (
    Reply(200, b"<!DOCTYPE html><title>Welcome</title><p>Accept the terms of this network.", content_type="text/html"),
    Reply(410),
)
"""The answers of captive portals."""


@dataclass(slots=True)
class Seen:
    """A request and its answer, with monotonic times: before `answered` the client had no byte of the answer."""

    at: float
    host: str
    path: str
    kind: Kind
    version: int | None = None
    answered: float | None = None
    sent: float | None = None


@dataclass(slots=True)
class _Given:
    """The validators that one address has given, the ones before, and when the last success was."""

    etag: str | None = None
    before: str | None = None
    at: float = 0.0
    has_moved: bool = False
    """Whether the address redirects, so that the validators are those of another one."""


def name_of(number: int) -> str:
    return f"s{number}"


def behaviour_of(name: str) -> Behaviour:
    return _FIFTY[int(name[1:]) % len(_FIFTY)]


def source_of(path: str) -> str:
    """The name of the source that has this address."""
    return path.strip("/").partition("?")[0].partition("/")[0]


@dataclass
class MisbehavingFeeds:
    """The answers of a server to a client that polls each source every `interval` seconds and waits for `timeout`."""

    chance: random.Random
    interval: float
    timeout: float
    seen: list[Seen] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Requests whose validators were missing or false."""
    kills: list[float] = field(default_factory=list)
    """The monotonic times at which the client was killed while it worked."""
    portal: Reply | None = None
    """What a captive portal answers in the place of all servers."""
    _versions: Counter[str] = field(default_factory=Counter)
    _visits: Counter[str] = field(default_factory=Counter)
    _given: dict[str, _Given] = field(default_factory=dict)
    _doubtful: set[str] = field(default_factory=set)
    """The sources whose next request may be without validators."""

    def __call__(self, request: Request) -> Reply:
        given = self._given.setdefault(request.path, _Given())
        name = source_of(request.path)
        self._check(request, given, is_doubtful=name in self._doubtful)
        if request.etag and request.etag == etag_of(name, self._versions[name]):
            self._versions[name] += self._grows(name)
        kind, reply = self._answer(name, request)
        seen = Seen(request.at, request.host, request.path, kind)
        if kind == "document":
            seen.version = self._versions[name]
        self.seen.append(seen)
        return self._observed(reply, seen, given)

    @property
    def retry_after(self) -> int:
        """The seconds of each Retry-After."""
        return round(1.5 * self.interval)

    def _grows(self, name: str) -> bool:
        return behaviour_of(name) not in ("steady", "without validators") and self.chance.random() < GROWS

    def may_be_lost(self, at: float) -> bool:
        """Whether a kill may have kept the client from storing what it was sent at that time."""
        # A request that was on its way is answered although the client is no more.
        return any(-1 <= kill - at <= MARGIN for kill in self.kills)

    def _check(self, request: Request, given: _Given, *, is_doubtful: bool) -> None:
        """Record a request with other validators than the last ones, unless a kill may have lost these."""
        is_lost = self.may_be_lost(given.at)
        allowed = {given.etag, given.before} if is_lost else {given.etag}
        if request.etag not in allowed and not (request.etag is None and (given.has_moved or is_doubtful or is_lost)):
            self.wrong.append(f"{request.host}{request.path} was asked with {request.etag}, not {given.etag}")

    def _answer(self, name: str, request: Request) -> tuple[Kind, Reply]:
        if self.portal:
            return "portal", self.portal
        self._visits[name] += 1
        behaviour, misbehaves = behaviour_of(name), self.chance.random() < MISBEHAVES
        if behaviour == "missing":
            return "error", Reply(404, b"not here")
        if behaviour == "vanishing" and self._visits[name] > 3:
            # Each host is a server of its own: one answer of several could be that of a captive portal.
            return "gone", Reply(410, headers=[f"Server: {request.host}"])
        path, _, query = request.path.partition("?")
        if behaviour == "moving" and self._visits[name] > 3 and not path.endswith("/new"):
            return "moved", Reply(301, location=f"{path}/new" + (f"?{query}" if query else ""))
        if misbehaves and behaviour in _MISDEEDS:
            return _MISDEEDS[behaviour](self, name)
        version = self._versions[name]
        if request.etag == etag_of(name, version):
            return "not modified", Reply(304, etag=request.etag)
        if behaviour == "without validators":
            self._versions[name] += self.chance.random() < GROWS
            return "document", Reply(200, document(name, self._versions[name]))
        delay = 0.5 if behaviour == "slow" else 0.0
        return "document", Reply(200, document(name, version), etag=etag_of(name, version), delay=delay)

    def _observed(self, reply: Reply, seen: Seen, given: _Given) -> Reply:
        """The reply, which notes its times, and what it means for the validators of the next request."""

        def on_answer() -> None:
            seen.answered = time.monotonic()

        def on_sent() -> None:
            seen.sent = time.monotonic()
            if seen.kind == "document":
                given.etag, given.before = reply.etag, given.etag
            if seen.kind in ("document", "not modified"):
                given.at = seen.sent
                self._doubtful.discard(source_of(seen.path))
            given.has_moved = given.has_moved or seen.kind == "moved"
            if seen.kind in DOUBTFUL:
                self._doubtful.add(source_of(seen.path))

        return replace(reply, on_answer=on_answer, on_sent=on_sent)

    def _failure(self, _: str) -> tuple[Kind, Reply]:
        return "error", Reply(self.chance.choice((403, 500, 502)), b"sorry")

    def _rate_limit(self, _: str) -> tuple[Kind, Reply]:
        return "rate limit", Reply(429, headers=[f"Retry-After: {self.retry_after}"])

    def _silence(self, _: str) -> tuple[Kind, Reply]:
        return "silence", Reply(200, b"too late", delay=3 * self.timeout)

    def _cut_off(self, name: str) -> tuple[Kind, Reply]:
        return "cut off", Reply(200, document(name, self._versions[name])[:-500], missing_bytes=500)

    def _broken(self, name: str) -> tuple[Kind, Reply]:
        version = self._versions[name]
        mendable = document(name, version).replace(b"<title>", b"<title>Q & A &nbsp;", 1)
        choices: list[tuple[Kind, Reply]] = [
            ("nonsense", Reply(200, b"this is no feed", content_type="text/plain")),
            ("empty", Reply(200)),
            ("document", Reply(200, mendable, etag=etag_of(name, version))),
            ("document", Reply(200, mendable, etag=etag_of(name, version))),
        ]
        # Rare: the next visit comes after a day.
        return (
            ("page", Reply(200, _PAGE, content_type="text/html"))
            if self.chance.random() < 0.02
            else (self.chance.choice(choices))
        )


_MISDEEDS: dict[Behaviour, Callable[[MisbehavingFeeds, str], tuple[Kind, Reply]]] = {
    "failing": MisbehavingFeeds._failure,  # noqa: SLF001 - methods of the same class
    "rate-limiting": MisbehavingFeeds._rate_limit,  # noqa: SLF001
    "silent": MisbehavingFeeds._silence,  # noqa: SLF001
    "broken": MisbehavingFeeds._broken,  # noqa: SLF001
    "cut off": MisbehavingFeeds._cut_off,  # noqa: SLF001
}
