"""The documents: the files that they name exist. test_docs_run.py runs their commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from kzfeed.cli.main import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_code_quotes_exists(document: Path) -> None:
    for words in re.findall(r"`kzfeed ([a-z]+(?: [a-z]+)?)", document.read_text("utf-8")):
        command: Any = typer.main.get_command(app)
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, words
            command = command.commands[word]


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_in_code_quotes_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    paths = re.findall(r"`((?:kzfeed|tests|docs|migrations|deploy|benchmarks)/[\w./-]*)`", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
