"""Outages of this machine's own network, as they show in the outcomes of visits.

No source is at fault when nearly all hosts fail at once: they cannot be reached, or all give the same odd answer, as
behind a captive portal.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kzfeed.hosts import host_of
from kzfeed.model.polls import Failed, FailureKind, ResponseHead, Source
from kzfeed.schedule.policy import VisitResult

OBSERVED_TIME = timedelta(minutes=1)
"""How far back visits count. If they went to fewer than `FEWEST_HOSTS` hosts, the last ones to so many count."""
FEWEST_HOSTS = 5
BEGIN_SHARE = 0.9
"""An outage begins when this share of the hosts fail in ways that may be this machine's fault."""
END_SHARE = 0.5
"""It ends when fewer do, or when a host that failed so answers again."""
SAME_ANSWERS = 3
"""The same odd answer from this many hosts may be a captive portal's: then no 410 retires a source."""
TRY_EVERY = timedelta(seconds=15)
"""In an outage one source is tried in this time."""

_UNREACHABLE: tuple[FailureKind, ...] = ("offline", "dns", "connect", "timeout", "tls")
_ODD_ANSWERS: tuple[FailureKind, ...] = (
    "not-a-feed",
    "parse",
    "challenge",
    "empty",
    "http-status",
    "gone",
    "unexpected-status",
    "bad-redirect",
    "forbidden-address",
)
_REFUSALS = (403, 410)
"""Statuses that a network may answer in place of all servers. Other errors are more likely from the servers."""
_NO_CONNECTION = "this machine reaches no host"


@dataclass(frozen=True, slots=True)
class _LastVisit:
    """The last visit to a host. `symptom` is what suggests an outage, None if nothing does; `failed_ids` has the ids of
    the sources for which it counted as a failure. `retires` says that it retired a source.
    """

    at: datetime
    symptom: str | None
    failed_ids: frozenset[int] = frozenset()
    retires: bool = False


