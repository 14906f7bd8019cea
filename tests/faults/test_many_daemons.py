"""Four daemons on one PostgreSQL: gaps between requests, and sources of daemons that were killed or stopped."""

from pathlib import Path

import pytest

from kzfeed.store.queue.leases import LEASE
from tests.databases import Databases
from tests.faults.many_daemons import takeover, visits_of_many_daemons


@pytest.mark.slow
def test_four_daemons_keep_the_gap_at_every_host_also_where_redirects_lead(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.new("postgresql")
    seen = visits_of_many_daemons(tmp_path, url, daemons=4, gap=0.2, hosts=10, sources=5, visits=100)

    assert seen.early == []
    assert seen.daemons_at_work > 1


@pytest.mark.slow
def test_sources_of_a_killed_and_of_a_stopped_daemon_are_taken_over_once_and_no_others(
    databases: Databases, tmp_path: Path
) -> None:
    seen = takeover(tmp_path, databases.new("postgresql"))

    assert seen.wrong == []
    # Within 15 s on a machine that is not busy with other tests: a lease, and the next look for what is due.
    assert LEASE.total_seconds() == 12
    assert seen.killed < 45
    assert seen.stopped < 45
