"""The manual page docs/kzfeed.1: it is that of today's commands, and `man` prints it."""

import re
import shutil
import subprocess

import pytest
from rich.cells import cell_len

from kzfeed.cli.man_page import page
from tests.cli.test_help import COMMANDS
from tests.fork_server import ROOT, clean_environment

FILE = ROOT / "docs" / "kzfeed.1"


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == page(), "run: python -m kzfeed.cli.man_page >docs/kzfeed.1"


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_prints_every_command_in_80_columns_without_a_warning() -> None:
    environment = clean_environment(MANWIDTH="80", LC_ALL="C.UTF-8", MAN_KEEP_FORMATTING="")
    done = subprocess.run(
        ["man", "--warnings=w", "-l", str(FILE)], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if cell_len(line) > 80] == []
    for names in COMMANDS:
        assert re.search(rf"^ +kzfeed {' '.join(names)}", done.stdout, re.MULTILINE), names
