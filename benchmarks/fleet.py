"""CPU time of an unchanged poll by daemons that share the database alone, and by members of a fleet, in turn.

`python -m benchmarks.fleet` prints a line for each number of daemons: milliseconds of the daemons, of PostgreSQL and of
NATS, and polls a second.
"""

import argparse
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks import feeds
from benchmarks.feed_server import installed_nginx, serving
from benchmarks.kzfeed import Kzfeed
from benchmarks.measure import Broken
from kzfeed.clock import utc_now
from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from tests.databases import Databases, PostgreSQLServer, postgresql_server
from tests.fleet.brokers import Brokers, brokers

PATIENCE_S = 300


@dataclass(frozen=True)
class Round:
    """One poll of each source: seconds in all, and CPU seconds of each kind of process."""

    wall: float
    daemons: float
    postgresql: float
    nats: float


@dataclass(frozen=True)
class Setting:
    """What is measured: the feeds' addresses, the servers, and how often."""

    urls: list[str]
    postgresql: PostgreSQLServer
    nats: Brokers
    rounds: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--sources", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3, help="polls of each source in each setting")
    parser.add_argument("--daemons", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--brokers", type=int, default=1, help="servers of NATS")
    options = parser.parse_args()
    for line in rows(options.sources, options.rounds, options.daemons, options.brokers):
        print(line, flush=True)  # noqa: T201 - its output


def rows(sources: int, rounds: int, daemons: Iterable[int], servers: int = 1) -> Iterator[str]:
    """The lines of a table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        feeds.write(folder / "feeds", large=0, tiny=sources)
        web = stack.enter_context(serving(folder / "feeds", installed_nginx()))
        urls = [
            f"http://127.{1 + place // 40_000}.{1 + place // 200 % 200}.{1 + place % 200}:{web.port}/"
            f"{feeds.path_of('tiny', place)}"
            for place in range(sources)
        ]
        postgresql = stack.enter_context(postgresql_server())
        setting = Setting(urls, postgresql, stack.enter_context(brokers(folder, servers)), rounds)
        yield "| daemons | sources shared by | CPU ms a poll: daemons | PostgreSQL | NATS | all | polls a second |"
        yield "| ---: | --- | ---: | ---: | ---: | ---: | ---: |"
        for number in daemons:
            for fleet in (False, True):
                yield _row(folder / f"{number}-{fleet}", setting, number, fleet=fleet)


def _row(folder: Path, setting: Setting, daemons: int, *, fleet: bool) -> str:
    folder.mkdir()
    database = Database(Databases(folder, setting.postgresql.url).new("postgresql"))
    schema.upgrade(database)
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    Kzfeed().configure(folder, setting.urls, url)
    text = (folder / "kzfeed.toml").read_text()
    section = setting.nats.settings() if fleet else ""
    (folder / "kzfeed.toml").write_text(f'{section}\n[log]\nlevel = "warning"\n{text}')
    with ExitStack() as stack:
        running = [stack.enter_context(_daemon(folder)) for _ in range(daemons)]
        _until(lambda: _count(database, tables.sources) == len(setting.urls))
        _round(database, setting, running)  # the first contact
        found = [_round(database, setting, running) for _ in range(setting.rounds)]
    database.close()
    polls = setting.rounds * len(setting.urls)
    cpu = [sum(getattr(each, name) for each in found) / polls * 1000 for name in ("daemons", "postgresql", "nats")]
    cells = [str(daemons), "a fleet" if fleet else "the database", *(f"{each:.2f}" for each in (*cpu, sum(cpu)))]
    return f"| {' | '.join([*cells, f'{polls / sum(each.wall for each in found):.0f}'])} |"


@contextmanager
def _daemon(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = Kzfeed().command(folder, "run")
    process = subprocess.Popen([*command.arguments], cwd=folder, env={"PATH": "", **command.variables})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _round(database: Database, setting: Setting, daemons: list["subprocess.Popen[bytes]"]) -> Round:
    server = Path(str(database.engine.url.query["host"])) / "postmaster.pid"
    postmaster = int(server.read_text().split()[0])
    groups = [
        [each.pid for each in daemons],
        _family(postmaster),
        [each.process.pid for each in setting.nats.servers if each.process],
    ]
    wanted = _count(database, tables.polls) + len(setting.urls)
    with database.write() as connection:
        connection.execute(sa.update(tables.sources).values(next_poll_at=utc_now()))
    cpu, began = [sum(map(cpu_seconds, group)) for group in groups], time.monotonic()
    _until(lambda: _count(database, tables.polls) >= wanted)
    wall = time.monotonic() - began
    used = [sum(map(cpu_seconds, group)) - then for group, then in zip(groups, cpu, strict=True)]
    return Round(wall, *used)


def _family(process: int) -> list[int]:
    found = [process]
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(process: int) -> float:
    """CPU time of the process, with that of all its threads."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def _count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > until:
            raise Broken("the daemons do not poll")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
