"""Archives of earlier releases: they are upgraded without a loss, and what comes again becomes no new version."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kzfeed.store import schema, tables
from kzfeed.store.engine import Database
from kzfeed.store.integrity.verify import verify
from tests.conftest import ENGINES
from tests.databases import Databases
from tests.faults.processes import kzfeed
from tests.file_server import serving

ROOT = Path(__file__).parents[2]
RELEASES = ROOT / "tests" / "data" / "releases"
FEEDS = {"rss": "rss.xml", "atom": "atom.xml", "json": "feed.json"}
TEXTS = ("url_hash", "url", "title", "content", "published_at", "first_seen_at", "revision")
"""The columns of articles that no upgrade changes."""


@pytest.fixture(params=["0002", "0017"])
def release(request: pytest.FixtureRequest) -> str:
    """The schema revision of the first release, and of this one."""
    name: str = request.param
    return name


@pytest.fixture(params=ENGINES)
def archive(request: pytest.FixtureRequest, release: str, empty_databases: Databases) -> str:
    """The URL of a database as that release left it, made by tests/data/releases/make.py."""
    url = empty_databases.new(request.param)
    script = (RELEASES / f"{release}.{request.param}.sql").read_text("utf-8")
    if request.param == "sqlite":
        with closing(sqlite3.connect(str(sa.make_url(url).database))) as connection:
            connection.executescript(script)
    else:
        database = Database(url)
        with database.engine.begin() as connection:
            connection.exec_driver_sql(script.replace("%", "%%"))
        database.close()
    return url


def articles(database: Database) -> list[dict[str, Any]]:
    columns = [tables.articles.c[name] for name in TEXTS]
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(*columns).order_by(columns[0]))]


def test_an_upgrade_keeps_all_articles_and_versions_and_leaves_a_sound_archive(archive: str, release: str) -> None:
    database = Database(archive)
    assert schema.current(database) == release
    before = articles(database)
    assert len(before) == 17
    assert sum(each["revision"] for each in before) == 20

    schema.upgrade(database)

    findings: list[str] = []
    checked = verify(database, lambda each: findings.append(str(each)))
    assert findings == []
    assert (checked.articles, checked.revisions) == (17, 3)
    assert articles(database) == before
    database.close()


@pytest.mark.slow
def test_what_comes_again_after_an_upgrade_becomes_no_new_version(archive: str, release: str, tmp_path: Path) -> None:
    for file in FEEDS.values():
        shutil.copy(RELEASES / file, tmp_path)
    with serving(tmp_path) as address:
        sources = "".join(f'[[sources]]\nname = "{name}"\nurl = "{address}/{file}"\n' for name, file in FEEDS.items())
        (tmp_path / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\n{sources}', encoding="utf-8")

        polled = kzfeed(tmp_path, archive, "poll", "--force", "--json")
        filled = kzfeed(tmp_path, archive, "backfill", ROOT / "seeds", "--source", "seeds")

    reports = json.loads(polled.stdout)
    assert polled.returncode == 0, polled.stderr
    assert ("upgrading the schema" in polled.stderr) == (release != schema.HEAD)
    assert {each["outcome"] for each in reports} == {"unchanged"}, reports
    assert filled.stdout.splitlines()[-1].startswith("8 files: 0 new, 0 revised, 8 unchanged")
    database = Database(archive)
    assert sum(each["revision"] for each in articles(database)) == 20
    database.close()
