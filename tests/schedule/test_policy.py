"""The rules of the etiquette, as the policy keeps them: a state and an outcome in, the next state out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kzfeed.model.articles import Feed, Gap, WindowComparison
from kzfeed.model.polls import Failed, FailureKind, Fetched, NotModified, Outcome, Source, Validators
from kzfeed.schedule.interval import IntervalBounds, stable_offset
from kzfeed.schedule.policy import Circumstances, NextState, VisitResult, next_state, next_visit, parse_failure

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
URL, NEW_URL = "https://e.example/rss", "https://new.example/feed"
BOUNDS = IntervalBounds(max_interval=timedelta(hours=24))
OFFSET = 1 + stable_offset("voa") / 30
NO_HEADERS: Mapping[str, str] = {}


def source(**state: Any) -> Source:
    """One that has had a feed an hour ago, with validators."""
    before: dict[str, Any] = {
        "configured_url": URL,
        "validators": Validators(URL, '"1"', "Tue, 11 Jan 2022 17:00:00 GMT"),
        "body_hash": "1",
        "last_polled_at": NOW - HOUR,
        "last_success_at": NOW - HOUR,
        "last_document_at": NOW - HOUR,
        "window_at": NOW - HOUR,
    }
    return Source(1, "voa", **({"url": URL} | before | state))


def fetched(headers: Mapping[str, str] = NO_HEADERS, **more: Any) -> Fetched:
    return Fetched(more.pop("url", URL), 200, headers, more.pop("body", b"<rss/>"), **more)


def not_modified(headers: Mapping[str, str] = NO_HEADERS, **more: Any) -> NotModified:
    return NotModified(URL, headers, **more)


def failed(status: int | None = 500, kind: FailureKind = "http-status", **headers: str) -> Failed:
    return Failed(kind, "it failed", status, {name.replace("_", "-"): value for name, value in headers.items()})


def after(of: Source, outcome: Outcome, feed: Feed | None = None, **more: Any) -> NextState:
    at = Circumstances(more.pop("now", NOW), more.pop("bounds", BOUNDS), more.pop("jitter", 0.0))
    return next_state(of, VisitResult(outcome, feed, **more), at)


def wait(state: NextState, now: datetime = NOW) -> timedelta:
    """How long until the next visit, without the source's own offset from its interval."""
    assert state.source.next_poll_at
    length = state.source.next_poll_at - now
    by_rhythm = state.source.next_poll_reason in ("its interval", "its auto interval", "the minimum interval")
    return length / OFFSET if by_rhythm else length


def close(length: timedelta) -> Any:
    return pytest.approx(length, abs=timedelta(milliseconds=1))


# --- with what headers -----------------------------------------------------------------------------------------------


def test_rule_1_validators_are_echoed_byte_for_byte_to_the_url_that_gave_them() -> None:
    etag, date = 'W/"\xe4-gzip"', "Tue, 11 Jan 2022 17:00:00 GMT+1"

    state = after(source(), fetched({"etag": etag, "last-modified": date}, url=NEW_URL), Feed("rss"))

    assert next_visit(state.source).validators == Validators(NEW_URL, etag, date)
    assert next_visit(state.source).url == URL


@pytest.mark.parametrize(
    ("rule", "outcome", "etag", "last_modified"),
    [
        ("rule 2: both", fetched({"etag": '"2"', "last-modified": "now"}), '"2"', "now"),
        ("rule 2: absent is forgotten", fetched({"etag": '"2"'}), '"2"', None),
        ("rule 2: absent is forgotten", fetched({"last-modified": "now"}), None, "now"),
        ("rule 2: an empty one is none", fetched({"etag": "", "last-modified": "now"}), None, "now"),
        ("rule 2: a 304 may omit both", not_modified(), '"1"', "Tue, 11 Jan 2022 17:00:00 GMT"),
        ("rule 2: a 304 updates one", not_modified({"etag": '"2"'}), '"2"', "Tue, 11 Jan 2022 17:00:00 GMT"),
        ("rule 2: a 304 updates the other", not_modified({"last-modified": "now"}), '"1"', "now"),
        ("rule 4: a failed parse keeps them", failed(200, "parse", etag='"2"'), '"1"', "Tue, 11 Jan 2022 17:00:00 GMT"),
        ("rule 4: so does any failure", failed(), '"1"', "Tue, 11 Jan 2022 17:00:00 GMT"),
    ],
)
def test_which_validators_are_kept(rule: str, outcome: Outcome, etag: str | None, last_modified: str | None) -> None:
    kept = next_visit(after(source(), outcome, body_hash="2").source).validators

    assert kept == Validators(URL, etag, last_modified), rule


