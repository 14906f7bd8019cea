"""Fixtures of the tests in a real browser: Chromium, the sink for what it asks elsewhere, and the archive's server."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from kzfeed.store.engine import Database
from tests.conftest import SHARED
from tests.web.browser.archive import Articles, articles, fill
from tests.web.browser.chromium import Sink, find_chromium, open_chromium, open_sink
from tests.web.site import serving


@dataclass(frozen=True)
class Site:
    """Pages at an address, and those of articles among them."""

    address: str
    articles: Articles


# Of the package, not of the session: while Playwright is open, asyncio takes this thread for one with a running loop,
# and tests of other packages could not start theirs.
@pytest.fixture(scope="package")
def sink() -> Iterator[Sink]:
    with open_sink() as sink:
        yield sink


@pytest.fixture(scope="package")
def browser(sink: Sink) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium-headless-shell")
    expect.set_options(timeout=60_000)
    with open_chromium(program, sink) as browser:
        yield browser


@pytest.fixture(scope="package")
def site(empty_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The pages of an archive of real and hostile articles."""
    folder = tmp_path_factory.mktemp("browser")
    with closing(Database(f"sqlite:///{shutil.copy(empty_archive, folder)}")) as database:
        fill(database, SHARED if SHARED.is_dir() else None)
        with serving(database) as address:
            yield Site(address, articles(database))
