"""What is measured: each case names its contestants, kzfeed first, and what each of them has to have done.

A case is prepared beside the clock: archives that it begins with are filled once and kept in the stage's folder.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.feeds import ENTRIES, host_of, path_of
from benchmarks.measure import Broken, Command, Measured, run
from benchmarks.players import VARIABLES, Kzfeed, Player, check_count
from benchmarks.servers import Server
from tests.databases import Databases, execute

KZFEED = Kzfeed()
_FINE: Callable[[Measured], None] = lambda measured: None  # noqa: E731 - a value like the others


@dataclass(frozen=True)
class Contestant:
    """One that runs in a case. `prepare` makes all ready and gives the command; `check` raises Broken."""

    name: str
    prepare: Callable[[], Command]
    check: Callable[[Measured], None] = _FINE


@dataclass(frozen=True)
class Case:
    """So many units of work, done by each contestant."""

    key: str
    title: str
    unit: str
    count: int
    contestants: Sequence[Contestant]


@dataclass
class Stage:
    """Where the cases happen: a folder, the served feeds, the players beside kzfeed, PostgreSQL once it is asked."""

    folder: Path
    server: Server
    large: int
    tiny: int
    others: Sequence[Player]
    postgresql: Callable[[], str]
    _databases: list[str] = field(default_factory=list)

    def addresses(self, kind: str, *, silent: bool = False) -> list[str]:
        """Of all feeds of a kind ("large", "tiny"), each at its own loopback address."""
        port = self.server.silent if silent else self.server.validating
        count = self.large if kind == "large" else self.tiny
        return [f"http://{host_of(number)}:{port}/{path_of(kind, number)}" for number in range(count)]

    def fresh(self, *names: str) -> Path:
        """An empty folder, that was there or not."""
        folder = self.folder.joinpath(*names)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def filled(self, player: Player, kind: str = "large", *, silent: bool = False) -> Path:
        """The folder of a player that has seen every feed of the kind once, as it was before; made if need be."""
        folder = self.folder / player.name / f"{kind}{'-silent' if silent else ''}"
        if not folder.exists():
            self.server.show("before")
            run(player.update(self.fresh(player.name, folder.name), self.addresses(kind, silent=silent)))
        return folder

    def keep(self, player: Player, folder: Path) -> None:
        """Take a folder that has come to be as `filled` makes one for the large feeds."""
        if not (place := self.folder / player.name / "large").exists():
            folder.rename(place)

    def files(self) -> Path:
        """A folder of archive files, one an article of the large feeds."""
        folder = self.folder / "files"
        if not folder.exists():
            run(KZFEED.command(self.filled(KZFEED), "export", str(folder)))
        return folder

    def backfilled(self) -> Path:
        """A database that these files filled."""
        folder = self.folder / "backfilled"
        if not folder.exists():
            KZFEED.configure(self.fresh("backfilled"), [])
            run(KZFEED.command(folder, "backfill", str(self.files())))
        return folder / "kzfeed.db"

    def new_postgresql(self) -> str:
        """The URL of a new, empty database; the one before is gone."""
        for each in self._databases:
            execute(self.postgresql(), f"DROP DATABASE {each} WITH (FORCE)")
        url = Databases(self.folder, self.postgresql()).new("postgresql")
        self._databases = [url.partition("?")[0].rpartition("/")[2]]
        return url


def settled(command: Command) -> Command:
    """The command, when what was written before is on the disk and does not wait for it to happen meanwhile."""
    os.sync()
    return command


def baseline(folder: Path, *arguments: object) -> Command:
    """One of the machine's own limits."""
    return Command([sys.executable, "-m", "benchmarks.baselines", *map(str, arguments)], folder, VARIABLES)


# --- polls -----------------------------------------------------------------------------------------------------------