def test_rule_1_no_validators_no_conditions() -> None:
    assert next_visit(after(source(), fetched(), Feed("rss")).source).validators is None


@pytest.mark.parametrize("flaw", [{"cut_off": True}, {"dropped": 1000}])
def test_rule_4_a_document_that_breaks_off_does_not_vouch_for_what_it_did_not_show(flaw: dict[str, Any]) -> None:
    torn = after(source(), fetched({"etag": '"2"'}), Feed("rss", **flaw), body_hash="2").source

    assert (torn.validators, torn.body_hash) == (source().validators, None)


def test_a_304_after_a_document_that_breaks_off_says_that_the_whole_one_is_back() -> None:
    torn = after(source(), fetched({"etag": '"2"'}), Feed("rss", cut_off=True, flaw="it breaks off")).source
    back = after(torn, not_modified()).source

    assert torn.flaw
    assert torn.refused_validators == "ETag (the document breaks off)"
    assert (back.flaw, back.refused_validators) == (None, None)


def test_rule_3_a_new_etag_over_the_same_body_is_stored_and_nothing_else_moves() -> None:
    before = source()

    state = after(before, fetched({"etag": '"2"'}), body_hash="1")

    assert state.source.validators == Validators(URL, '"2"')
    assert state.source.last_document_at == before.last_document_at
    assert state.source.body_hash == "1"


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        ("rule 21: a 206", failed(206, "unexpected-status")),
        ("rule 21: a 226", failed(226, "unexpected-status")),
        ("rule 21: a 304 nobody asked for", failed(304, "unexpected-status")),
        ("an empty 200", failed(200, "empty")),
        ("no feed", failed(200, "not-a-feed")),
        ("rule 12: HTML where a feed was", failed(200, "challenge")),
    ],
)
def test_after_a_doubtful_answer_the_next_visit_is_unconditional_until_one_succeeds(
    case: str, outcome: Outcome
) -> None:
    doubted = after(source(), outcome).source
    still = after(doubted, failed(503)).source
    state = after(still, fetched({"etag": '"2"'}), Feed("rss"), body_hash="2").source

    assert [next_visit(each).validators for each in (doubted, still)] == [None, None], case
    assert doubted.validators == source().validators
    assert next_visit(state).validators == Validators(URL, '"2"')


def test_rule_18_after_seven_days_of_nothing_but_304_one_visit_is_unconditional() -> None:
    state, now, unconditional = source(), NOW, []
    for number in range(15 * 24):
        conditional = next_visit(state).validators is not None
        if not conditional:
            unconditional.append(number)
        outcome: Outcome = not_modified() if conditional else fetched({"etag": '"1"'})
        if number == 20:
            outcome = failed()  # a failure in between changes nothing
        state = after(state, outcome, body_hash="1" if not conditional else None, now=now).source
        now += HOUR

    assert unconditional == [7 * 24 + 1, 14 * 24 + 3]


def test_a_private_address_stays_the_operators_to_name() -> None:
    moved = source(url=NEW_URL)

    assert (next_visit(moved).url, next_visit(moved).trusted_host) == (NEW_URL, "e.example")


