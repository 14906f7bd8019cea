"""Start of a daemon whose sources are in the database alone: seconds until it runs, and memory."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.kzfeed import Kzfeed
from benchmarks.scale import backlog
from benchmarks.scale.many_sources import cpu_seconds, database_of, memory, running

REST_S = 5


def table(engines: Sequence[str], number: int = 1_000_000) -> Iterator[str]:
    """The table: a start while no source is due, and one while all are due."""
    yield "| engine | sources | due | s until it runs | CPU s until then | MiB at most until then | MiB 5 s later |"
    yield "| --- | ---: | --- | ---: | ---: | ---: | ---: |"
    for engine in engines:
        for due in ("none", "all"):
            # Those of `backlog` have been due for three hours at most.
            at = datetime.now(UTC) + (timedelta(days=1) if due == "none" else timedelta())
            with database_of(engine) as database, tempfile.TemporaryDirectory() as name:
                backlog.fill(database, number, at)
                url = database.engine.url.set(drivername=database.dialect).render_as_string(hide_password=False)
                folder = Path(name)
                Kzfeed().configure(folder, [], url)
                with (folder / "kzfeed.toml").open("a") as file:
                    file.write("[log]\nformat = 'json'\n")
                with running(folder) as (process, seconds):
                    used, most = cpu_seconds(process.pid), memory(process.pid, "VmHWM")
                    time.sleep(REST_S)
                    later = memory(process.pid, "VmHWM")
            yield f"| {engine} | {number:,} | {due} | {seconds:.1f} | {used:.1f} | {most:.0f} | {later:.0f} |"
