"""Sources that only PostgreSQL has, because the configuration names none: `kzfeed sources` edits them there."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kzfeed.config.settings import Settings
from kzfeed.daemon.apply_config import apply_configuration
from kzfeed.store.engine import Database
from kzfeed.store.sources import load
from tests.fork_server import clean_environment, fork_server
from tests.store.test_batches import NOW

Sources = Callable[..., "subprocess.CompletedProcess[str]"]
OPML = """<opml version="2.0"><body>
<outline text="News"><outline type="rss" text="北堤 日报" xmlUrl="https://beidi.example/feed"/></outline>
<outline type="rss" text="Tide" xmlUrl="https://tide.example/feed" kzfeed:every="30m"
  xmlns:kzfeed="https://kzfeed.example/opml"/></body></opml>
"""


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Sources:
    """Runs `kzfeed sources` in a folder whose kzfeed.toml names a database and no sources."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    (tmp_path / "kzfeed.toml").write_text(f'[database]\nurl = "{url}"\n', "utf-8")

    def sources(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(["sources", *arguments], tmp_path, clean_environment(KZFEED_HTTP_HOST_GAP="0s"))

    return sources


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_sources_are_imported_changed_and_removed_in_the_database(
    run: Sources, database: Database, tmp_path: Path
) -> None:
    configuration = (tmp_path / "kzfeed.toml").read_text("utf-8")
    (tmp_path / "feeds.opml").write_text(OPML, "utf-8")

    imported = run("import", "feeds.opml")
    assert imported.stdout == "2 sources added, 0 there already, 0 left out\n", imported.stderr
    assert "has no tags" in imported.stderr
    assert run("import", "feeds.opml").stdout == "0 sources added, 2 there already, 0 left out\n"
    changed = run("set", "tide", "every=2h", 'include=[{any="tide"}]')
    assert (changed.returncode, changed.stdout) == (0, "changed tide in the database\n"), changed.stderr
    disabled = run("disable", "tide", "--json")
    assert json.loads(disabled.stdout) == [{"name": "tide", "file": None}]
    assert run("remove", "北堤-日报").returncode == 0

    removed, tide = sorted(load(database), key=lambda source: source.status, reverse=True)
    assert (removed.name, removed.status, removed.enabled) == ("北堤-日报", "removed", False)
    assert (tide.title, tide.every.total_seconds(), tide.enabled) == ("Tide", 7200, False)
    assert [rule.any for rule in tide.filters.include] == ["tide"]
    assert run("enable", "tide").returncode == 0
    assert load(database, ["tide"])[0].enabled
    assert (tmp_path / "kzfeed.toml").read_text("utf-8") == configuration
    apply_configuration(Settings(), database, NOW)
    assert len(load(database)) == 2, "the built-in sources never enter a database that has sources"


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_the_database_cannot_hold_or_does_not_have_is_refused(
    run: Sources, database: Database, served: tuple[Path, str]
) -> None:
    folder, address = served
    item = "<item><title>a</title><link>https://e.example/1</link><pubDate>1 Jan 2026 00:00 GMT</pubDate></item>"
    text = f"<rss version='2.0'><channel><title>Tide</title>{item}</channel></rss>"
    (folder / "feed.xml").write_text(text, "utf-8")

    added = run("add", f"{address}/feed.xml")
    assert (added.returncode, added.stdout) == (0, f"added tide: {address}/feed.xml\n"), added.stderr
    assert run("add", f"{address}/feed.xml").stdout == f"there already as tide: {address}/feed.xml\n"
    for arguments, said in (
        (("set", "tide", 'tags=["News"]'), "tags needs a file"),
        (("set", "tide", "every=often"), "sources.tide.every = 'often': expected"),
        (("set", "tide", "url=https://me:hunter2@tide.example/"), "the database holds no secrets"),
        (("remove", "tyde"), "no source 'tyde' is in the database: the nearest is tide"),
    ):
        refused = run(*arguments)
        assert refused.returncode == 2, arguments
        assert said in refused.stderr
    [tide] = load(database)
    assert (tide.url, tide.status) == (f"{address}/feed.xml", "active")