# --- when: after success ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected", "state", "outcome", "feed"),
    [
        ("5: the interval", 60, {}, fetched(), Feed("rss")),
        ("5: the least of it", 15, {"every": MINUTE}, fetched(), Feed("rss")),
        ("5: a long one", 10_080, {"every": 7 * DAY}, fetched(), Feed("rss")),
        ("6: ttl", 120, {}, fetched(), Feed("rss", ttl=2 * HOUR)),
        ("6: a short ttl", 60, {}, fetched(), Feed("rss", ttl=MINUTE)),
        ("6: ttl has a limit", 1440, {}, fetched(), Feed("rss", ttl=30 * DAY)),
        ("6: ttl is kept on a 304", 120, {"own_wait": 2 * HOUR}, not_modified(), None),
        ("6: ttl that is gone is forgotten", 60, {"own_wait": 2 * HOUR}, fetched(), Feed("rss")),
        ("6: max-age", 180, {}, fetched({"cache-control": "max-age=10800"}), Feed("rss")),
        ("6: max-age of a 304", 180, {}, not_modified({"cache-control": "max-age=10800"}), None),
        ("6: less Age", 170, {}, fetched({"cache-control": "max-age=10800", "age": "600"}), Feed("rss")),
        ("6: no-cache", 60, {}, fetched({"cache-control": "no-cache, max-age=10800"}), Feed("rss")),
        ("6: the longest of all", 180, {}, fetched({"cache-control": "max-age=10800"}), Feed("rss", ttl=2 * HOUR)),
        ("6: a limit of a day", 1440, {}, fetched({"cache-control": "max-age=31536000"}), Feed("rss")),
        ("6: but for the interval", 10_080, {"every": 7 * DAY}, fetched({"cache-control": "max-age=9"}), Feed("rss")),
        ("15: the update period", 720, {}, fetched(), Feed("rss", update_every=12 * HOUR)),
        ("15: a shorter one", 60, {}, fetched(), Feed("rss", update_every=MINUTE)),
        ("20: X-Poll-Interval", 90, {}, fetched({"x-poll-interval": "5400"}), Feed("rss")),
        ("20: of a 304", 90, {}, not_modified({"x-poll-interval": "5400"}), None),
    ],
)
def test_the_next_visit_after_success(
    rule: str, expected: int, state: dict[str, Any], outcome: Outcome, feed: Feed | None
) -> None:
    assert wait(after(source(**state), outcome, feed)) == close(expected * MINUTE), rule


@pytest.mark.parametrize(
    ("rule", "expected", "unchanged_for", "headers", "state"),
    [
        ("5: at first its interval", 60, 1, {}, {}),
        ("5: then as long as it has been so", 120, 2, {}, {}),
        ("5: then rarer", 180, 3, {}, {}),
        ("5: up to four intervals", 240, 100, {}, {}),
        ("5: also of a long interval", 4 * 1440, 1000, {}, {"every": DAY}),
        ("5: not with validators", 60, 100, {"etag": '"1"'}, {}),
        ("5: not with one validator", 60, 100, {"last-modified": "now"}, {}),
        ("5: auto keeps to its limit", 1440, 1000, {}, {"auto": True, "auto_interval": 12 * HOUR}),
    ],
)
def test_without_validators_an_unchanged_body_makes_visits_rarer(
    rule: str, expected: int, unchanged_for: int, headers: dict[str, str], state: dict[str, Any]
) -> None:
    before = source(**({"validators": None, "last_document_at": NOW - unchanged_for * HOUR} | state))

    found = after(before, fetched(headers), body_hash="1")

    assert wait(found) == pytest.approx(expected * MINUTE, rel=0.02), rule


def test_rule_5_a_changed_body_brings_the_interval_back() -> None:
    before = source(validators=None, last_document_at=NOW - 100 * HOUR)

    assert wait(after(before, fetched(), Feed("rss"), body_hash="2")) == close(HOUR)


@pytest.mark.parametrize(
    ("case", "expected", "headers"),
    [
        ("as it fires", "18:07", {}),
        ("not within the minimum interval", "18:15", {}),
        ("not while the answer is fresh", "20:00", {"cache-control": "max-age=7200"}),
    ],
)
def test_a_cron_expression_is_kept_to_as_politeness_allows(case: str, expected: str, headers: dict[str, str]) -> None:
    bounds = IntervalBounds(MINUTE) if expected == "18:07" else BOUNDS
    of = source(cron="7 * * * *", validators=None)

    state = after(of, fetched(headers), body_hash="1", bounds=bounds)

    assert f"{state.source.next_poll_at:%H:%M}" == expected, case


