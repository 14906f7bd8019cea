"""Benchmark of many sources: time of the query for due sources, and memory and CPU time of a daemon."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import sqlalchemy as sa

from benchmarks import feeds
from benchmarks.feed_server import installed_nginx, serving
from benchmarks.kzfeed import Kzfeed
from benchmarks.measure import PAGE_KIB, Broken
from benchmarks.scale.archives import settle
from benchmarks.scale.cost import Clock, Cost
from kzfeed.model.polls import Source, SourceConfig
from kzfeed.store import schema, sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims
from kzfeed.store.queue.leases import NewClaim
from tests.databases import postgresql_server

DUE = 100
"""Sources due at once, as many as the daemon polls at once."""
SAMPLES = 51
FEW_SAMPLES = 7
OWNER = "tests"
LEASE = timedelta(seconds=55)
WAVES = 10
IDLE_S = 10
PATIENCE_S = 120

_source = tables.sources.c


def rows(engines: Sequence[str], numbers: Sequence[int] = (10_000, 100_000)) -> Iterator[str]:
    """The lines of two tables: the query for due sources, and a daemon."""
    yield "| engine | sources | due | samples | claim_due: wall ms | CPU ms |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for engine in engines:
        for number in numbers:
            with database_of(engine) as database:
                yield from tick_rows(engine, database, number)
    yield ""
    yield (
        "| engine | sources | s until it runs | MiB at rest | MiB, 100 due at a time | MiB at most | "
        "CPU ms a second at rest | polls a second |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for engine in engines:
        for number in numbers:
            with database_of(engine) as database:
                yield daemon_row(engine, database, number)


@contextmanager
def database_of(engine: str) -> Iterator[Database]:
    """An empty database with our schema, for the length of the block."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory(prefix="scale-") as folder:
            yield from _made(f"sqlite:///{folder}/kzfeed.db")
    else:
        with postgresql_server() as server:
            yield from _made(server.url)


def _made(url: str) -> Iterator[Database]:
    database = Database(url)
    schema.upgrade(database)
    yield database
    database.close()


# --- the query for due sources ---------------------------------------------------------------------------------------


def tick_rows(engine: str, database: Database, number: int) -> Iterator[str]:
    """One line each for no source due, DUE sources due, and all due."""
    configure(database, [f"http://{place}.example.org/feed" for place in range(number)])
    settle(database)
    clock = Clock(database)
    for due, samples in ((0, SAMPLES), (DUE, SAMPLES), (number, FEW_SAMPLES)):
        costs = [_tick(database, clock, Random(sample).sample(range(number), due)) for sample in range(samples)]
        figures = [median(each.wall for each in costs), median(each.cpu for each in costs)]
        cells = [engine, f"{number:,}", f"{due:,}", str(samples), *(f"{each:.2f}" for each in figures)]
        yield f"| {' | '.join(cells)} |"


def _tick(database: Database, clock: Clock, due: Sequence[int]) -> Cost:
    now = datetime.now(UTC)
    put_due(database, due, now)
    claimed: list[Source] = []

    def work() -> None:
        claimed.extend(claims.claim_due(database, NewClaim(OWNER, now, LEASE), limit=DUE))

    cost = clock.cost_of(work)
    if len(claimed) != min(len(due), DUE):
        raise Broken(f"of {len(due)} due sources {len(claimed)} were claimed")
    claims.release(database, OWNER)
    put_due(database, (), now)
    return cost


def configure(database: Database, urls: Sequence[str]) -> None:
    """Configure sources that were polled just now and are due tomorrow."""
    sources.configure(
        database, [SourceConfig(f"s{place}", url) for place, url in enumerate(urls)], now := datetime.now(UTC)
    )
    with database.write() as connection:
        visited = dict.fromkeys(("last_polled_at", "last_success_at", "last_document_at", "window_at"), now)
        connection.execute(sa.update(tables.sources).values(**visited))
    put_due(database, (), now)


