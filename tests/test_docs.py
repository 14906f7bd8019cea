"""The documents: the files that they name exist."""

import re
from pathlib import Path

import pytest

from tests.fork_server import clean_environment, fork_server

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_shows_exists(document: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", document.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"--(config|database) \S+", "", line.strip()) for block in blocks for line in block.splitlines()]
    commands = {tuple(re.findall(r"[a-z]+", line)[1:3]) for line in lines if line.startswith("kzfeed ")}

    for command in commands:
        words = command if command[:1] in (("db",), ("sources",)) else command[:1]
        assert fork_server().run([*words, "--help"], tmp_path, clean_environment()).returncode == 0, command


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_in_code_quotes_exists(document: str) -> None:
    text = (ROOT / document).read_text("utf-8")
    paths = re.findall(r"`((?:kzfeed|tests|docs|migrations|deploy|benchmarks)/[\w./-]*)`", text)

    assert [path for path in paths if not (ROOT / path).exists()] == []
