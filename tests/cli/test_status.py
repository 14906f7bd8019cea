"""`kzfeed status`: what it says of a running, a stopped and a killed daemon, of what is late and of what fails."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from kzfeed import __version__
from kzfeed.model.polls import SourceConfig
from kzfeed.store import schema, sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.status import status
from kzfeed.store.queue import heartbeats
from kzfeed.store.queue.heartbeats import Heartbeat
from tests.cli.test_terminal import RSS, configure
from tests.etiquette.program import within
from tests.faults.processes import Running
from tests.fork_server import clean_environment, fork_server
from tests.terminal import at_terminal

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return clean_environment(KZFEED_DATABASE_URL=database_url)


def told(folder: Path, environment: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """The exit status and the JSON of `kzfeed status`."""
    done = fork_server().run(["status", "--json"], folder, environment)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


@pytest.mark.slow
def test_a_daemon_is_seen_while_it_runs_and_not_after_it_was_stopped(
    served: tuple[Path, str], database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    folder, address = served
    (folder / "feed.xml").write_text(RSS.format(title="一"), "utf-8")
    configure(tmp_path, ("新闻", f"{address}/feed.xml"), ("missing", f"{address}/missing.xml"))
    with Running(tmp_path, database_url, "run") as daemon:
        for name in ("新闻", "missing"):
            daemon.wait_for("poll", source=name)
        within(180, lambda: bool(told(tmp_path, environment)[1]["daemons"]))

        exit_status, found = told(tmp_path, environment)
        lines = at_terminal(["status"], tmp_path, environment | {"TERM": "xterm"}).splitlines()
        assert daemon.stop(within=30) == 0

    assert (exit_status, found["healthy"], found["problems"]) == (0, True, [])
    (beat,) = found["daemons"]
    assert beat["name"].split(":")[1] == str(daemon.process.pid)
    assert beat["version"] == __version__
    assert found["sources"] == 2
    assert [(each["source"], each["failure_count"]) for each in found["failing"]] == [("missing", 1)]
    assert found["last_poll"]["source"] in ("新闻", "missing")
    assert found["next_poll_at"] > found["last_poll"]["started_at"]
    assert lines[0] == "health      good"
    assert f"kzfeed {__version__}" in " ".join(lines)
    assert any(line.startswith("  missing: since") for line in lines)
    assert len(lines) <= 10
    assert max(map(cell_len, lines)) <= 80
    exit_status, found = told(tmp_path, environment)
    assert (exit_status, found["daemons"], found["silent_daemons"]) == (1, [], [])
    assert found["problems"] == ["no daemon runs on this database: start `kzfeed run`"]


def test_the_status_has_ten_lines_however_many_sources_fail(sqlite_database: Database, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    sources.configure(sqlite_database, [SourceConfig(f"s{n}", f"https://{n}.example/") for n in range(9)], now)
    failed = {"failing_since": now, "failure_count": 2, "last_error_kind": "connect", "last_error": 9 * "refused "}
    with sqlite_database.write() as connection:
        connection.execute(sa.update(tables.sources).values(status="failing", next_poll_at=now + MINUTE, **failed))
    heartbeats.beat(sqlite_database, Heartbeat("host:12345:0123abcd", "1.10.0", now - 59 * MINUTE, now))

    environment = clean_environment(KZFEED_DATABASE_URL=f"sqlite:///{tmp_path}/kzfeed.db")
    lines = fork_server().run(["status"], tmp_path, environment).stdout.splitlines()

    assert len(lines) == 10
    assert "  and 6 other sources: see `kzfeed sources list`" in lines


def beat(database: Database, name: str, age: timedelta) -> None:
    heartbeats.beat(database, Heartbeat(name, "1", NOW - timedelta(hours=9), NOW - age))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_daemon_that_was_killed_is_silent_beside_another_one_and_forgotten_later(database: Database) -> None:
    beat(database, "killed", 2 * MINUTE)
    beat(database, "running", timedelta(seconds=5))
    beat(database, "before the clock was set back", -5 * MINUTE)

    found = status(database, NOW)
    beat(database, "running", -2 * heartbeats.FORGOTTEN_AFTER)

    assert [each.name for each in found["daemons"]] == ["running"]
    assert [each.name for each in found["silent_daemons"]] == ["before the clock was set back", "killed"]
    assert found["healthy"]
    with database.read() as connection:
        assert [each.name for each in heartbeats.heartbeats(connection)] == ["running"]


def test_a_daemon_without_a_sign_of_life_is_a_problem(database: Database) -> None:
    beat(database, "a", timedelta(seconds=59))
    assert status(database, NOW)["healthy"]

    found = status(database, NOW + timedelta(seconds=2))

    assert not found["healthy"]
    assert "no daemon runs" in found["problems"][0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_new_daemon_takes_the_place_of_a_killed_one_in_sqlite(database: Database) -> None:
    beat(database, "killed", timedelta(seconds=5))
    beat(database, "new", timedelta())

    assert [each.name for each in status(database, NOW)["daemons"]] == ["new"]


def test_polls_are_late_unless_their_host_asked_to_wait(database: Database) -> None:
    beat(database, "a", timedelta())
    configs = [SourceConfig(name, f"https://{name}.example/") for name in ("voa", "rfi", "later")]
    sources.configure(database, configs, NOW)
    source = tables.sources.c

    def due(name: str, ago: timedelta) -> None:
        with database.write() as connection:
            connection.execute(sa.update(tables.sources).where(source.name == name).values(next_poll_at=NOW - ago))

    for name, ago in (("voa", 14 * MINUTE), ("rfi", MINUTE), ("later", -MINUTE)):
        due(name, ago)
    found = status(database, NOW)
    assert (found["due"], found["longest_due"], found["lag_seconds"]) == (2, "voa", 840)
    assert found["next_poll_at"] == NOW + MINUTE
    assert found["healthy"]

    due("voa", 16 * MINUTE)
    assert status(database, NOW)["problems"] == ["polls are late: voa has been due for more than 15 minutes"]

    with database.write() as connection:
        paused = {"host": "voa.example", "paused_until": NOW + MINUTE}
        connection.execute(sa.insert(tables.hosts), [paused])
    assert status(database, NOW)["longest_due"] == "rfi"
    assert status(database, NOW)["healthy"]


@pytest.mark.slow
def test_search_that_lags_or_is_missing_is_said(
    database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = fork_server().run(["status"], tmp_path, environment).stdout.splitlines()
    assert "this archive has no search index yet" in lines[-1]

    (tmp_path / "a.txt").write_text("<!--NaN-->\n[t](https://f.example/1)\n------\n\nx\n")
    fork_server().run(["search", "--rebuild"], tmp_path, environment)
    assert fork_server().run(["status"], tmp_path, environment).stdout.splitlines()[-1] == "search      up to date"
    fork_server().run(["backfill", "a.txt"], tmp_path, environment)
    said = fork_server().run(["status"], tmp_path, environment).stdout.splitlines()[-1]
    assert said.startswith("search      1 article not indexed yet, the first of them stored at")


def test_a_mistake_in_the_configuration_hides_neither_the_status_nor_the_articles(
    sqlite_database: Database, tmp_path: Path
) -> None:
    url = f"sqlite:///{sqlite_database.file}"
    with_url = f'evry = 1\n[database]\nurl = "{url}"'

    def run(text: str, *arguments: str) -> tuple[int, bool]:
        (tmp_path / "kzfeed.toml").write_text(text)
        done = fork_server().run(arguments, tmp_path, clean_environment())
        goes_on = "mistakes in the configuration, only its database is used" in done.stderr
        assert not goes_on or json.loads(done.stderr.splitlines()[0])["see"] == "kzfeed config check"
        return done.returncode, goes_on

    without_daemon = (1, True)
    assert run(with_url, "status") == run("not TOML", "status", "--database", url) == without_daemon
    assert run(with_url, "list") == (0, True)
    assert run("not TOML", "status") == run("[database]\nurl = 1", "status") == (2, False)


def test_without_a_database_the_status_is_3(tmp_path: Path) -> None:
    done = fork_server().run(["status"], tmp_path, clean_environment())

    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no database" in done.stderr


def test_a_schema_that_is_too_old_is_said(database_url: str, environment: dict[str, str], tmp_path: Path) -> None:
    old = Database(database_url)
    schema.create(old, "0012")
    old.close()

    done = fork_server().run(["status"], tmp_path, environment)

    assert done.returncode == 3
    assert "kzfeed db upgrade" in done.stderr