def test_rule_11_one_success_resets_everything() -> None:
    failing = source(
        failing_since=NOW - DAY,
        failure_count=9,
        last_error_kind="dns",
        last_error="x",
        status="failing",
        not_before=NOW,
    )

    state = after(failing, not_modified()).source

    assert (state.status, state.failure_count, state.failing_since) == ("active", 0, None)
    assert (state.last_error_kind, state.last_error, state.not_before) == (None, None, None)


@pytest.mark.parametrize("outcome", [fetched(), failed()])
def test_rule_15_skip_hours_defer_every_visit(outcome: Outcome) -> None:
    hours = frozenset(range(24)) - {4}
    feed = Feed("rss", skip_hours=hours) if isinstance(outcome, Fetched) else None

    state = after(source(skip_hours=hours), outcome, feed).source

    assert state.next_poll_at
    assert state.next_poll_at.hour == 4
    assert (state.next_poll_reason or "").endswith("put off by the feed's skipHours or skipDays")


def test_what_the_feed_says_of_itself_is_kept() -> None:
    feed = Feed("rss", title="theirs", site_url="https://e.example/", skip_days=frozenset({5}))

    named, unnamed = (after(source(title=title), fetched(), feed).source for title in ("ours", None))

    assert (named.title, unnamed.title) == ("ours", "theirs")
    assert (unnamed.site_url, unnamed.skip_days) == ("https://e.example/", frozenset({5}))


def test_gap_rule_a_gap_brings_the_least_interval_and_politeness_still_stands() -> None:
    window = WindowComparison(20, 0, HOUR, Gap(NOW - HOUR, NOW))

    hurried = after(source(), fetched(), Feed("rss"), window=window)
    fresh = after(source(), fetched({"cache-control": "max-age=7200"}), Feed("rss"), window=window)

    assert wait(hurried) == pytest.approx(15 * MINUTE, rel=1 / 30)
    assert hurried.source.next_poll_reason == "more often until its windows overlap by half"
    assert wait(fresh) == 2 * HOUR


# --- when: after failure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected", "state", "outcome"),
    [
        ("11: twice the interval", 2, {}, failed()),
        ("11: then four times", 4, {"failure_count": 1}, failed()),
        ("11: then eight", 8, {"failure_count": 2}, failed(404)),
        ("11: up to a day", 24, {"failure_count": 5}, failed(None, "timeout")),
        ("11: for a month", 24, {"failure_count": 30, "failing_since": NOW - 29 * DAY}, failed()),
        ("11: then up to a week", 168, {"failure_count": 40, "failing_since": NOW - 30 * DAY}, failed()),
        ("11: and for ever", 168, {"failure_count": 10**6, "failing_since": NOW - 3650 * DAY}, failed()),
        ("11: of the minimum interval", 0.5, {"every": MINUTE}, failed()),
        ("11: of a huge one", 24, {"every": 3650 * DAY}, failed()),
        ("10: 404 and 403 too", 2, {}, failed(403)),
        ("12: a bot challenge", 24, {}, failed(403, "challenge")),
        ("12: and longer", 168, {"failure_count": 40, "failing_since": NOW - 30 * DAY}, failed(403, "challenge")),
        ("7: Retry-After of a 503", 5, {}, failed(503, retry_after="18000")),
        ("7: Retry-After of a 429", 5, {}, failed(429, retry_after="Tue, 11 Jan 2022 23:00:00 GMT")),
        ("7: Retry-After of a redirect", 5, {}, failed(302, "bad-redirect", retry_after="18000")),
        ("7: Retry-After is only a minimum", 8, {"failure_count": 2}, failed(503, retry_after="18000")),
        ("7: Retry-After has a limit", 168, {}, failed(503, retry_after="100000000")),
        ("7: nonsense is none", 2, {}, failed(503, retry_after="soon")),
        ("7: none on a 200", 2, {}, failed(200, "parse", retry_after="18000")),
        ("7: without one back off", 2, {}, failed(429)),
        ("20: X-Poll-Interval", 3, {}, failed(503, x_poll_interval="10800")),
    ],
)
def test_the_next_visit_after_failure(rule: str, expected: float, state: dict[str, Any], outcome: Failed) -> None:
    found = after(source(**state), outcome)

    assert wait(found) == expected * HOUR, rule
    assert found.source.status == "failing"


