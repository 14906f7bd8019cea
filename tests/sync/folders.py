"""What the tests of the archive folder share: trees of files, and files to backfill."""

import os
import subprocess
from pathlib import Path

import sqlalchemy as sa

from kzfeed.store import tables
from kzfeed.store.engine import Database
from tests.export.archives import Archive, archive_on

HEADER = "<!--{stamp}-->\n[{title}](https://e.example/{number})\n------\n\n"


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their paths, without hidden ones and without the list of an export.

    Hidden are what kzfeed and git note, and the temporary files of a daemon that writes meanwhile.
    """
    return {name: (folder / name).read_bytes() for name in names(folder) if name != "kzfeed-export.jsonl"}


def names(folder: Path) -> list[str]:
    """The paths of the files that are not hidden."""
    paths = [path.relative_to(folder) for path in folder.rglob("[!.]*") if path.is_file()]
    return sorted(str(path) for path in paths if path.parts[0] not in (".kzfeed", ".git"))


def another_archive(database: Database, folder: Path, identity: str | None = "another") -> Archive:
    """A database with an identity of its own, at the command line. Those of fixtures are copies with one."""
    with database.write() as connection:
        connection.execute(sa.update(tables.archive_identity).values(id=identity))
    return archive_on(database, folder)


def articles(folder: Path) -> dict[str, bytes]:
    """The same without the lists."""
    return {name: data for name, data in tree(folder).items() if not name.startswith("lists/")}


def times(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {name: (folder / name).stat().st_mtime_ns for name in tree(folder)}


def write_file(folder: Path, number: int, body: str = "x", *, stamp: int = 1641922743000, title: str = "") -> Path:
    """Write an archive file to be backfilled; its path."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{number}.txt"
    path.write_text(HEADER.format(stamp=stamp, title=title or f"标题 {number}", number=number) + f"{body}\n", "utf-8")
    return path


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user does; what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=User", "-c", "user.email=user@example.org", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