@dataclass(slots=True)
class OutageWatch:
    """The visits of the last minute, and the outage that they show. `since` is None while there is none."""

    since: datetime | None = None
    reason: str = ""
    """What all hosts have in common, for people."""
    taken_back_at: datetime | None = None
    """When failures were last found not to be the fault of their sources."""
    taken_back: frozenset[int] = frozenset()
    """The ids of these sources."""
    _last_visits: dict[str, _LastVisit] = field(default_factory=dict)
    """By host, the earliest first."""
    _symptoms: Counter[str] = field(default_factory=Counter)
    """How many of these hosts have each symptom."""
    _failed_hosts: set[str] = field(default_factory=set)
    """The hosts that have failed in this outage."""

    def judge(self, source: Source, visit: VisitResult, now: datetime) -> VisitResult:
        """The visit, with its failure as one of the kind `offline` if an outage of this machine explains it."""
        host, symptom = host_of(source.url), _symptom_of(source, visit, is_offline=self.since is not None)
        self._record(host, symptom, now)
        self._begin_or_end(host, symptom, now)
        failed = visit.outcome
        if not symptom or not isinstance(failed, Failed) or failed.kind == "offline":
            return visit
        # A 410 retires its source: in an outage it is not believed, even if it is the only one.
        if self.since and (failed.kind == "gone" or self._suggests_outage(symptom)):
            self._failed_hosts.add(host)
            error = f"as all hosts do, because {self.reason}: {failed.kind}: {failed.error}"
            return VisitResult(Failed("offline", error, failed.status, url=failed.url, head=failed.head))
        if failed.kind == "gone" and self._symptoms[symptom] >= SAME_ANSWERS:
            failed = self._refuse_410(failed, symptom, now)
        last = self._last_visits[host]
        failed_ids = last.failed_ids | {source.id}
        self._last_visits[host] = replace(last, failed_ids=failed_ids, retires=failed.kind == "gone")
        return replace(visit, outcome=failed)

    def _record(self, host: str, symptom: str | None, now: datetime) -> None:
        before = self._last_visits.pop(host, None)
        if before and before.symptom:
            self._symptoms[before.symptom] -= 1
        self._last_visits[host] = _LastVisit(now, symptom, before.failed_ids if before and symptom else frozenset())
        if symptom:
            self._symptoms[symptom] += 1

    def _begin_or_end(self, host: str, symptom: str | None, now: datetime) -> None:
        """Begin an outage, or end it, if the visit to this host shows that."""
        if self.since is None:
            if symptom and self._so_many_fail(BEGIN_SHARE, now):
                self._begin(symptom, now)
        elif (symptom is None and host in self._failed_hosts) or not self._so_many_fail(END_SHARE, now):
            self._end()
            self._record(host, symptom, now)  # as the first visit after the outage

    def _so_many_fail(self, share: float, now: datetime) -> bool:
        """Whether at least this share of the hosts fail in a way that suggests an outage."""
        self._forget_old_visits(now)
        hosts = len(self._last_visits)
        failing = sum(count for symptom, count in self._symptoms.items() if self._suggests_outage(symptom))
        return hosts >= FEWEST_HOSTS and failing >= share * hosts

    def _forget_old_visits(self, now: datetime) -> None:
        while len(self._last_visits) > FEWEST_HOSTS:
            host = next(iter(self._last_visits))
            if timedelta() <= now - self._last_visits[host].at < OBSERVED_TIME:
                break
            symptom = self._last_visits.pop(host).symptom
            if symptom:
                self._symptoms[symptom] -= 1

    def _suggests_outage(self, symptom: str) -> bool:
        # After the outage has begun there are few visits, and each may have another answer.
        return symptom == _NO_CONNECTION or symptom == self.reason or self._symptoms[symptom] >= SAME_ANSWERS

    def _begin(self, symptom: str, now: datetime) -> None:
        self.since, self.reason = now, max(self._symptoms, key=lambda each: (self._symptoms[each], each == symptom))
        failed = {
            host: visit
            for host, visit in self._last_visits.items()
            if visit.symptom and (visit.retires or self._suggests_outage(visit.symptom))
        }
        self._failed_hosts = set(failed)
        self._take_back(failed.values(), now)

    def _refuse_410(self, failed: Failed, symptom: str, now: datetime) -> Failed:
        """The failure as one that retires no source, because other hosts answer 410 too; nor do their answers."""
        visits = self._last_visits.values()
        self._take_back([visit for visit in visits if visit.symptom == symptom and visit.retires], now)
        return replace(failed, kind="http-status", error=f"{failed.error}, like other hosts at the same time")

    def _take_back(self, visits: Iterable[_LastVisit], now: datetime) -> None:
        self.taken_back_at, self.taken_back = now, frozenset().union(*(visit.failed_ids for visit in visits))

    def _end(self) -> None:
        self.since, self.reason = None, ""
        self._last_visits.clear()
        self._symptoms.clear()
        self._failed_hosts.clear()


def _symptom_of(source: Source, visit: VisitResult, *, is_offline: bool) -> str | None:
    """What speaks for an outage of this machine's network in the visit: equal for all visits with the same cause."""
    failed = visit.outcome
    if not isinstance(failed, Failed):
        return None
    if failed.kind in _UNREACHABLE:
        return _NO_CONNECTION
    if failed.kind not in _ODD_ANSWERS:
        return None
    if failed.status == 511:  # Network Authentication Required (RFC 6585 §6): no server of a feed sends it
        return "the network asks for a log-in (511)"
    answered_by = host_of(failed.url) if failed.url else None
    if answered_by and answered_by != host_of(source.url):
        return f"the network sends all requests to {answered_by}"
    if failed.kind == "forbidden-address":
        return "the network gives addresses of its own for all hosts"
    if failed.status in _REFUSALS and failed.head:
        # Servers that have refused kzfeed before, and go on, are no outage.
        is_new = failed.kind == "gone" or (source.last_success_at is not None and source.failure_count == 0)
        likeness = _likeness(failed.head)
        return f"the network answers all requests with {failed.status} ({likeness})" if is_new or is_offline else None
    return f"the network answers all requests with one page ({visit.body_hash[:8]})" if visit.body_hash else None


def _likeness(head: ResponseHead) -> str:
    """A hash of what all responses of a server share: the names of their header fields, and the value of Server."""
    names = [b"%b %b" % (name.lower(), value if name.lower() == b"server" else b"") for name, value in head.fields]
    return hashlib.sha256(b"\n".join(names)).hexdigest()[:8]
