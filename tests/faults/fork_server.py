"""The process that forks kzfeed for the kill loops: it starts in 20 ms instead of a second.

Questions come as JSON lines: `{"start": […], "folder": …}` is answered with a process id, `{"wait": id}` with an exit
status. A child that has ended keeps its id until somebody waits for it, so no other process is killed in its place.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

# So that no child has to import them.
import alembic.command
import alembic.runtime.migration  # noqa: F401
import psycopg  # noqa: F401

from kzfeed import wiring as service  # noqa: F401
from kzfeed.cli import main as cli
from kzfeed.store import schema  # noqa: F401


def main() -> None:
    for line in sys.stdin:
        question: dict[str, Any] = json.loads(line)
        if "wait" in question:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        else:
            answer = os.fork() or _be_kzfeed(question["start"], Path(question["folder"]))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _be_kzfeed(arguments: list[str], folder: Path) -> NoReturn:
    status: Any = 0
    try:
        os.chdir(folder)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        log = os.open(folder / "kzfeed.cli.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number, file in enumerate((nothing, nothing, log)):
            os.dup2(file, number)
        sys.argv = ["kzfeed", *arguments]
        cli.main()
    except SystemExit as ending:
        status = ending.code
    except BaseException:  # noqa: BLE001 - the child must not become a second fork_server
        traceback.print_exc()
        status = 70
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