def test_a_failure_for_lack_of_a_connection_of_ours_does_not_lengthen_the_back_off() -> None:
    found = after(source(failure_count=3, failing_since=NOW - HOUR), failed(None, "offline"))

    assert (wait(found), found.source.failure_count, found.source.failing_since) == (HOUR, 3, NOW - HOUR)


def test_rule_7_jitter_lengthens_a_back_off_and_never_beyond_its_limit() -> None:
    waits = [wait(after(source(), failed(503), jitter=number / 10)) / HOUR for number in range(10)]
    dead = [wait(after(source(failure_count=9), failed(503), jitter=number / 10)) / HOUR for number in range(10)]

    assert len(set(waits)) == 10
    assert 2 <= min(waits) <= max(waits) <= 2.5
    assert set(dead) == {24}


@pytest.mark.parametrize(
    ("rule", "outcome", "pause"),
    [
        ("8: 429 with Retry-After", failed(429, retry_after="18000"), 5 * HOUR),
        ("8: 503 with Retry-After", failed(503, retry_after="18000"), 5 * HOUR),
        ("8: capped", failed(503, retry_after="100000000"), 7 * DAY),
        ("8: not without", failed(503), None),
        ("8: not with 0", failed(503, retry_after="0"), None),
        ("8: no other status", failed(500, retry_after="18000"), None),
        ("8: a challenge too", failed(429, "challenge", retry_after="18000"), 5 * HOUR),
        ("8: nor a redirect", failed(302, "bad-redirect", retry_after="18000"), None),
    ],
)
def test_when_the_whole_host_is_left_alone(rule: str, outcome: Failed, pause: timedelta | None) -> None:
    state = after(source(), outcome)

    assert state.host_pause == (NOW + pause if pause else None), rule
    if pause:
        assert state.source.not_before == state.host_pause


@pytest.mark.parametrize(
    "outcome",
    [
        fetched(redirect_retry_after="18000"),
        not_modified(redirect_retry_after="18000"),
        replace(failed(404), redirect_retry_after="18000"),
    ],
)
def test_rule_7_retry_after_of_a_redirect_on_the_way_is_a_minimum(outcome: Outcome) -> None:
    state = after(source(), outcome, Feed("rss") if isinstance(outcome, Fetched) else None)

    assert wait(state) == 5 * HOUR
    assert state.source.not_before == NOW + 5 * HOUR
    assert state.source.next_poll_reason == "Retry-After"


def test_rule_7_a_failure_by_hand_does_not_cut_short_what_the_server_asked_for() -> None:
    state = after(source(not_before=NOW + DAY), failed(500)).source

    assert state.not_before == NOW + DAY


# --- gone, challenged, moved -----------------------------------------------------------------------------------------


def test_rule_10_gone_is_retired_with_when_and_why() -> None:
    gone = after(source(), failed(410, "gone")).source

    assert (gone.status, gone.next_poll_at, gone.gone_at) == ("gone", None, NOW)
    assert (gone.next_poll_reason, gone.last_error_kind, gone.last_error) == ("gone (410)", "gone", "it failed")
    assert gone.validators == source().validators


def test_rule_10_only_success_brings_a_gone_source_back() -> None:
    gone = after(source(), failed(410, "gone")).source

    still, back = after(gone, failed(503), now=NOW + DAY).source, after(gone, fetched(), Feed("rss")).source

    assert (still.status, still.next_poll_at, still.gone_at) == ("gone", None, NOW)
    assert (back.status, back.gone_at) == ("active", None)
    assert back.next_poll_at


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451, 500, 502, 503])
def test_rule_10_nothing_else_retires_a_source(status: int) -> None:
    long_dead = source(failure_count=1000, failing_since=NOW - 3650 * DAY)

    assert after(long_dead, failed(status)).source.status == "failing"


