"""Installations of kzfeed under measurement: how to configure and start one, and how to check what it did."""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Broken, Command

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Kzfeed:
    """An installation of kzfeed, named by the interpreter that has it; without one, this checkout."""

    name: str = "kzfeed"
    python: str | None = None

    def command(self, folder: Path, *arguments: str) -> Command:
        """`kzfeed ARGUMENTS` in `folder`, with the kzfeed.toml there."""
        # Compiled once, as an installed package is, wherever the environment forbids to write beside the modules.
        variables = {"PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
        if not self.python:
            variables["PYTHONPATH"] = str(ROOT)
        return Command([self.python or sys.executable, "-m", "kzfeed", *arguments], folder, variables)

    def configure(self, folder: Path, urls: Sequence[str], database: str = "sqlite:///kzfeed.db") -> None:
        """Write kzfeed.toml. All hosts are one machine that minds nothing, so requests follow without a delay."""
        sources = "".join(f'[[sources]]\nname = "s{number}"\nurl = "{url}"\n' for number, url in enumerate(urls))
        text = f'[http]\nhost_gap = "0s"\n[database]\nurl = "{database}"\n{sources}'
        (folder / "kzfeed.toml").write_text(text)

    def poll(self, folder: Path, urls: Sequence[str]) -> Command:
        """Poll these feeds into the archive in `folder`, which is made where it is missing."""
        self.configure(folder, urls)
        return self.command(folder, "poll")


def check_poll(folder: Path, *, articles: int, feeds: int, outcome: str) -> None:
    """Raise Broken unless the archive has so many articles, and its last `feeds` polls this outcome."""
    check_count(folder / "kzfeed.db", "articles", articles)
    latest = f"SELECT outcome FROM polls ORDER BY id DESC LIMIT {feeds}"
    check_count(folder / "kzfeed.db", f"({latest}) WHERE outcome = '{outcome}'", feeds)


def check_count(file: Path, rows: str, expected: int) -> None:
    """Raise Broken unless this SQLite database has so many of these rows."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()
    if found != expected:
        raise Broken(f"{file}: expected {expected} rows of {rows}, found {found}")
