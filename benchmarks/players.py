"""Who takes part: kzfeed, and newsboat and the library `reader` where they are installed, each as a process of its own.

A player keeps everything in one folder: feeds' addresses in, a command out that updates them all, into an archive that
is new where the folder is empty.
"""

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.measure import Broken, Command

ROOT = Path(__file__).parents[1]
READER_VARIABLE = "BENCH_READER_PYTHON"
"""Names the interpreter that has the library `reader`, where that is not ours."""
VARIABLES = {"PYTHONPATH": str(ROOT)}


class Player(Protocol):
    """One that reads feeds."""

    @property
    def name(self) -> str: ...

    def update(self, folder: Path, urls: Sequence[str]) -> Command:
        """What updates all these feeds."""

    def check(self, folder: Path, *, articles: int, feeds: int, outcome: str) -> None:
        """Raise Broken unless the archive holds so many articles and the last update of all feeds came out so."""


@dataclass(frozen=True)
class Kzfeed:
    """The product, all on; only the pause between two requests to one host is 0: they are all one machine."""

    name: str = "kzfeed"

    def update(self, folder: Path, urls: Sequence[str]) -> Command:
        self.configure(folder, urls)
        return self.command(folder, "poll")

    def configure(self, folder: Path, urls: Sequence[str], database: str = "sqlite:///kzfeed.db") -> None:
        """Write kzfeed.toml."""
        sources = "".join(f'[[sources]]\nname = "s{number}"\nurl = "{url}"\n' for number, url in enumerate(urls))
        text = f'[http]\nhost_gap = "0s"\n[database]\nurl = "{database}"\n{sources}'
        (folder / "kzfeed.toml").write_text(text)

    def command(self, folder: Path, *arguments: str) -> Command:
        """kzfeed with these arguments, by the kzfeed.toml of the folder."""
        return Command([sys.executable, "-m", "kzfeed", *arguments], folder, VARIABLES)

    def check(self, folder: Path, *, articles: int, feeds: int, outcome: str) -> None:
        check_count(folder / "kzfeed.db", "articles", articles)
        latest = f"SELECT outcome FROM polls ORDER BY id DESC LIMIT {feeds}"
        check_count(folder / "kzfeed.db", f"({latest}) WHERE outcome = '{outcome}'", feeds)


@dataclass(frozen=True)
class Newsboat:
    """The terminal reader, with the number of threads that is its best here."""

    name: str = "newsboat"
    threads: int = 8

    def update(self, folder: Path, urls: Sequence[str]) -> Command:
        (folder / "urls").write_text("\n".join([*urls, ""]))
        (folder / "config").write_text(f"reload-threads {self.threads}\ndownload-retries 1\n")
        files = ["-u", "urls", "-c", "cache.db", "-C", "config"]
        return Command(["newsboat", *files, "-x", "reload"], folder, {"HOME": str(folder)})

    def check(self, folder: Path, *, articles: int, feeds: int, outcome: str) -> None:
        check_count(folder / "cache.db", "rss_item", articles)


@dataclass(frozen=True)
class ReaderLibrary:
    """The Python library, with the number of threads that is its best here."""

    python: str
    name: str = "reader"
    threads: int = 2

    def update(self, folder: Path, urls: Sequence[str]) -> Command:
        (folder / "urls").write_text("\n".join([*urls, ""]))
        script = str(Path(__file__).with_name("reader_update.py"))
        return Command([self.python, script, "reader.db", "urls", str(self.threads)], folder, {})

    def check(self, folder: Path, *, articles: int, feeds: int, outcome: str) -> None:
        check_count(folder / "reader.db", "entries", articles)


def check_count(file: Path, what: str, expected: int) -> None:
    """Raise Broken unless this SQLite database has so many of these rows."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    if found != expected:
        raise Broken(f"{file}: expected {expected} rows of {what}, found {found}")


def others() -> list[Player]:
    """Those beside kzfeed that are installed."""
    found: list[Player] = [Newsboat()] if shutil.which("newsboat") else []
    python = os.environ.get(READER_VARIABLE) or (sys.executable if importlib.util.find_spec("reader") else None)
    if python:
        subprocess.run([python, "-c", "import reader"], check=True)
        found.append(ReaderLibrary(python))
    return found
