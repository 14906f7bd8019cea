"""`kzfeed doctor`: what it finds good, worth a look and broken, and that it changes nothing."""

import json
import shutil
import socket
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kzfeed.doctor.network import sample
from kzfeed.model.polls import Source, SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queue.heartbeats import Heartbeat, beat
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Reply, recording
from tests.fork_server import READER, clean_environment, fork_server, needs_root
from tests.terminal import at_terminal

HOST = "127.0.15.9"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def configure(folder: Path, *urls: str, http: str = "") -> None:
    tables = "".join(f'[[sources]]\nname = "s{number}"\nurl = "{url}"\n' for number, url in enumerate(urls))
    head = f'[database]\nurl = "sqlite:///{folder}/kzfeed.db"\n[http]\ncontact = "a@e.example"\nhost_gap = "0s"\n'
    (folder / "kzfeed.toml").write_text(f"{head}{http}\n{tables}")


def doctor(folder: Path, *options: str, **variables: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit status, and the level and the sentence of each subject."""
    done = fork_server().run(["doctor", "--json", *options], folder, clean_environment(**variables))
    assert done.stderr == ""
    return done.returncode, {each["subject"]: (each["level"], each["said"]) for each in json.loads(done.stdout)}


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, but for SQLite's shared memory, which has no contents of its own."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.name.endswith("-shm")}


def test_a_healthy_archive_is_good_and_stays_as_it_is(sqlite_database: Database, tmp_path: Path) -> None:
    started = datetime.now(UTC)
    beat(sqlite_database, Heartbeat("daemon", "1", started, started))
    sqlite_database.close()
    with recording([HOST]) as server:
        configure(tmp_path, server.page("/a", Reply(200, body=rss([1, 2])), host=HOST).url)
        fork_server().run(["sources", "list"], tmp_path, clean_environment())
        before = contents(tmp_path)

        status, found = doctor(tmp_path)

    assert (status, {level for level, _ in found.values()}) == (0, {"good"}), found
    assert found["source s0"] == ("good", "200, 2 articles")
    assert "a quick check finds no damage" in found["database"][1]
    assert contents(tmp_path) == before


def test_both_engines_are_good(database: Database, database_url: str, tmp_path: Path) -> None:
    configure(tmp_path)

    status, found = doctor(tmp_path, "--no-network", KZFEED_DATABASE_URL=database_url)

    assert (status, found["database"][0], found["clock"][0]) == (0, "good", "good")
    assert found["daemon"] == ("to look at", "no daemon runs on this database: start `kzfeed run`")
    assert database.dialect != "postgresql" or "as the database's server says too" in found["clock"][1]


def test_a_clock_that_was_set_back_is_broken(database: Database, database_url: str, tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    beat(database, Heartbeat("daemon", "1", later, later))
    configure(tmp_path)

    status, found = doctor(tmp_path, "--no-network", KZFEED_DATABASE_URL=database_url)

    assert (status, found["clock"][0]) == (1, "broken")
    assert "set it, for example with timedatectl" in found["clock"][1]


def test_a_schema_with_a_lack_is_broken(database: Database, database_url: str, tmp_path: Path) -> None:
    index = min(str(each.name) for each in tables.articles.indexes)
    with database.write() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index}")
    configure(tmp_path)

    status, found = doctor(tmp_path, "--no-network", KZFEED_DATABASE_URL=database_url)

    assert (status, found["database"][0]) == (1, "broken")
    assert f"articles: its index {index} is missing: run `kzfeed verify`" in found["database"][1]


def test_without_a_database_it_says_what_makes_one(tmp_path: Path) -> None:
    configure(tmp_path)

    status, found = doctor(tmp_path, "--no-network")

    assert (status, found["database"][0]) == (0, "to look at")
    assert "`kzfeed poll` make one" in found["database"][1]
    assert [each.name for each in tmp_path.iterdir()] == ["kzfeed.toml"]


def test_a_file_that_everybody_may_write_is_worth_a_look(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.close()
    configure(tmp_path)
    (tmp_path / "kzfeed.db").chmod(0o666)

    status, found = doctor(tmp_path, "--no-network")

    said = f"{tmp_path}/kzfeed.db may be written by everybody: chmod o-w {tmp_path}/kzfeed.db"
    assert (status, found["permissions"]) == (0, ("to look at", said))


@pytest.mark.slow
@needs_root
def test_a_database_that_its_user_may_not_write_is_broken(empty_archive: Path) -> None:
    # Not in pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(empty_archive, folder / "kzfeed.db")
        configure(folder)

        done = fork_server().run(["doctor", "--json", "--no-network"], folder, clean_environment(), user=READER)

    found = {each["subject"]: each for each in json.loads(done.stdout)}
    assert (done.returncode, found["permissions"]["level"]) == (1, "broken")
    assert "may not be written by this user" in found["permissions"]["said"]


def test_a_server_that_does_not_answer_is_broken(tmp_path: Path) -> None:
    configure(tmp_path)

    status, found = doctor(tmp_path, "--no-network", KZFEED_DATABASE_URL="postgresql://kzfeed:word@127.0.0.1:1/a")

    assert (status, found["database"][0]) == (1, "broken")
    assert found["database"][1].endswith("; start the server, or correct url under [database]")
    assert "word" not in str(found)


def test_a_name_that_does_not_resolve_and_a_proxy_that_does_not_answer_are_broken(tmp_path: Path) -> None:
    configure(tmp_path, "http://nowhere.invalid/feed")
    status, found = doctor(tmp_path)
    assert (status, found["resolver"][0], found["source s0"][0]) == (1, "broken", "to look at")
    configure(tmp_path, "http://nowhere.invalid/feed", "http://localhost:1/feed")
    assert doctor(tmp_path)[1]["resolver"][0] == "good"

    with socket.socket() as bound:  # bound and not listening: nobody answers
        bound.bind(("127.0.0.1", 0))
        configure(tmp_path, "http://127.0.0.1:1/", http=f'proxy = "http://127.0.0.1:{bound.getsockname()[1]}"')
        status, found = doctor(tmp_path)
    assert (status, found["proxy"][0]) == (1, "broken")


def test_without_configured_sources_those_of_the_database_are_visited(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with recording([HOST]) as server:
        url = server.page("/a", Reply(200, body=rss()), host=HOST).url
        sources.configure(sqlite_database, [SourceConfig("kept", url)], NOW)
        sqlite_database.close()

        _, found = doctor(tmp_path)

    assert [subject for subject in found if subject.startswith("source")] == ["source kept"]


def test_without_network_nobody_is_visited(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.close()
    with recording([HOST]) as server:
        configure(tmp_path, server.page("/a", Reply(200, body=rss()), host=HOST).url)

        _, found = doctor(tmp_path, "--no-network")

        assert server.seen == []
    assert not {"resolver", "proxy", "source s0"} & found.keys()


def test_a_mistake_in_the_configuration_is_broken(tmp_path: Path) -> None:
    (tmp_path / "kzfeed.toml").write_text("[http]\ntimout = 3\nevry = 4\n")

    status, found = doctor(tmp_path)

    assert (status, found["configuration"][0], len(found)) == (1, "broken", 1)
    assert "(and 1 more: run `kzfeed config check`)" in found["configuration"][1]


def test_it_fits_a_terminal(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.close()
    configure(tmp_path)

    said = at_terminal(["doctor", "--no-network"], tmp_path, clean_environment(TERM="xterm", NO_COLOR="1"))

    assert max(map(len, said.splitlines())) <= 80
    assert said.splitlines()[-1].startswith("0 broken, ")


# --- which sources are visited ---------------------------------------------------------------------------------------

SOURCE = Source(id=1, name="a", url="https://a.example/")


@pytest.mark.parametrize(
    ("source", "is_visited"),
    [
        (SOURCE, True),
        (replace(SOURCE, last_polled_at=NOW - timedelta(minutes=14)), False),
        (replace(SOURCE, last_polled_at=NOW - timedelta(minutes=16)), True),
        (replace(SOURCE, not_before=NOW + timedelta(minutes=1)), False),
        (replace(SOURCE, status="gone"), False),
        (replace(SOURCE, enabled=False), False),
    ],
)
def test_a_source_is_visited_only_when_a_poll_might(source: Source, is_visited: bool) -> None:
    urls = {"a": SOURCE.url}

    assert sample(urls, {"a": source}, {}, NOW, timedelta(minutes=15)) == (["a"] if is_visited else [])
    assert sample(urls, {"a": source}, {"a.example": NOW + timedelta(hours=1)}, NOW, timedelta(minutes=15)) == []


def test_at_most_five_hosts_are_visited_each_once_those_that_fail_first() -> None:
    urls = {f"s{number}": f"https://h{number % 7}.example/{number}" for number in range(20)}
    stored = {"s12": replace(SOURCE, name="s12", status="failing")}

    assert sample(urls, stored, {}, NOW, timedelta()) == ["s12", "s0", "s1", "s2", "s3"]
