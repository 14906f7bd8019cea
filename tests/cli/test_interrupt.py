"""Ctrl-C while the command line is still being imported."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.fork_server import clean_environment


def test_ctrl_c_during_the_imports_ends_without_a_traceback(tmp_path: Path) -> None:
    # A module in the working directory that takes long to import, in the place of a library.
    (tmp_path / "typer.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "kzfeed", "--version"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # the background ignores it
    )
    assert process.stdout
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130
