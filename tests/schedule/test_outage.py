"""Which failures are those of this machine's own network."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kzfeed.model.polls import Failed, FailureKind, Fetched, ResponseHead, Source
from kzfeed.schedule.outage import OBSERVED_TIME, TRY_EVERY, OutageWatch
from kzfeed.schedule.policy import VisitResult

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
GOOD = VisitResult(Fetched("https://any.test/feed", 200, {}, b"<rss/>"), body_hash="feed")


def source(number: int) -> Source:
    return Source(number, f"s{number}", f"https://host{number}.test/feed", last_success_at=NOW - timedelta(hours=1))


def failure(kind: FailureKind, *, url: str | None = None, status: int | None = None, page: str = "") -> VisitResult:
    return VisitResult(Failed(kind, "it failed", status, url=url), body_hash=page or None)


def kinds(watch: OutageWatch, visits: list[VisitResult], *, every: timedelta = timedelta(seconds=1)) -> list[str]:
    """What the visits count as, one to each host."""
    counted = [watch.judge(source(n), visit, NOW + n * every).outcome for n, visit in enumerate(visits)]
    return [outcome.kind if isinstance(outcome, Failed) else "good" for outcome in counted]


def refusal(status: int, server: str = "gate") -> VisitResult:
    """A 403 or 410 from a server that calls itself so."""
    head = f"HTTP/1.1 {status} No\r\nServer: {server}\r\nDate: today\r\n\r\n"
    kind: FailureKind = "gone" if status == 410 else "http-status"
    return VisitResult(Failed(kind, "it failed", status, head=ResponseHead(head.encode())))


PORTAL = "https://portal.test/login"


@pytest.mark.parametrize(
    "visits",
    [
        pytest.param([failure("dns")] * 20, id="no name resolves"),
        pytest.param([failure("timeout"), failure("connect"), failure("offline")] * 7, id="no host is reached"),
        pytest.param([failure("tls")] * 20, id="TLS fails everywhere"),
        pytest.param([failure("not-a-feed", url=PORTAL, status=200)] * 20, id="all are sent to one host"),
        pytest.param([failure("not-a-feed", status=200, page="login")] * 20, id="all answer with one page"),
        pytest.param([failure("http-status", status=511)] * 20, id="the network asks for a log-in"),
        pytest.param([failure("forbidden-address")] * 20, id="all names have private addresses"),
        pytest.param([failure("tls"), failure("challenge", url=PORTAL)] * 10, id="a portal fails https in another way"),
        pytest.param([failure("gone", url=PORTAL, status=410)] * 20, id="all are sent to a page that is gone"),
        pytest.param([refusal(403)] * 20, id="the network forbids all"),
        pytest.param([refusal(410)] * 20, id="the network says that all is gone"),
    ],
)
def test_when_nearly_all_hosts_fail_alike_the_fault_is_ours(visits: list[VisitResult]) -> None:
    watch = OutageWatch()

    counted = kinds(watch, [GOOD, *visits])

    assert watch.since
    assert set(counted[12:]) == {"offline"}
    failed_ids = {number for number, kind in enumerate(counted) if kind not in ("offline", "good")}
    assert watch.taken_back == failed_ids


@pytest.mark.parametrize(
    "visits",
    [
        pytest.param([failure("http-status", status=500)] * 20, id="servers fail by themselves"),
        pytest.param([failure("not-a-feed", status=200, page=f"page {n}") for n in range(20)], id="many odd pages"),
        pytest.param([failure("gone", status=410)] * 20, id="gone"),
        pytest.param([refusal(410, f"server {n}") for n in range(20)], id="many servers retire their feeds"),
        pytest.param([refusal(403, f"server {n}") for n in range(20)], id="many servers forbid a visit"),
        pytest.param([failure("dns"), failure("dns"), GOOD] * 10, id="a third of the hosts answer"),
        pytest.param([failure("dns")] * 4, id="too few hosts to tell"),
    ],
)
def test_what_servers_answer_and_what_few_hosts_do_is_no_outage(visits: list[VisitResult]) -> None:
    watch = OutageWatch()

    counted = kinds(watch, visits)

    assert watch.since is None
    assert "offline" not in counted


def test_many_dead_sources_of_one_host_are_no_outage() -> None:
    watch = OutageWatch()
    for number in range(20):
        watch.judge(replace(source(number), url="https://one.test/feed"), failure("timeout"), NOW)
    assert watch.since is None


def test_an_outage_of_a_small_fleet_shows_in_its_last_visits_however_far_apart() -> None:
    watch = OutageWatch()
    kinds(watch, [failure("dns")] * 5, every=10 * OBSERVED_TIME)
    assert watch.since


def test_the_first_answer_of_a_host_that_failed_ends_the_outage() -> None:
    watch = OutageWatch()
    kinds(watch, [failure("dns")] * 10)
    assert watch.since

    watch.judge(source(3), GOOD, NOW + timedelta(minutes=5))

    assert watch.since is None


def test_a_host_of_the_local_network_that_answers_all_the_time_ends_no_outage() -> None:
    watch = OutageWatch()
    kinds(watch, [GOOD, *[failure("dns")] * 20])
    for number in range(1, 12):
        now = NOW + timedelta(minutes=1) + number * TRY_EVERY
        watch.judge(source(0), GOOD, now)
        assert watch.since
        counted = watch.judge(source(number), failure("timeout"), now).outcome
        assert isinstance(counted, Failed)
        assert counted.kind == "offline"


def test_dead_hosts_alone_do_not_keep_an_outage_going() -> None:
    watch = OutageWatch()
    kinds(watch, [failure("dns")] * 5)
    assert watch.since

    for number in range(10, 20):
        watch.judge(source(number), GOOD, NOW + timedelta(hours=1) + number * TRY_EVERY)

    assert watch.since is None


def test_the_visit_that_ends_an_outage_counts_once_for_the_next_one() -> None:
    watch = OutageWatch()
    portal = failure("not-a-feed", status=200, page="login")
    counted = kinds(watch, [failure("dns")] * 5 + [GOOD] * 5 + [portal])
    assert (counted[4], counted[10], watch.since) == ("offline", "not-a-feed", None)
    watch.judge(source(10), GOOD, NOW + timedelta(seconds=20))

    for number in range(20, 25):
        watch.judge(source(number), portal, NOW + 2 * OBSERVED_TIME)

    assert watch.since


def test_servers_that_have_always_refused_are_no_outage() -> None:
    watch = OutageWatch()
    for number in range(20):
        watch.judge(replace(source(number), failure_count=3), refusal(403), NOW)
    assert watch.since is None


def test_in_an_outage_no_410_is_believed() -> None:
    watch = OutageWatch()
    counted = kinds(watch, [refusal(410), *[failure("tls")] * 20, refusal(410, "another")])

    assert counted[-1] == "offline"
    assert 0 in watch.taken_back


def test_three_hosts_that_say_gone_alike_are_not_believed_even_if_others_answer() -> None:
    watch = OutageWatch()
    counted = kinds(watch, [*[GOOD] * 20, *[refusal(410)] * 5, refusal(410, "another")])

    assert counted[20:] == ["gone", "gone", "http-status", "http-status", "http-status", "gone"]
    assert watch.taken_back == {20, 21}
    assert watch.since is None