def contact(stage: Stage) -> Case:
    """(a) Every feed for the first time."""
    urls = stage.addresses("large")

    def of(player: Player) -> Contestant:
        folder = stage.folder / player.name / "contact"

        def prepare() -> Command:
            stage.server.show("before")
            return settled(player.update(stage.fresh(player.name, "contact"), urls))

        def check(_: Measured) -> None:
            player.check(folder, articles=len(urls) * ENTRIES, feeds=len(urls), outcome="new")
            stage.keep(player, folder)

        return Contestant(player.name, prepare, check)

    documents = stage.server.folder / "before" / "large"
    limits = [
        fetching(stage, "contact", urls),
        Contestant("fast parser alone", lambda: settled(baseline(stage.fresh("parse"), "parse", documents))),
        Contestant("documents to articles alone", lambda: settled(baseline(stage.fresh("read"), "read", documents))),
        Contestant(
            "sqlite3 executemany alone",
            lambda: inserting(stage, "insert", stage.filled(KZFEED) / "kzfeed.db", "copy.db"),
        ),
    ]
    return Case("contact", "(a) first contact", "feeds", len(urls), [*map(of, [KZFEED, *stage.others]), *limits])


def unchanged(stage: Stage, key: str, title: str, kind: str, *, silent: bool) -> Case:
    """(b) and (c) Every feed as it was, answered with a 304 or, where the server is silent about it, in full."""
    urls = stage.addresses(kind, silent=silent)

    def of(player: Player) -> Contestant:
        def prepare() -> Command:
            stage.server.show("before")
            return settled(player.update(stage.filled(player, kind, silent=silent), urls))

        def check(_: Measured) -> None:
            outcome = "unchanged" if silent else "not-modified"
            articles = len(urls) * ENTRIES if kind == "large" else sum(3 + number % 3 for number in range(len(urls)))
            player.check(stage.filled(player, kind, silent=silent), articles=articles, feeds=len(urls), outcome=outcome)

        return Contestant(player.name, prepare, check)

    return Case(key, title, "feeds", len(urls), [*map(of, [KZFEED, *stage.others]), fetching(stage, key, urls)])


def entry(stage: Stage) -> Case:
    """(d) Every feed with an entry more in front, and without its last."""
    urls = stage.addresses("large")

    def of(player: Player) -> Contestant:
        folder = stage.folder / player.name / "entry"

        def prepare() -> Command:
            before = stage.filled(player)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before, folder)
            stage.server.show("after")
            return settled(player.update(folder, urls))

        def check(_: Measured) -> None:
            player.check(folder, articles=len(urls) * (ENTRIES + 1), feeds=len(urls), outcome="new")

        return Contestant(player.name, prepare, check)

    documents = stage.server.folder / "after" / "large"
    limits = [
        fetching(stage, "entry", urls),
        Contestant("documents to articles alone", lambda: settled(baseline(stage.fresh("read"), "read", documents))),
    ]
    return Case("entry", "(d) one new entry a feed", "feeds", len(urls), [*map(of, [KZFEED, *stage.others]), *limits])


def fetching(stage: Stage, key: str, urls: Sequence[str]) -> Contestant:
    """aiohttp alone, asking with ETags wherever the feeds are as they were."""
    folder = stage.folder / f"fetch-{key}"

    def prepare() -> Command:
        stage.server.show("after" if key == "entry" else "before")
        if not folder.exists():
            (stage.fresh(folder.name) / "urls").write_text("\n".join(urls))
            run(baseline(folder, "fetch", "urls", "etags"))
        if key in ("contact", "entry"):
            (folder / "etags").write_text("{}")
        return baseline(folder, "fetch", "urls", "etags")

    return Contestant("aiohttp alone", prepare)


def inserting(stage: Stage, what: str, source: Path, target: str) -> Command:
    """The rows of this archive, raw, by `what` into `target`."""
    return settled(baseline(stage.fresh("raw"), what, source, target))


# --- files -----------------------------------------------------------------------------------------------------------


