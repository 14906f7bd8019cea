"""Rules 16 and 17 with large numbers: one daemon polls a thousand hosts, and twenty daemons follow on one archive.

Both run side by side, since both mostly wait.
"""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.etiquette.documents import rss
from tests.etiquette.program import Program, within
from tests.etiquette.recording_server import RecordedRequest, Reply, recording

HOSTS = tuple(f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000))
SLOW = "127.2.0.1"
WIDE = "127.2.0.2"
INTERVAL = timedelta(seconds=60)
"""Of the thousand hosts. The others have a third of it."""
GAP = 0.5


@dataclass
class Restarts:
    """Requests and polls of twenty daemons that ran one after the other on one archive."""

    asked_at_first: int
    asked: dict[str, int]
    polls: list[tuple[Any, ...]]
    killed: int


def restart_20_times(folder: Path) -> Restarts:
    """With sources that work, are refused, fail, are retired, redirect, or wait for the pause of their host."""
    program = Program(folder)
    with recording([f"127.3.0.{number}" for number in range(1, 9)]) as server:
        pages = {
            "well": server.page("/feed", known, host="127.3.0.1"),
            "refused": server.page("/feed", Reply(503, [("Retry-After", "3600")]), host="127.3.0.2"),
            "beside": server.page("/beside", known, host="127.3.0.2"),
            "missing": server.page("/feed", Reply(404), host="127.3.0.3"),
            "gone": server.page("/feed", Reply(410), host="127.3.0.4"),
            "moving": server.page("/door", Reply(301, [("Location", "/feed")]), host="127.3.0.5"),
            "broken": server.page("/feed", Reply(200, body=b"<html>"), host="127.3.0.6"),
            "unsure": server.page("/feed", Reply(200, body=rss()), host="127.3.0.7"),
            "silent": server.page("/feed", Reply(200, body=b"", declared=5), host="127.3.0.8"),
        }
        server.page("/feed", known, host="127.3.0.5")
        program.configure({name: page.url for name, page in pages.items()})
        with program.daemon(signal.SIGKILL) as daemon:
            daemon.until("poll", times=len(pages) - 1)
            time.sleep(0.5)
        asked_at_first = len(server.seen)
        for number in range(19):
            with program.daemon(signal.SIGKILL if number % 2 else signal.SIGTERM) as daemon:
                daemon.until("running")
                # Time for the first query for due sources, and in the last run for further ones.
                time.sleep(2.5 if number == 18 else 0.15)
        return Restarts(
            asked_at_first=asked_at_first,
            asked={name: len(page.seen) for name, page in pages.items()} | {"all": len(server.seen)},
            polls=list(program.query("SELECT count(*) FROM polls")),
            killed=program.killed,
        )


def known(seen: RecordedRequest) -> Reply:
    return Reply(304) if seen.conditions[0] else Reply(200, [("ETag", '"1"')], rss())


@pytest.fixture(scope="module", autouse=True)
def restarts(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Future[Restarts]"]:
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(restart_20_times, tmp_path_factory.mktemp("restarts"))


@pytest.mark.slow
def test_16_a_thousand_hosts_spread_over_the_interval_and_wait_for_no_slow_one(tmp_path: Path) -> None:
    program = Program(tmp_path)
    with recording([*HOSTS, SLOW, WIDE]) as server:
        pages = {
            f"s{number}": server.page("/feed", Reply(200, body=rss()), host=host) for number, host in enumerate(HOSTS)
        }
        slow = [server.page(f"/{number}", Reply(200, body=rss(), delay=4), host=SLOW) for number in range(7)]
        many = "".join(
            f'[[sources]]\nname = "{name}"\nurl = "{page.url}"\nevery = "{INTERVAL.seconds}s"\n'
            for name, page in pages.items()
        )
        addresses = {f"slow{number}": page.url for number, page in enumerate(slow)}
        wide = [server.page(f"/{number}", Reply(200, body=rss(), delay=6), host=WIDE) for number in range(9)]
        addresses |= {f"wide{number}": page.url for number, page in enumerate(wide)}
        program.configure(
            addresses,
            http=f'host_gap = "{round(GAP * 1000)}ms"\nmin_interval = "0s"',
            more=f'[defaults]\nevery = "{INTERVAL.seconds // 3}s"\n[hosts."{WIDE}"]\nconnections = 3\n{many}',
        )
        with program.daemon() as daemon:
            daemon.until("running")
            rows = program.query("SELECT name, next_poll_at FROM sources WHERE last_polled_at IS NULL")
            planned = {name: moment(at) for name, at in rows if name in pages}
            within(120, lambda: len(server.at(SLOW)) >= 4 and server.at_once(WIDE) >= 3)
            within(120, lambda: sum(each.answered is not None for each in server.exchanges if each.host == WIDE) >= 4)
            end = datetime.now(UTC)
        begun_at_wide = (
            "SELECT polls.started_at FROM polls JOIN sources ON sources.id = source_id WHERE name LIKE 'wide%'"
        )
        starts = sorted(moment(at) for (at,) in program.query(begun_at_wide))
    came = {name: page.times[0] for name, page in pages.items() if page.seen}

    # Planned over the whole interval, with no twentieth of it that gets twice its share.
    assert len(planned) > 0.9 * len(HOSTS)
    begun = min(planned.values())
    shares = Counter((when - begun) // (INTERVAL / 20) for when in planned.values())
    assert max(shares.values()) < 2 * len(HOSTS) / 20
    assert set(range(16)) <= set(shares)
    # No source is polled early, and none waits for the slow host, which takes 31 s for its seven sources.
    late = [(came.get(name, end) - when).total_seconds() for name, when in planned.items() if when < end]
    assert min(came[name] - planned[name] for name in planned if name in came) >= timedelta()
    assert len(late) > 100
    assert max(late) < 10
    # The slow host gets one request at a time.
    assert server.at_once(SLOW) == 1
    assert min(server.pauses(SLOW)) >= GAP
    # The host with `connections = 3` gets three, by the daemon's own times: the server may notice them later.
    assert server.at_once(WIDE) == 3
    assert min(after - before for before, after in pairwise(starts)) >= timedelta(seconds=0.9 * GAP)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.slow
def test_17_20_restarts_cause_no_extra_request(restarts: "Future[Restarts]") -> None:
    made = restarts.result(500)

    names = ("well", "refused", "missing", "gone", "moving", "broken", "unsure", "silent")
    # The redirect is one more, and the one beside the refused one waits.
    assert made.asked == dict.fromkeys(names, 1) | {"beside": 0, "all": len(names) + 1}
    assert made.asked_at_first == len(names) + 1
    assert made.polls == [(len(names),)]
    assert made.killed == 10
