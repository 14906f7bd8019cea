"""The help of every command: it has an example that works as printed, and fits a terminal of 80 columns."""

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from kzfeed.cli.main import app
from kzfeed.clock import utc_now
from kzfeed.config.load import load
from kzfeed.store import sources
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server

EXAMPLE = re.compile(r"^  Example: kzfeed (.+)$", re.MULTILINE)


def walk(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The names of every command and group; the empty tuple stands for `kzfeed` itself."""
    yield names
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*names, name))


COMMANDS = list(walk(typer.main.get_command(app)))


@functools.cache  # the help of a command is looked at from several sides
def help_of(*names: str) -> str:
    return kzfeed(*names, "--help").stdout


def kzfeed(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"}, prog_name="kzfeed")


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_is_a_valid_command(names: tuple[str, ...]) -> None:
    found = EXAMPLE.search(help_of(*names))

    assert found, "no example"
    words = shlex.split(found[1])
    assert set(names) <= set(words)
    done = kzfeed(*words, "--help")  # which comes after a wrong option in importance
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_fits_80_columns_and_no_summary_is_cut_off(names: tuple[str, ...]) -> None:
    done = kzfeed(*names, "-h")

    assert (done.exit_code, done.stdout) == (0, help_of(*names))
    assert [line for line in done.stdout.splitlines() if cell_len(line) > 80] == []
    assert "..." not in done.stdout.replace("[ARGS]...", "").replace("}...", "").replace("]...", "")


def test_a_mistyped_command_is_answered_with_the_nearest_one() -> None:
    for words, near in ((["pol"], "poll"), (["sources", "ad"], "add"), (["db", "backupp"], "backup")):
        done = kzfeed(*words)

        assert done.exit_code == 2
        assert f"Did you mean '{near}'?" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["poll", "vao"],
        ["explain", "vao"],
        ["list", "--source", "vao"],
        ["export", "out", "--source", "vao"],
        ["search", "a", "source:vao"],
        ["sources", "remove", "vao"],
        ["sources", "enable", "vao"],
        ["sources", "set", "vao", "every=3h"],
    ],
    ids=" ".join,
)
def test_a_mistyped_source_is_answered_with_the_nearest_one(
    arguments: list[str], sqlite_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "kzfeed.toml").write_text('[[sources]]\nname = "voa"\nurl = "http://127.0.0.1:9/"\nenabled = true\n')
    sources.configure(sqlite_database, load(tmp_path / "kzfeed.toml", environ={}).source_configs(), utc_now())
    sqlite_database.close()

    done = fork_server().run(arguments, tmp_path, clean_environment())

    assert done.returncode == 2
    assert "no source 'vao'" in done.stderr
    assert done.stderr.endswith(": the nearest is voa\n"), done.stderr