def put_due(database: Database, places: Sequence[int], now: datetime) -> None:
    """Make these sources due. With no places, make all due sources due tomorrow."""
    one = sa.update(tables.sources).where(_source.name == sa.bindparam("the_name")).values(next_poll_at=now)
    with database.write() as connection:
        if places:
            connection.execute(one, [{"the_name": f"s{place}"} for place in places])
        else:
            tomorrow = now + timedelta(days=1)
            connection.execute(
                sa.update(tables.sources).where(_source.next_poll_at <= now).values(next_poll_at=tomorrow)
            )


# --- the daemon ------------------------------------------------------------------------------------------------------


def daemon_row(engine: str, database: Database, number: int) -> str:
    """One line for a daemon at rest, and then with DUE feeds of 375 KB due at a time."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        feeds.write(folder / "feeds", large=DUE, tiny=0)
        with serving(folder / "feeds", installed_nginx()) as server:
            urls = [
                f"http://{host_of(place)}:{server.port}/{feeds.path_of('large', place % DUE)}"
                for place in range(number)
            ]
            configure(database, urls)
            settle(database)
            url = database.engine.url.set(drivername=database.dialect).render_as_string(hide_password=False)
            Kzfeed().configure(folder, urls, url)
            with (folder / "kzfeed.toml").open("a") as file:
                file.write("[log]\nformat = 'json'\n")
            with running(folder) as (process, seconds):
                figures = _observe(database, process, number)
    return f"| {' | '.join([engine, f'{number:,}', f'{seconds:.1f}', *figures])} |"


def host_of(place: int) -> str:
    """The loopback address of a source, different for each."""
    return f"127.{1 + place // 40_000}.{1 + place // 200 % 200}.{1 + place % 200}"


@contextmanager
def running(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", float]]:
    """A running daemon, and the seconds that it took to start."""
    log = folder / "run.log"
    began = time.monotonic()
    with log.open("wb") as output:
        command = Kzfeed().command(folder, "run")
        process = subprocess.Popen(
            [*command.arguments], cwd=folder, env={"PATH": "", **command.variables}, stdout=output, stderr=output
        )
    try:
        _until(lambda: b'"running"' in log.read_bytes() or process.poll() is not None, "the daemon does not start")
        if process.poll() is not None:
            raise Broken(f"the daemon ended: {log.read_text(errors='replace')[-2000:]}")
        yield process, time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _observe(database: Database, process: "subprocess.Popen[bytes]", number: int) -> list[str]:
    time.sleep(2)
    used = cpu_seconds(process.pid)
    time.sleep(IDLE_S)
    at_rest, idle = memory(process.pid, "VmRSS"), (cpu_seconds(process.pid) - used) / IDLE_S
    most, wall = 0.0, 0.0
    for wave in range(WAVES):
        now = datetime.now(UTC)
        put_due(database, [(wave * DUE + place) % number for place in range(DUE)], now)
        began = time.monotonic()

        def is_done(expected: int = (wave + 1) * DUE) -> bool:
            nonlocal most
            most = max(most, memory(process.pid, "VmRSS"))
            return _polls(database) >= expected

        _until(is_done, "the daemon does not poll")
        wall += time.monotonic() - began
    figures = [at_rest, most, memory(process.pid, "VmHWM")]
    return [*(f"{each:.0f}" for each in figures), f"{idle * 1000:.1f}", f"{WAVES * DUE / wall:.0f}"]


def _polls(database: Database) -> int:
    with database.read() as connection:
        counted: Any = connection.execute(sa.select(sa.func.count()).select_from(tables.polls)).scalar_one()
        return int(counted)


def memory(process: int, what: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / PAGE_KIB


def cpu_seconds(process: int) -> float:
    """CPU time of all threads of the process."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _until(is_so: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > until:
            raise Broken(otherwise)
        time.sleep(0.05)
