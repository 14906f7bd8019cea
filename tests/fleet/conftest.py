"""Fixtures of the tests of fleets."""

from collections.abc import Iterator

import pytest

from tests.fleet.brokers import Brokers, brokers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One server of NATS, which tests share: each database has a fleet of its own."""
    with brokers(tmp_path_factory.mktemp("nats"), 1) as servers:
        yield servers
