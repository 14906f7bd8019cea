"""The documents: the files and commands that they name exist. test_docs_run.py runs the commands of their blocks."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from kzfeed.cli.main import app
from tests.fork_server import clean_environment, fork_server
from tests.test_docs_run import PAGES, blocks

ROOT = Path(__file__).parents[1]
COMMAND = re.compile(r"(?:^|&& |/bin/)kzfeed ([^|&;<>#]+)")
"""A command by its name or path, and the words after it."""
KZFEED: Any = typer.main.get_command(app)
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]


def commands_that_do_not_run(page: Path) -> list[list[str]]:
    """The words of each kzfeed command in blocks that test_docs_run.py does not run."""
    lines = [line for block in blocks(page) if block.reason for line in block.text.splitlines()]
    return [shlex.split(command) for line in lines for command in COMMAND.findall(line)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_code_quotes_exists(document: Path) -> None:
    for words in re.findall(r"`kzfeed ([a-z]+(?: [a-z]+)?)", document.read_text("utf-8")):
        command = KZFEED
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]


@pytest.mark.parametrize("page", [page for page in PAGES if commands_that_do_not_run(page)], ids=name_of)
def test_every_command_that_no_test_runs_is_in_the_help_with_its_options(page: Path) -> None:
    for words in commands_that_do_not_run(page):
        command = KZFEED
        names: list[str] = []
        while hasattr(command, "commands"):
            known = {option: each for each in command.params for option in each.opts}
            while words[0].startswith("-"):
                words = words[1:] if known[words[0]].is_flag else words[2:]
            names.append(words[0])
            command, words = command.commands[words[0]], words[1:]
        done = fork_server().run([*names, "--help"], page.parent, clean_environment())
        assert done.returncode == 0, done.stderr
        options = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert options <= {option for each in command.params for option in (*each.opts, *each.secondary_opts)}, words


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_in_code_quotes_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    paths = re.findall(r"`((?:kzfeed|tests|docs|migrations|deploy|benchmarks)/[\w./-]*)`", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
