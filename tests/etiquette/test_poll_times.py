"""Rules 6 and 7: the server and the feed say when to come back, and nothing comes sooner."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from kzfeed.schedule.interval import IntervalBounds
from tests.etiquette.conftest import DAY, HOUR, START, World
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Header, Page, RecordingServer, Reply

SECOND = timedelta(seconds=1)
SPREAD = 1 + 1 / 25
"""How much later than its interval a source may come, to stay apart from the others."""


def http_date(when: datetime) -> str:
    return format_datetime(when.astimezone(UTC), usegmt=True)


def between(page: Page) -> list[timedelta]:
    return [after - before for before, after in pairwise(page.times)]


# --- rule 6 ----------------------------------------------------------------------------------------------------------

FRESHNESS: list[tuple[list[Header], timedelta]] = [
    ([("Cache-Control", "max-age=7200")], 2 * HOUR),
    ([("Cache-Control", "public, MAX-AGE=7200, must-revalidate")], 2 * HOUR),
    ([("Cache-Control", 'max-age="7200"')], 2 * HOUR),
    ([("Cache-Control", "max-age=7200"), ("Age", "1800")], 1.5 * HOUR),
    ([("Cache-Control", "max-age=7200"), ("Age", "9999")], HOUR),
    ([("Cache-Control", "max-age=7200"), ("Expires", "0")], 2 * HOUR),
    ([("Cache-Control", "max-age=60")], HOUR),
    ([("Cache-Control", "max-age=99999999999999999999")], DAY),
    ([("Cache-Control", "max-age=604800")], DAY),
    ([("Cache-Control", "max-age=-1")], HOUR),
    ([("Cache-Control", "max-age=soon")], HOUR),
    ([("Cache-Control", "no-cache, max-age=7200")], HOUR),
    ([("Cache-Control", "no-store"), ("Expires", http_date(START + 5 * HOUR))], HOUR),
    ([("Date", http_date(START)), ("Expires", http_date(START + 3 * HOUR))], 3 * HOUR),
    # The clocks of servers are wrong: only the difference counts.
    ([("Date", http_date(START - 9 * DAY)), ("Expires", http_date(START - 9 * DAY + 3 * HOUR))], 3 * HOUR),
    ([("Date", http_date(START)), ("Expires", http_date(START + 3 * HOUR)), ("Age", "3600")], 2 * HOUR),
    ([("Date", http_date(START)), ("Expires", "0")], HOUR),
    ([("Date", http_date(START)), ("Expires", "-1")], HOUR),
    ([("Date", http_date(START)), ("Expires", http_date(START - HOUR))], HOUR),
]


@pytest.mark.parametrize(("headers", "least"), FRESHNESS)
def test_6_the_next_visit_waits_while_the_answer_is_fresh(
    world: World, server: RecordingServer, headers: list[Header], least: timedelta
) -> None:
    page = server.page("/feed", Reply(200, headers, rss()), Reply(200, body=rss([1, 2])))
    world.add_source(page)

    world.advance(least + HOUR)

    assert least <= between(page)[0] <= least * SPREAD


def test_6_a_304_says_how_long_it_is_fresh_too(world: World, server: RecordingServer) -> None:
    page = server.page(
        "/feed", Reply(200, [("ETag", '"1"')], rss()), Reply(304, [("Cache-Control", "max-age=18000")]), Reply(304)
    )
    world.add_source(page)

    world.advance(8 * HOUR)

    first, second, third = between(page)
    assert HOUR <= first <= HOUR * SPREAD
    assert 5 * HOUR <= second <= 5 * HOUR * SPREAD
    assert HOUR <= third <= HOUR * SPREAD


@pytest.mark.parametrize(
    ("head", "least"),
    [
        ("<ttl>180</ttl>", 3 * HOUR),
        ("<ttl>5</ttl>", HOUR),
        ("<ttl>-3</ttl>", HOUR),
        ("<ttl>often</ttl>", HOUR),
        ("<ttl>999999</ttl>", DAY),
    ],
)
def test_6_the_next_visits_wait_for_the_ttl_also_after_a_304(
    world: World, server: RecordingServer, head: str, least: timedelta
) -> None:
    page = server.page("/feed", Reply(200, [("ETag", '"1"')], rss(head=head)), Reply(304))
    world.add_source(page)

    world.advance(3.3 * least)

    assert len(page.seen) == 4
    assert all(least <= wait <= least * SPREAD for wait in between(page))


def test_6_the_longest_of_interval_ttl_and_freshness_counts(world: World, server: RecordingServer) -> None:
    page = server.page(
        "/feed",
        Reply(200, [("ETag", '"1"'), ("Cache-Control", "max-age=7200")], rss(head="<ttl>180</ttl>")),
        Reply(304),
    )
    world.add_source(page, every=4 * HOUR)

    world.advance(5 * HOUR)

    assert 4 * HOUR <= between(page)[0] <= 4 * HOUR * SPREAD


def test_5_no_interval_of_the_operator_comes_below_the_least(world: World, server: RecordingServer) -> None:
    page = server.page("/feed", Reply(200, [("ETag", '"1"')], rss()), Reply(304))
    world.add_source(page, every=SECOND)

    world.advance(HOUR)

    assert len(page.seen) == 4
    assert min(between(page)) >= IntervalBounds().min_interval


# --- rule 7 ----------------------------------------------------------------------------------------------------------

RETRY_AFTER = [
    ("18000", 5 * HOUR),
    (http_date(START + 9 * HOUR), 9 * HOUR),
    ((START + 9 * HOUR).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 9 * HOUR),
    ("99999999999999999999", 7 * DAY),
    (http_date(START + 300 * DAY), 7 * DAY),
    # Shorter than the back-off, past, or nonsense: the back-off counts.
    ("60", HOUR),
    ("0", HOUR),
    (http_date(START - HOUR), HOUR),
    ("-5", HOUR),
    ("tomorrow", HOUR),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "least"), RETRY_AFTER)
def test_7_retry_after_of_a_refusal_is_a_minimum(
    world: World, server: RecordingServer, status: int, value: str, least: timedelta
) -> None:
    page = server.page("/feed", Reply(status, [("Retry-After", value)]), Reply(200, body=rss()))
    world.add_source(page)

    world.advance(least + 3 * HOUR)

    wait = between(page)[0]
    assert least <= wait
    assert wait <= max(least + SECOND, 3 * HOUR)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("value", "least"), [("18000", 5 * HOUR), (http_date(START + 9 * HOUR), 9 * HOUR)])
def test_7_retry_after_of_a_redirect_is_a_minimum(
    world: World, server: RecordingServer, status: int, value: str, least: timedelta
) -> None:
    door = server.page("/door", Reply(status, [("Location", "/feed"), ("Retry-After", value)]))
    server.page("/feed", Reply(200, [("ETag", '"1"')], rss()), Reply(304))
    world.add_source(door)

    world.advance(least + HOUR)

    assert least <= between(door)[0] <= least * SPREAD


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502, 503])
def test_7_without_retry_after_the_waits_double_up_to_a_day(world: World, server: RecordingServer, status: int) -> None:
    page = server.page("/feed", Reply(status))
    world.add_source(page)

    world.advance(5 * DAY)

    waits = between(page)
    assert waits[0] >= HOUR
    assert all(after >= min(1.5 * before, DAY) for before, after in pairwise(waits))
    assert max(waits) <= DAY
    assert len(page.seen) <= 10


def test_7_the_wait_after_a_failure_has_jitter(world: World, server: RecordingServer) -> None:
    ends: list[timedelta] = []
    for number, chance in enumerate((0.0, 0.99)):
        world.clock.chance = chance
        page = server.page(f"/{number}", Reply(500))
        world.add_source(page, name=f"s{number}")
        world.advance(5 * HOUR)
        ends.append(between(page)[0])

    assert ends[1] > 1.1 * ends[0]


def test_7_a_success_ends_the_back_off(world: World, server: RecordingServer) -> None:
    page = server.page("/feed", *[Reply(500)] * 3, Reply(200, [("ETag", '"1"')], rss()), Reply(304))
    world.add_source(page)

    world.advance(DAY)

    assert between(page)[2] > 4 * HOUR
    assert all(HOUR <= wait <= HOUR * SPREAD for wait in between(page)[3:])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503),
        Reply(200, body=rss(), declared=100_000),
        Reply(200, [("Content-Encoding", "gzip")], b"no gzip"),
        Reply(302, [("Location", "file:///etc/passwd")]),
        Reply(408),
        Reply(421),
    ],
)
def test_7_nothing_is_tried_again_at_once(world: World, server: RecordingServer, reply: Reply) -> None:
    page = server.page("/feed", reply)
    world.add_source(page)

    world.advance(0.9 * HOUR)

    assert len(server.seen) == server.connections == len(page.seen) == 1
