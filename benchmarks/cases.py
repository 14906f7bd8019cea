"""Cases of the benchmark: polls of many feeds, backfill and export, each with a check of what was done.

What a case needs beforehand (archives, files, databases) is made once, outside the measured time.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.feed_server import FeedServer
from benchmarks.feeds import ENTRIES, host_of, path_of, tiny_entries
from benchmarks.kzfeed import Kzfeed, check_count, check_poll
from benchmarks.measure import Broken, Command, Measured, run
from tests.databases import Databases


@dataclass(frozen=True)
class Case:
    """A measured command with `count` units of work. `check` raises Broken if the command did not do its work."""

    key: str
    title: str
    unit: str
    count: int
    prepare: Callable[[Kzfeed], Command]
    check: Callable[[Kzfeed, Measured], None]


@dataclass
class Bench:
    """The surroundings of the cases: a folder for archives, a feed server, the number of feeds, and PostgreSQL."""

    folder: Path
    server: FeedServer
    large: int
    tiny: int
    postgresql: Callable[[], str]

    def urls(self, kind: str) -> list[str]:
        """The URLs of all feeds of a kind ("large", "tiny"), on a thousand loopback addresses in turn."""
        count = self.large if kind == "large" else self.tiny
        return [f"http://{host_of(number)}:{self.server.port}/{path_of(kind, number)}" for number in range(count)]

    def empty(self, kzfeed: Kzfeed, name: str) -> Path:
        """An empty folder; what was in it is deleted."""
        folder = self.folder / kzfeed.name / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def polled(self, kzfeed: Kzfeed, kind: str) -> Path:
        """A folder with an archive that has polled every feed of the kind once."""
        folder = self.folder / kzfeed.name / kind
        if not folder.exists():
            run(kzfeed.poll(self.empty(kzfeed, kind), self.urls(kind)))
        return folder

    def files(self, kzfeed: Kzfeed) -> Path:
        """A folder of archive files, one for each article of the large feeds."""
        folder = self.folder / "files"
        if not folder.exists():
            run(kzfeed.command(self.polled(kzfeed, "large"), "export", str(folder)))
        return folder


def all_cases(bench: Bench) -> list[Case]:
    """All cases, in the order of the table."""
    return [
        contact(bench),
        unchanged(bench, "unchanged", "nothing changed, 304", "large"),
        unchanged(bench, "tiny", "nothing changed, 304, tiny feeds", "tiny"),
        backfill(bench),
        backfill_postgresql(bench),
        export(bench),
    ]


def contact(bench: Bench) -> Case:
    """Every large feed for the first time."""
    urls = bench.urls("large")

    def prepare(kzfeed: Kzfeed) -> Command:
        return settled(kzfeed.poll(bench.empty(kzfeed, "contact"), urls))

    def check(kzfeed: Kzfeed, _: Measured) -> None:
        folder = bench.folder / kzfeed.name / "contact"
        check_poll(folder, articles=len(urls) * ENTRIES, feeds=len(urls), outcome="new")

    return Case("contact", "first contact", "feeds", len(urls), prepare, check)


def unchanged(bench: Bench, key: str, title: str, kind: str) -> Case:
    """Every feed of a kind again, unchanged, answered with a 304."""
    urls = bench.urls(kind)
    articles = len(urls) * ENTRIES if kind == "large" else sum(map(tiny_entries, range(len(urls))))

    def prepare(kzfeed: Kzfeed) -> Command:
        return settled(kzfeed.poll(bench.polled(kzfeed, kind), urls))

    def check(kzfeed: Kzfeed, _: Measured) -> None:
        check_poll(bench.polled(kzfeed, kind), articles=articles, feeds=len(urls), outcome="not-modified")

    return Case(key, title, "feeds", len(urls), prepare, check)


def backfill(bench: Bench) -> Case:
    """Archive files into SQLite."""
    count = bench.large * ENTRIES

    def prepare(kzfeed: Kzfeed) -> Command:
        files, folder = bench.files(kzfeed), bench.empty(kzfeed, "backfill")
        kzfeed.configure(folder, [])
        return settled(kzfeed.command(folder, "backfill", str(files)))

    def check(kzfeed: Kzfeed, _: Measured) -> None:
        check_count(bench.folder / kzfeed.name / "backfill" / "kzfeed.db", "articles", count)

    return Case("backfill", "backfill, SQLite", "files", count, prepare, check)


def backfill_postgresql(bench: Bench) -> Case:
    """Archive files into PostgreSQL. The time and memory of PostgreSQL's own processes are not counted."""
    count = bench.large * ENTRIES

    def prepare(kzfeed: Kzfeed) -> Command:
        files, folder = bench.files(kzfeed), bench.empty(kzfeed, "backfill")
        kzfeed.configure(folder, [], Databases(folder, bench.postgresql()).new("postgresql"))
        return settled(kzfeed.command(folder, "backfill", str(files)))

    def check(_: Kzfeed, measured: Measured) -> None:
        check_output(measured, f": {count} new,")

    return Case("postgresql", "backfill, PostgreSQL", "files", count, prepare, check)


def export(bench: Bench) -> Case:
    """The archive of the large feeds as files."""
    count = bench.large * ENTRIES

    def prepare(kzfeed: Kzfeed) -> Command:
        archive = bench.polled(kzfeed, "large")
        return settled(kzfeed.command(archive, "export", str(bench.empty(kzfeed, "exported"))))

    def check(_: Kzfeed, measured: Measured) -> None:
        check_output(measured, f": {count} files written,")

    return Case("export", "export", "files", count, prepare, check)


def check_output(measured: Measured, words: str) -> None:
    """Raise Broken unless the process wrote these words to standard output."""
    if words not in measured.output:
        raise Broken(f"expected {words!r} on standard output, found {measured.output!r}")


def settled(command: Command) -> Command:
    """The command, once all earlier writes are on the disk and cannot slow it down."""
    os.sync()
    return command