@pytest.mark.parametrize(
    ("kind", "had_a_feed", "content_type", "body", "expected"),
    [
        ("not-a-feed", True, "text/html; charset=utf-8", b"hello", "challenge"),
        ("not-a-feed", True, "application/xml", b"\n<!DOCTYPE html><p>", "challenge"),
        ("not-a-feed", True, "", b"<HTML>", "challenge"),
        ("not-a-feed", True, "application/xhtml+xml", b"<p/>", "challenge"),
        ("not-a-feed", True, "application/json", b"{}", "not-a-feed"),
        ("not-a-feed", False, "text/html", b"<html>", "not-a-feed"),
        ("parse", True, "text/html", b"<rss><html>", "parse"),
    ],
)
def test_rule_12_html_where_a_feed_was_is_a_challenge(
    kind: FailureKind, had_a_feed: bool, content_type: str, body: bytes, expected: FailureKind
) -> None:
    of = source() if had_a_feed else Source(1, "voa", URL)

    failure = parse_failure(of, fetched({"content-type": content_type}, body=body), kind, "no feed")

    assert (failure.kind, failure.status) == (expected, 200)


def led_to(address: str | None, *hours: float, of: Source | None = None, outcome: Any = fetched) -> Source:
    """The source after polls at these hours, each of which was led to this address for good."""
    state = of or source()
    for hour in hours:
        state = after(state, outcome(permanent_url=address), now=NOW + hour * HOUR, body_hash="1").source
    return state


@pytest.mark.parametrize(
    ("case", "expected", "state"),
    [
        ("3 polls over a day", NEW_URL, led_to(NEW_URL, 0, 12, 24)),
        ("3 polls in less", URL, led_to(NEW_URL, 0, 12, 23.9)),
        ("2 polls over more", URL, led_to(NEW_URL, 0, 48)),
        ("many polls in a day", URL, led_to(NEW_URL, *range(24))),
        ("304s count as well", NEW_URL, led_to(NEW_URL, 0, 12, 24, outcome=not_modified)),
        ("to another address: counted anew", URL, led_to(NEW_URL, 30, of=led_to(NEW_URL + "2", 0, 12))),
        ("not led on: counted anew", URL, led_to(NEW_URL, 30, of=led_to(None, 24, of=led_to(NEW_URL, 0, 12)))),
        ("to itself", URL, led_to(URL, 0, 12, 24)),
    ],
)
def test_rule_9_a_new_address_is_written_down_only_once_it_has_proved_itself(
    case: str, expected: str, state: Source
) -> None:
    assert (state.url, state.configured_url) == (expected, URL), case


def test_rule_9_a_redirect_to_something_that_is_no_feed_changes_nothing() -> None:
    portal = led_to(NEW_URL, 0, 12)

    after_portal = after(portal, failed(200, "not-a-feed"), now=NOW + 13 * HOUR).source

    assert (after_portal.moved_to, after_portal.moved_polls, after_portal.url) == (NEW_URL, 2, URL)
    assert led_to(NEW_URL, 24, of=after_portal).url == NEW_URL


def test_rule_9_after_the_move_nothing_is_left_of_the_counting() -> None:
    moved = led_to(NEW_URL, 0, 12, 24)

    assert (moved.moved_to, moved.moved_since, moved.moved_polls) == (None, None, 0)


# --- the policy itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [fetched(), not_modified(), failed(), failed(410, "gone"), failed(503, retry_after="60")]
)
def test_rule_17_the_next_visit_and_its_reason_are_part_of_the_state(outcome: Outcome) -> None:
    state = after(source(), outcome).source

    assert state.last_polled_at == NOW
    assert state.next_poll_reason
    assert (state.next_poll_at is None) == (state.status == "gone")


@pytest.mark.parametrize("year", [1970, 2050])
@pytest.mark.parametrize("outcome", [fetched(), not_modified(), failed()])
def test_a_clock_that_jumps_neither_floods_nor_stalls(year: int, outcome: Outcome) -> None:
    now = NOW.replace(year=year)
    before = source(failing_since=NOW, not_modified_since=NOW, auto=True, hurried_interval=HOUR, moved_since=NOW)

    state = after(before, outcome, now=now, body_hash="1")

    assert 15 * MINUTE <= wait(state, now) <= 7 * DAY
