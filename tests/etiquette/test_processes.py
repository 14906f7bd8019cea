"""Rules 1, 7, 8, 10 and 13 from one process to the next, which share only the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed import __version__
from kzfeed.store.tables import articles, media, revisions, sightings
from tests.etiquette.documents import rss
from tests.etiquette.program import Program
from tests.etiquette.recording_server import RecordedRequest, RecordingServer, Reply, recording

HOSTS = tuple(f"127.0.0.{number}" for number in range(1, 9))
ETAG = 'W/"é-gzip"'


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording(HOSTS) as recorder:
        yield recorder


def known(seen: RecordedRequest) -> Reply:
    if seen.conditions == (ETAG.encode("latin-1"), None):
        return Reply(304)
    return Reply(200, [("ETag", ETAG)], rss([1, 2, 3], site=f"{seen.host}.example"))


def all_but_last_seen_at(table: sa.Table) -> str:
    return f"SELECT {', '.join(each.name for each in table.c if each.name != 'last_seen_at')} FROM {table.name}"


@pytest.mark.slow
def test_two_runs_cost_a_304_server_one_conditional_request_each_and_move_only_when_articles_were_last_seen(
    program: Program, server: RecordingServer
) -> None:
    pages = {f"s{number}": server.page("/feed", known, host=host) for number, host in enumerate(HOSTS)}
    program.configure({name: page.url for name, page in pages.items()})
    first = program.poll()
    queries = [all_but_last_seen_at(table) for table in (articles, sightings, revisions, media)]
    before = [program.query(query) for query in queries]
    seen_before = program.query("SELECT max(last_seen_at) FROM sightings")

    runs = [program.poll(), program.poll()]

    assert {report["outcome"] for report in first.values()} == {"new"}
    assert {report["outcome"] for run in runs for report in run.values()} == {"not-modified"}
    for page in pages.values():
        conditions = (ETAG.encode("latin-1"), None)
        assert [seen.conditions for seen in page.seen] == [(None, None), conditions, conditions]
    assert server.connections == 3 * len(HOSTS)
    assert [program.query(query) for query in queries] == before
    assert [*program.query("SELECT min(last_seen_at) FROM sightings")] > [*seen_before]
    assert len(before[0]) == 3 * len(HOSTS)


def test_13_the_user_agent_names_the_version_and_the_contact(program: Program, server: RecordingServer) -> None:
    page = server.page("/feed", known)
    agents = []
    for contact in ("https://archive.example/about", ""):
        program.configure({"s": page.url}, http=f'host_gap = "0s"\ncontact = "{contact}"')
        program.poll()
        agents.append((page.seen[-1].header("user-agent") or b"").decode())

    assert agents == [
        f"kzfeed/{__version__} (+https://archive.example/about)",
        f"kzfeed/{__version__}",
    ]


def test_7_8_10_a_poll_by_hand_respects_what_servers_asked_for_and_force_does_not(
    program: Program, server: RecordingServer
) -> None:
    busy = server.page("/busy", Reply(429, [("Retry-After", "3600")]), host="127.0.0.1")
    beside = server.page("/beside", known, host="127.0.0.1")
    gone = server.page("/gone", Reply(410), host="127.0.0.2")
    sulking = server.page("/door", Reply(302, [("Location", "/f"), ("Retry-After", "3600")]), host="127.0.0.3")
    server.page("/f", known, host="127.0.0.3")
    well = server.page("/feed", known, host="127.0.0.4")
    pages = {"busy": busy, "beside": beside, "gone": gone, "sulking": sulking, "well": well}
    program.configure({name: page.url for name, page in pages.items()})
    program.poll("busy", "gone", "sulking", "well")
    counts = {name: len(page.seen) for name, page in pages.items()}

    again = program.poll()

    assert {name: report["outcome"] for name, report in again.items()} == {
        "busy": "skipped",
        "beside": "skipped",
        "gone": "skipped",
        "sulking": "skipped",
        "well": "not-modified",
    }
    assert {name: len(page.seen) - counts[name] for name, page in pages.items()} == {
        "busy": 0,
        "beside": 0,
        "gone": 0,
        "sulking": 0,
        "well": 1,
    }
    forced = program.poll("--force")
    assert "skipped" not in {report["outcome"] for report in forced.values()}
    assert {name: len(page.seen) for name, page in pages.items()} == {
        "busy": 2,
        "beside": 1,
        "gone": 2,
        "sulking": 2,
        "well": 3,
    }


def test_8_a_refusal_stops_the_rest_of_a_poll_by_hand_at_that_host(program: Program, server: RecordingServer) -> None:
    pages = [
        server.page(f"/{number}", Reply(429, [("Retry-After", "600")], delay=0.1), host="127.0.0.1")
        for number in range(7)
    ]
    others = [server.page("/feed", known, host=host) for host in HOSTS[1:]]
    program.configure({f"s{number}": page.url for number, page in enumerate([*pages, *others])})

    reports = program.poll()

    assert len(server.at("127.0.0.1")) == 1
    assert sorted(reports[f"s{number}"]["outcome"] for number in range(7)) == ["failed", *["skipped"] * 6]
    assert [len(page.seen) for page in others] == [1] * len(others)
