"""Why the next poll is when it is: in sentences, and as `kzfeed explain` prints them."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kzfeed.cli.explain import explain_source
from kzfeed.errors import UsageError
from kzfeed.instants import length, moment
from kzfeed.model.polls import Poll, Source, SourceConfig, Validators
from kzfeed.schedule.explain import explain, poll_line
from kzfeed.store import sources
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server
from tests.store.commits import commit_poll

NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
URL = "https://e.example/rss"
WELL: dict[str, Any] = {
    "configured_url": URL,
    "next_poll_at": NOW + HOUR / 2,
    "next_poll_reason": "its interval",
    "last_polled_at": NOW - HOUR / 2,
    "last_success_at": NOW - HOUR / 2,
    "validators": Validators(URL, '"1"'),
}


def told(paused_until: datetime | None = None, **state: Any) -> list[str]:
    return list(map(str, explain(Source(1, "voa", **({"url": URL} | WELL | state)), paused_until, NOW)))


def test_a_source_that_is_well_says_when_why_and_how_often() -> None:
    assert told() == [
        "The next poll is at 2022-01-11 18:30:00 UTC, in 30 min: its interval.",
        "It last succeeded at 2022-01-11 17:30:00 UTC.",
        "It is to be polled every 1 h.",
    ]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"next_poll_at": NOW}, "The next poll is due since 2022-01-11 18:00:00 UTC, as soon as its host's turn comes"),
        ({"next_poll_at": None}, "No poll is planned."),
        ({"status": "removed"}, "It is not in the configuration any more and is not polled; its articles are kept."),
        (
            {"status": "gone", "gone_at": NOW - DAY},
            "Its server said at 2022-01-10 18:00:00 UTC that it is gone for good",
        ),
        ({"next_poll_reason": "max-age of the answer"}, "in 30 min: max-age of the answer."),
        ({"not_before": NOW + DAY}, "The next poll is at 2022-01-12 18:00:00 UTC, in 1 d: Retry-After."),
        ({"not_before": NOW + DAY}, "Its server asked to be left alone until 2022-01-12 18:00:00 UTC (Retry-After)."),
        ({"paused_until": NOW + DAY}, "in 1 d: its whole host asked to be left alone."),
        (
            {"paused_until": NOW + DAY},
            "Its host asked to be left alone until 2022-01-12 18:00:00 UTC, all of its feeds",
        ),
        (
            {"failure_count": 1, "failing_since": NOW, "last_error_kind": "dns", "last_error": "no"},
            "It has failed once since 2022-01-11",
        ),
        (
            {
                "failure_count": 3,
                "failing_since": NOW - DAY,
                "last_error_kind": "http-status",
                "last_error": "https://a:b@h/: https://c:d@i/: 503",
            },
            "It has failed 3 times in a row since 2022-01-10 18:00:00 UTC, the last time with http-status: "
            "https://***@i/: 503.",
        ),
        ({"last_success_at": None}, "It has never succeeded."),
        ({"cron": "7 * * * *", "timezone": "Asia/Shanghai"}, "Its cron expression is 7 * * * * (Asia/Shanghai)."),
        ({"auto": True, "auto_interval": HOUR * 2.5}, "Its interval adapts to the feed (auto): at present 2 h 30 min."),
        ({"hurried_interval": HOUR / 4}, "For now it is polled every 15 min, until half of its window stays in place"),
        ({"own_wait": HOUR * 3}, "The feed asks for 3 h between two polls (ttl or sy:updatePeriod)."),
        ({"skip_hours": frozenset({23, 0})}, "not to be polled in these hours, in GMT: 0, 23 (skipHours)."),
        ({"skip_days": frozenset({5, 6})}, "The feed asks not to be polled on Saturday, Sunday (skipDays)."),
        (
            {"not_modified_since": NOW - DAY},
            "Its server has answered 304 and nothing else since 2022-01-10 18:00:00 UTC.",
        ),
        ({"not_modified_since": NOW, "ask_in_full": True}, "UTC: the next request is for the whole document."),
        (
            {"ask_in_full": True},
            "The last answer was doubtful, or its filters are new: the next request is for the whole document.",
        ),
        (
            {"validators": None},
            "Its server gives no validators: while the document stays the same, polls become rarer.",
        ),
        (
            {"url": "https://new.example/"},
            "Its server has moved it for good from https://e.example/rss to https://new.example/.",
        ),
        (
            {"moved_to": "https://u:p@new.example/\x1b[2J", "moved_polls": 2, "moved_since": NOW},
            r"Permanent redirects lead to https://***@new.example/\x1b[2J, on 2 polls since 2022-01-11 18:00:00 UTC: "
            "after 3 polls over 1 d that becomes its address.",
        ),
    ],
)
def test_what_bears_on_the_next_poll_is_said(state: dict[str, Any], sentence: str) -> None:
    found = told(state.pop("paused_until", None), **state)

    assert any(sentence in each for each in found), found


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(hours=2, seconds=5), "2 h"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_lengths_of_time_in_words(time: timedelta, words: str) -> None:
    assert length(time) == words


# --- the command -----------------------------------------------------------------------------------------------------

Explain = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kzfeed_explain(tmp_path: Path, database: Database, database_url: str) -> Explain:
    """Runs `kzfeed explain` on a database in which `voa` was polled twelve times and `new` never."""
    sources.configure(database, [SourceConfig("voa", URL), SourceConfig("new", URL + "2")], NOW)
    voa = sources.load(database, ["voa"])[0]
    for number in range(11):
        record = Poll(voa.id, NOW + number * HOUR, timedelta(milliseconds=42), "not-modified", 304)
        commit_poll(database, voa, record)
    failure = Poll(voa.id, NOW + 11 * HOUR, timedelta(), "failed", 503, error_kind="http-status", error="it is down")
    commit_poll(database, voa, failure)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = clean_environment(KZFEED_DATABASE_URL=database_url)
        return fork_server().run(["explain", *arguments], tmp_path, environment)

    return run


def test_the_command_says_why_and_what_the_last_ten_polls_did(kzfeed_explain: Explain) -> None:
    done = kzfeed_explain("voa")

    why, polls = done.stdout.split("\n\nThe last polls:\n")
    assert done.returncode == 0
    assert why.startswith(f"voa: {URL}\nThe next poll is due since 2022-01-11 18:00:00 UTC")
    assert polls.splitlines()[:2] == [
        "2022-01-12 05:00:00 UTC  failed 503 http-status: it is down",
        "2022-01-12 04:00:00 UTC  not-modified 304 (42 ms)",
    ]
    assert len(polls.splitlines()) == 10


def test_the_command_gives_the_same_as_json(kzfeed_explain: Explain) -> None:
    told = json.loads(kzfeed_explain("voa", "--json").stdout)

    assert (told["name"], told["next_poll_at"]) == ("voa", "2022-01-11T18:00:00.000Z")
    assert len(told["why"]) >= 2
    assert [poll["outcome"] for poll in told["polls"]] == ["failed"] + ["not-modified"] * 9
    assert told["polls"][1]["started_at"] == "2022-01-12T04:00:00.000Z"


def test_a_poll_of_one_entry_is_told_in_the_singular(database: Database) -> None:
    sources.configure(database, [SourceConfig("voa", URL)], NOW)
    voa = sources.load(database, ["voa"])[0]
    commit_poll(database, voa, Poll(voa.id, NOW, timedelta(milliseconds=42), "unchanged", 200, entries=1))

    told = explain_source(database, "voa", NOW)

    assert told.poll_lines == ["2022-01-11 18:00:00 UTC  unchanged 200, 1 entry, 0 new, 0 revised (42 ms)"]
    assert moment(NOW.replace(year=1)) == "0001-01-11 18:00:00 UTC"


def test_a_configured_source_that_the_database_lacks_is_to_be_polled_first(database: Database) -> None:
    with pytest.raises(UsageError, match="the source 'voa' has not been polled yet: run `kzfeed poll voa`"):
        explain_source(database, "voa", NOW, ["voa"])
    with pytest.raises(UsageError, match="the nearest is voa"):
        explain_source(database, "vao", NOW, ["voa"])


def test_a_source_that_was_never_polled_has_no_polls_to_tell_of(kzfeed_explain: Explain) -> None:
    done = kzfeed_explain("new")

    assert "never polled before" in done.stdout
    assert "last polls" not in done.stdout


def test_a_name_that_is_not_there_is_a_mistake_of_usage(kzfeed_explain: Explain) -> None:
    done = kzfeed_explain("vao")

    assert done.returncode == 2
    assert done.stderr == "kzfeed: no source 'vao' has an address in this database: the nearest is voa\n"


def test_a_poll_that_brought_something_says_what() -> None:
    poll = {"started_at": NOW, "outcome": "new", "http_status": 200, "entries": 20, "new_articles": 3}
    poll |= {"flaw": None, "filtered": 0, "revised_articles": 1, "duration_ms": 250}

    line, filtered = poll_line(poll), poll_line(poll | {"filtered": 2})
    flawed = poll_line(poll | {"flaw": "the document breaks off"})

    assert filtered.endswith(", 1 revised, 2 filtered out (250 ms)")
    assert flawed.endswith("1 revised, flaw: the document breaks off (250 ms)")
    assert line == "2022-01-11 18:00:00 UTC  new 200, 20 entries, 3 new, 1 revised (250 ms)"
