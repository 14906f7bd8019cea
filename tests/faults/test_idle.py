"""10,000 sources of which none is due: the daemon needs next to no CPU time, little memory, and quick queries."""

import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.model.polls import SourceConfig
from kzfeed.store import schema, sources
from kzfeed.store.engine import Database
from kzfeed.store.queue import claims
from kzfeed.store.queue.leases import NewClaim
from tests.faults.processes import Running, configure

SOURCES = 10_000
LISTEN_S = 2


def memory_of(process: int) -> int:
    """Resident memory of the process in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor_time_of(process: int) -> float:
    """CPU seconds that the process has used."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_core(process: int) -> float:
    """The part of a core that the process takes in some seconds."""
    began, before = time.monotonic(), processor_time_of(process)
    time.sleep(LISTEN_S)
    return (processor_time_of(process) - before) / (time.monotonic() - began)


@pytest.mark.slow
def test_ten_thousand_sources_that_are_not_due_cost_next_to_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kzfeed.db"
    urls = {f"s{number}": f"http://host{number}.invalid/feed" for number in range(SOURCES)}
    configure(tmp_path, urls, every="1h")
    now = datetime.now(UTC)
    database = Database(url)
    schema.upgrade(database)
    configs = [SourceConfig(name, address, timezone="UTC") for name, address in urls.items()]
    # Polled a moment ago, as far as the schedule knows.
    sources.configure(database, configs, now + timedelta(minutes=40))

    with Running(tmp_path, url, "run") as daemon:
        daemon.wait_for("running", timeout=240)
        share = min(share_of_a_core(daemon.process.pid) for _ in range(3))  # without the work that follows a start
        memory = memory_of(daemon.process.pid)
        assert daemon.stop() == 0
        assert daemon.named("poll") == []

    asked: list[tuple[str, Any]] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda _, __, *each: asked.append((each[0], each[1])))
    began = time.process_time()
    for _ in range(10):
        claims.claim_due(database, NewClaim("a test", now, timedelta(seconds=55)), limit=100)
    question = (time.process_time() - began) / 10
    with database.read() as connection:
        words, values = next(each for each in asked if "FROM host_queue" in each[0])
        plan = "\n".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", values))
    database.close()

    assert share < 0.02
    assert memory < 250e6
    assert question < 0.02
    assert re.search(r"SEARCH host_queue USING (COVERING )?INDEX ix_host_queue_due_at", plan), plan
    assert re.search(r"SEARCH sources\w* USING (COVERING )?INDEX ix_sources_enabled_host_next_poll_at", plan), plan
