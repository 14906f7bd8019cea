"""Completion in shells: commands, options, and the names of the configured sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import clean_environment, fork_server

CONFIGURATION = """
include = ["more.toml"]
[[sources]]
name = "voa"
url = "https://e.example/voa"
[[sources]]
name = "bbc"
url = "https://e.example/bbc"
"""
IN_BASH = """
eval "$(kzfeed --show-completion)"
COMP_WORDS=(kzfeed poll bbc v) COMP_CWORD=3
_kzfeed_completion kzfeed
echo "${COMPREPLY[@]}"
COMP_WORDS=(kzfeed sources re) COMP_CWORD=2
_kzfeed_completion kzfeed
echo "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration of three sources."""
    (tmp_path / "kzfeed.toml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "more.toml").write_text('[[sources]]\nname = "vesti"\nurl = "https://e.example/vesti"\n', "utf-8")
    return tmp_path


def completed(folder: Path, shell: str, typed: str) -> str:
    """What the shell's completion gets from kzfeed."""
    variables = {"_KZFEED_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": typed}
    variables |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = fork_server().run([], folder, clean_environment(**variables))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_bash_completes_commands_and_configured_sources(folder: Path) -> None:
    environment = clean_environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    done = subprocess.run(
        ["bash", "-c", IN_BASH], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout == "voa vesti\nremove\n", done.stderr


@pytest.mark.parametrize(
    "typed",
    [
        "kzfeed explain v",
        "kzfeed list --source v",
        "kzfeed sources set v",
        "kzfeed --config kzfeed.toml sources disable bbc v",
    ],
)
def test_zsh_and_fish_complete_configured_sources(folder: Path, typed: str) -> None:
    assert completed(folder, "fish", typed) == "voa\nvesti\n"
    assert completed(folder, "zsh", typed) == """_arguments '*: :(("voa"\n"vesti"))'\n"""


def test_a_configuration_with_a_mistake_completes_nothing_and_says_nothing(folder: Path) -> None:
    for mistake in ("[[sources", "sources = 3\n", 'include = ["nowhere.toml"]\n', "[[sources]]\nname = 3\n"):
        (folder / "kzfeed.toml").write_text(mistake)
        assert completed(folder, "fish", "kzfeed explain v").strip() == ""