def backfill(stage: Stage) -> Case:
    """(e) Archive files into SQLite."""
    count = stage.large * ENTRIES
    folder = stage.folder / "backfill"

    def prepare() -> Command:
        files = stage.files()
        KZFEED.configure(stage.fresh("backfill"), [])
        return settled(KZFEED.command(folder, "backfill", str(files)))

    contestants = [
        Contestant("kzfeed", prepare, lambda _: check_count(folder / "kzfeed.db", "articles", count)),
        Contestant("sqlite3 executemany alone", lambda: inserting(stage, "insert", stage.backfilled(), "copy.db")),
    ]
    return Case("backfill", "(e) backfill, SQLite", "files", count, contestants)


def backfill_postgresql(stage: Stage) -> Case:
    """(e) Archive files into PostgreSQL, whose own processes are not counted: neither their CPU time nor memory."""

    def prepare() -> Command:
        files = stage.files()
        folder = stage.fresh("backfill")
        KZFEED.configure(folder, [], stage.new_postgresql())
        return settled(KZFEED.command(folder, "backfill", str(files)))

    def copy() -> Command:
        source, url = stage.backfilled(), stage.new_postgresql()
        KZFEED.configure(stage.fresh("backfill"), [], url)
        run(KZFEED.command(stage.folder / "backfill", "db", "upgrade"))
        return inserting(stage, "copy", source, url)

    contestants = [
        Contestant("kzfeed", prepare, _said(f": {stage.large * ENTRIES} new,")),
        Contestant("psycopg COPY alone", copy),
    ]
    return Case("postgresql", "(e) backfill, PostgreSQL", "files", stage.large * ENTRIES, contestants)


def export(stage: Stage) -> Case:
    """(f) The archive of the large feeds as files."""
    count = stage.large * ENTRIES

    def prepare() -> Command:
        return settled(KZFEED.command(stage.filled(KZFEED), "export", str(stage.fresh("exported"))))

    def write() -> Command:
        return settled(baseline(stage.fresh("written"), "write", stage.files(), "to"))

    contestants = [
        Contestant("kzfeed", prepare, _said(f": {count} files written,")),
        Contestant("write, fsync, rename alone", write),
    ]
    return Case("export", "(f) export", "files", count, contestants)


def _said(words: str) -> Callable[[Measured], None]:
    def check(measured: Measured) -> None:
        if words not in measured.said:
            raise Broken(f"expected {words!r}, found {measured.said!r}")

    return check


# --- starting --------------------------------------------------------------------------------------------------------


def starts(stage: Stage) -> Iterator[Case]:
    """(h) How long until an answer."""
    urls = stage.addresses("large")[:1]

    def idle() -> Contestant:
        command = Command([sys.executable, "-c", "pass"], stage.fresh("start"), {})
        return Contestant("python alone", lambda: command)

    def helping() -> Command:
        return KZFEED.command(stage.fresh("start"), "--help")

    def first() -> Command:
        stage.server.show("before")
        return settled(KZFEED.update(stage.fresh("single"), urls))

    def again() -> Command:
        if not (stage.folder / "single").exists():
            run(first())
        return settled(KZFEED.update(stage.folder / "single", urls))

    def check(outcome: str) -> Callable[[Measured], None]:
        return lambda _: KZFEED.check(stage.folder / "single", articles=ENTRIES, feeds=1, outcome=outcome)

    yield Case("help", "(h) kzfeed --help", "starts", 1, [Contestant("kzfeed", helping), idle()])
    yield Case("first", "(h) one source, new database", "starts", 1, [Contestant("kzfeed", first, check("new"))])
    yield Case("again", "(h) one source, 304", "starts", 1, [Contestant("kzfeed", again, check("not-modified"))])


def all_cases(stage: Stage) -> list[Case]:
    """In the order of the table."""
    return [
        contact(stage),
        unchanged(stage, "unchanged", "(b) nothing changed, 304", "large", silent=False),
        unchanged(stage, "tiny", "(b) nothing changed, 304, tiny feeds", "tiny", silent=False),
        unchanged(stage, "unvalidated", "(c) nothing changed, no validators", "large", silent=True),
        entry(stage),
        backfill(stage),
        backfill_postgresql(stage),
        export(stage),
        *starts(stage),
    ]
