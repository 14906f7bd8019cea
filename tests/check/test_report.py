"""`kzfeed sources check`: what one visit shows of a feed, and that it leaves nothing behind."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from kzfeed.check.analysis import CheckSettings, report, suggested
from kzfeed.check.feed_report import FeedReport, FollowedRedirect
from kzfeed.check.report_lines import lines_of
from kzfeed.model.articles import Document
from kzfeed.model.polls import Failed, Fetched, NotModified
from kzfeed.sandbox.document_reader import read_document
from kzfeed.schedule.interval import IntervalBounds
from tests.etiquette.recording_server import RecordingServer, Reply, recording
from tests.fork_server import clean_environment, fork_server

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
URL = "https://feeds.example/rss"
BOUNDS = IntervalBounds(min_interval=timedelta(minutes=15), max_interval=timedelta(hours=24))
LONG = "<p>" + "正文说了很多话。" * 60 + "</p>"


def feed(*items: str, head: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>源</title>'
        f"<link>https://news.example/</link><language>zh-cn</language>{head}{''.join(items)}</channel></rss>"
    ).encode()


def item(number: int, date: str = "", body: str = LONG, link: str | None = None) -> str:
    address = f"https://news.example/{number}" if link is None else link
    return (
        f"<item><title>第{number}篇</title>{f'<link>{address}</link>' if address else ''}<guid>{number}</guid>"
        f"{f'<pubDate>{date}</pubDate>' if date else ''}<description><![CDATA[{body}]]></description></item>"
    )


def reported(body: bytes, *, zone: str = "UTC", **headers: str) -> FeedReport:
    named = {"content-type": "application/rss+xml"} | {name.replace("_", "-"): value for name, value in headers.items()}
    fetched = Fetched(URL, 200, named, body)
    found = read_document(Document(body, named["content-type"], URL, zone, NOW))
    return report(CheckSettings(URL, zone, NOW, BOUNDS), fetched, (), found)


# --- the report ------------------------------------------------------------------------------------------------------


def test_a_good_feed_is_described() -> None:
    dates = [format_datetime(NOW - timedelta(hours=hour)) for hour in range(12)]
    body = feed(*(item(number, date) for number, date in enumerate(dates)), head="<ttl>90</ttl>")

    made = reported(body, etag='W/"1"', last_modified="Mon, 05 Jan 2026 11:00:00 GMT", cache_control="max-age=600")

    assert (made.http_status, made.error, made.etag, made.fresh_seconds) == (200, None, 'W/"1"', 600)
    document = made.document
    assert document
    assert (document.format, document.encoding, document.title, document.language) == ("rss20", "utf-8", "源", "zh-cn")
    assert (document.entries, document.articles, document.flaws) == (12, 12, ())
    assert (document.bytes, document.own_wait_seconds) == (len(body), 5400)
    assert made.window
    assert (made.window.oldest, made.window.newest) == (NOW - timedelta(hours=11), NOW)
    assert made.suggestion
    assert made.suggestion.seconds == 6 * 3600
    assert made.bodies
    assert made.bodies.look == "full"
    assert made.first
    assert (made.first.title, made.first.url) == ("第0篇", "https://news.example/0")
    assert made.first.published_at == NOW


def test_dates_are_counted_and_those_not_understood_are_shown() -> None:
    written = ["Mon, 05 Jan 2026 10:00:00 +0800", "2026-01-05 09:00", "01/02/2026", "46 分钟前", "46 分钟前", ""]
    body = feed(*(item(number, date) for number, date in enumerate(written)))

    dates = reported(body, zone="Asia/Shanghai").dates

    assert dates
    assert (dates.understood, dates.not_understood, dates.missing, dates.without_zone) == (2, 3, 1, 1)
    assert dates.raw_not_understood == ("01/02/2026", "46 分钟前")
    assert dates.example == (written[0], datetime(2026, 1, 5, 2, 0, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Asia/Shanghai", "America/New_York", "Pacific/Auckland"])
def test_a_date_that_names_no_zone_is_told_from_one_that_does_in_every_zone(zone: str) -> None:
    dates = reported(feed(item(1, "2026-01-04 09:00"), item(2, "2026-01-04T09:00:00Z")), zone=zone).dates

    assert dates
    assert (dates.understood, dates.without_zone) == (2, 1)


@pytest.mark.parametrize(
    ("body", "flaw"),
    [
        (feed(), "it has no entries"),
        (feed(item(1), item(2))[:-60], "breaks off"),
        (feed(item(1)).replace("正文".encode(), b"\xff", 1), "bytes that are not utf-8 were replaced"),
    ],
)
def test_flaws_are_named(body: bytes, flaw: str) -> None:
    document = reported(body).document

    assert document
    assert any(flaw in each for each in document.flaws), document.flaws


def test_a_flaw_is_named_once() -> None:
    document = reported(feed(item(1)).replace("正文".encode(), b"\xff", 1)).document

    assert document
    assert len(document.flaws) == 1, document.flaws


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        (feed(item(1, link=""), item(2)), "1 of 2 articles have no address"),
        (
            feed(item(1, link="https://x.example/"), item(2, link="https://x.example/")),
            "2 of 2 articles share their link",
        ),
        (feed(item(1), item(1)), "1 of 2 entries are duplicates"),
    ],
)
def test_remarks_are_no_flaws(body: bytes, remark: str) -> None:
    made = reported(body)

    assert made.document
    assert any(remark in each for each in made.document.remarks), made.document.remarks
    assert made.is_healthy


@pytest.mark.parametrize(
    ("bodies", "look"),
    [
        ([LONG] * 5, "full"),
        (["Twenty words of a summary."] * 5, "summaries"),
        (["<p>" + "word " * 500 + "… <a href='x'>Read more »</a></p>"] * 5, "summaries"),
        (["<p>" + "字" * 300 + "……[阅读全文]</p>"] * 5, "summaries"),
        ([LONG] * 3 + ["短"] * 2, "mixed"),
        ([""] * 3, "none"),
    ],
)
def test_bodies_look_whole_or_like_summaries(bodies: list[str], look: str) -> None:
    made = reported(feed(*(item(number, body=body) for number, body in enumerate(bodies)))).bodies

    assert made
    assert made.look == look


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "asked", "seconds", "reason"),
    [
        # One an hour, 20 in the window: half of it moves on within 10 hours.
        (range(20), timedelta(), 8 * 3600, "within 10 h"),
        # The busiest stretch counts, not the average.
        ([0, 0.5, 1, 1.5, 2, 60, 120, 180], timedelta(), 2 * 3600, "within 2 h"),
        (range(0, 2000, 100), timedelta(), 24 * 3600, "the longest automatic interval"),
        ([number / 60 for number in range(10)], timedelta(), 900, "may be too long"),
        (range(20), 12 * HOUR, 12 * 3600, "asks for it"),
        ([0] * 10, timedelta(), None, "they are all the same"),
        ([0, 1, 2], timedelta(), None, "too few (3)"),
        ([], timedelta(), None, "too few (0)"),
    ],
)
def test_the_suggested_interval_leaves_half_of_the_window_at_its_busiest(
    hours: list[float], asked: timedelta, seconds: int | None, reason: str
) -> None:
    found = suggested(sorted(NOW - HOUR * hour for hour in hours), asked, BOUNDS)

    assert found.seconds == seconds
    assert reason in found.reason


def test_a_visit_that_failed_says_how() -> None:
    failed = Failed(
        "http-status", "https://feeds.example/rss: the server answered 403", 403, {"content-type": "text/html"}
    )
    hops = [FollowedRedirect(302, "https://me:secret@feeds.example/login")]

    made = report(CheckSettings("https://me:secret@feeds.example/rss", "UTC", NOW), failed, hops, None)

    assert (made.error_kind, made.http_status, made.document) == ("http-status", 403, None)
    assert made.url == "https://***@feeds.example/rss"
    assert made.final_url == made.redirects[0].url == "https://***@feeds.example/login"


def test_a_304_to_a_check_brings_no_document() -> None:
    made = report(CheckSettings(URL, "UTC", NOW), NotModified(URL, {}), (), None)

    assert (made.http_status, made.document) == (304, None)


def test_the_lines_hold_what_the_report_holds_and_nothing_that_moves_a_cursor() -> None:
    body = feed(item(1, "Mon, 05 Jan 2026 10:00:00 GMT"), item(2, "46 分钟前"), head="<ttl>60</ttl>")
    made = reported(body.replace("第1篇".encode(), "一\u202e二".encode()), etag='"\x1b[2J"')
    made = replace(made, redirects=(FollowedRedirect(301, f"{URL}/new"),), moved_to=f"{URL}/new")

    lines = lines_of(made)

    text = "\n".join(lines)
    for words in (
        URL,
        "301 to",
        "all redirects are permanent",
        "200",
        "ETag",
        "rss20",
        "utf-8",
        "1 understood, 1 not understood",
        "46 分钟前",
    ):
        assert words in text
    assert "1 h between two polls" in text
    assert not set(text) & {"\x1b", "\u202e"}
    assert all(line and len(line) <= 1000 for line in lines)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording() as recorder:
        yield recorder


def check(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return fork_server().run(["sources", "check", *arguments], folder, clean_environment())


@pytest.mark.slow
def test_one_polite_visit_and_nothing_stored(tmp_path: Path, server: RecordingServer) -> None:
    (tmp_path / "kzfeed.toml").write_text('[http]\ncontact = "mailto:me@archive.example"\nhost_gap = "300ms"\n')
    old = server.page("/old", Reply(301, [("Location", "/new")]))
    new = server.page(
        "/new", Reply(200, [("ETag", '"1"'), ("Content-Type", "text/xml")], feed(item(1, "2026-01-05 09:00")))
    )

    done = check(tmp_path, old.url, "--timezone", "Asia/Shanghai", "--json")

    made: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (made["final_url"], made["moved_to"], made["redirects"]) == (
        new.url,
        new.url,
        [{"status": 301, "url": new.url}],
    )
    assert made["first"]["published_at"] == "2026-01-05T01:00:00.000Z"
    assert made["dates"]["without_zone"] == 1
    assert [len(old.seen), len(new.seen)] == [1, 1]
    assert (new.seen[0].header("user-agent") or b"").endswith(b"(+mailto:me@archive.example)")
    assert min(server.pauses("127.0.0.1")) >= 0.3
    assert [path.name for path in tmp_path.iterdir()] == ["kzfeed.toml"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(503, [("Retry-After", "60")]), "http-status"), (Reply(200, body=b"<html>no feed</html>"), "not-a-feed")],
)
def test_a_feed_that_cannot_be_read_exits_with_1_and_says_why(
    tmp_path: Path, server: RecordingServer, reply: Reply, kind: str
) -> None:
    page = server.page("/feed", reply)

    done = check(tmp_path, page.url)

    assert done.returncode == 1
    assert f"failed       {kind}: " in done.stdout
    assert len(page.seen) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_configured_source_is_checked_with_its_filters_and_its_time_zone(
    tmp_path: Path, server: RecordingServer
) -> None:
    page = server.page("/feed", Reply(200, body=feed(item(1, "2026-01-05 09:00"), item(2), item(3))))
    (tmp_path / "kzfeed.toml").write_text(
        f'[[sources]]\nname = "voa"\nurl = "{page.url}"\ntimezone = "Asia/Shanghai"\n'
        'exclude = [{ title = "第[23]" }]\n'
    )

    done = check(tmp_path, page.url)

    assert done.returncode == 0
    assert "filters      those of the source voa leave out 2 of 3 articles" in done.stdout
    assert "read in Asia/Shanghai" in done.stdout


def test_a_flaw_of_the_feed_exits_with_1(tmp_path: Path, server: RecordingServer) -> None:
    whole = server.page("/whole", Reply(200, body=feed(item(1), item(2))))
    cut_off = server.page("/cut-off", Reply(200, body=feed(item(1), item(2))[:-60]))

    healthy, flawed = check(tmp_path, whole.url), check(tmp_path, cut_off.url)

    assert (healthy.returncode, flawed.returncode) == (0, 1)
    assert "flaw         " in flawed.stdout
    assert "flaw         " not in healthy.stdout


PAGE = """<!doctype html><html><head><title>News</title><base href="/sub/">
<link rel="alternate" type="application/rss+xml" title="All\x9b2J news" href="all.xml">
<link rel="ALTERNATE nofollow" type="application/atom+xml" href="https://me:secret@other.example/atom">
<link rel="alternate" hreflang="de" href="/de/">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
</head><body><a href="all.xml">again</a> <a href="/rss/sport">Sport</a> <a href="/feedback">Feedback</a></body></html>
"""


@pytest.mark.slow
def test_the_feeds_that_a_web_page_names_are_listed(tmp_path: Path, server: RecordingServer) -> None:
    page = server.page("/", Reply(200, [("Content-Type", "text/html; charset=utf-8")], PAGE.encode()))
    origin = page.url.rstrip("/")

    done, as_json = check(tmp_path, page.url), check(tmp_path, page.url, "--json")

    assert (done.returncode, as_json.returncode) == (1, 1)
    listed = done.stdout.partition("this page is not a feed; it names these feeds:\n")[2].splitlines()
    assert [line.split() for line in listed] == [
        [f"{origin}/sub/all.xml", "All\\x9b2J", "news"],
        ["https://***@other.example/atom"],
        ["it", "also", "has", "links", "that", "may", "be", "feeds:"],
        [f"{origin}/rss/sport", "Sport"],
    ]
    named = json.loads(as_json.stdout)["feeds"]["named"]
    assert named[0] == {"url": f"{origin}/sub/all.xml", "title": "All\x9b2J news"}
    assert "secret" not in done.stdout + as_json.stdout
    assert len(page.seen) == 2, "a check visits the page and none of its feeds"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["feeds.example/rss"], "an http or https URL"),
        (["ftp://me:secret@feeds.example/rss"], "an http or https URL"),
        (["http://127.0.0.1:9/", "--timezone", "Asia/Peking"], "an IANA time zone"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = check(tmp_path, *arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "secret" not in done.stderr
