"""The soak in seconds: the daemon, the server and the judgement of the long one, without outages of the network."""

import random
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.soak.chart import chart
from tests.soak.judgement import figures, judge, shown_versions
from tests.soak.program import Pace
from tests.soak.run import SHORT_PLAN, Size, Soak


@pytest.mark.slow
def test_a_daemon_on_misbehaving_sources_loses_nothing_and_counts_what_the_server_saw(tmp_path: Path) -> None:
    size = Size(sources=50, seconds=3, pace=Pace(interval=1, gap=0.1, timeout=6), samples=20)
    soak = Soak(tmp_path, f"sqlite:///{tmp_path}/kzfeed.db", size, SHORT_PLAN, lambda _: None, random.Random())

    soak.run()

    assert judge(soak) == []
    assert len(shown_versions(soak)) > 10
    assert dict(figures(soak))["kills"] == "1"
    assert ElementTree.fromstring(chart("a soak", soak)).tag.endswith("svg")  # noqa: S314 - our own
