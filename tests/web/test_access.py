"""Who may see the pages, and where they are served: the command `kzfeed web`, passwords, names of hosts."""

import asyncio
import base64
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.errors import UsageError
from kzfeed.store.database_roles import grant, revoke
from kzfeed.store.engine import Database
from kzfeed.web.app import ReaderAccess
from kzfeed.web.passwords import parse_passwords, password_line
from tests.conftest import NewDatabase
from tests.databases import execute
from tests.export.test_restore import fill
from tests.fork_server import clean_environment, fork_server
from tests.web.site import Site, index_all, serving, url_of


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_a_password_is_asked_for_where_there_is_one(sqlite_database: Database) -> None:
    lines = f"# those who may enter\n{password_line('айгүл', 'p:ä')}\n"
    passwords = parse_passwords(lines, "passwords")

    with serving(sqlite_database, ReaderAccess(may_enter=passwords.may_enter)) as address:
        site = Site(sqlite_database, address)
        refused = site.get("/")
        statuses = [site.get("/", Authorization=basic(*each)).status for each in (("айгүл", "x"), ("bob", "p:ä"))]
        wrong = ("Basic ???", "Bearer x", "Basic")
        statuses += [site.get("/style.css", Authorization=each).status for each in wrong]
        let_in = [site.get("/", Authorization=basic("айгүл", "p:ä")).status for _ in range(2)]

    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="kzfeed", charset="UTF-8"')
    assert statuses == [401] * 5
    assert let_in == [200, 200]


def test_a_file_of_passwords_with_a_mistake_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match="passwords: line 2 is no password"):
        parse_passwords(f"{password_line('a', 'b')}\nc:secret\n", "passwords")
    with pytest.raises(UsageError, match="holds no password"):
        parse_passwords("# nobody\n", "passwords")


def test_other_machines_are_let_in_only_with_a_password_or_behind_a_proxy(
    sqlite_database: Database, tmp_path: Path
) -> None:
    environment = clean_environment(KZFEED_DATABASE_URL=url_of(sqlite_database))

    done = fork_server().run(["web", "--listen", "0.0.0.0:8087"], tmp_path, environment)

    assert done.returncode == 2
    assert "set web.passwords, or web.behind_proxy = true" in " ".join(done.stderr.split())


def test_the_command_makes_the_line_of_a_password(tmp_path: Path) -> None:
    typed, printed, said = tmp_path / "typed", tmp_path / "printed", tmp_path / "said"
    typed.write_text("sesame\nsesame\n")
    process = fork_server().start(
        ["web", "--new-password", "bob"],
        tmp_path,
        clean_environment(),
        stdin=str(typed),
        stdout=str(printed),
        stderr=str(said),
    )

    assert fork_server().wait(process) == 0, said.read_text()
    assert "sesame" not in printed.read_text()
    entered = parse_passwords(printed.read_text(), "passwords").may_enter(basic("bob", "sesame"))
    assert asyncio.run(entered)


def test_without_its_packages_the_command_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['nh3'] = None; from kzfeed.cli.main import main; main()"
    command = [sys.executable, "-c", program, "web"]
    done = subprocess.run(command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True)

    assert done.returncode == 2
    assert "install kzfeed[web]" in done.stderr


def test_a_name_that_the_operator_gives_is_answered(sqlite_database: Database) -> None:
    with serving(sqlite_database, ReaderAccess(hosts=["archive.example"])) as address:
        site = Site(sqlite_database, address)

        assert site.get("/", Host="Archive.EXAMPLE:443").status == 200
        assert site.get("/", Host="other.example").status == 421


class UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


@pytest.mark.slow
def test_the_command_serves_a_unix_socket_until_a_signal(sqlite_database: Database, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    environment = clean_environment(KZFEED_DATABASE_URL=url_of(sqlite_database), KZFEED_LOG_FORMAT="json")
    command = [sys.executable, "-m", "kzfeed", "web", "--listen", f"unix:{path}"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        assert f"unix:{path}" in line
        with closing(UnixConnection(str(path))) as connection:
            connection.request("GET", "/", headers={"Host": "localhost"})
            answer = connection.getresponse()
            assert (answer.status, b"</html>" in answer.read()) == (200, True)
        process.send_signal(signal.SIGTERM)
        process.wait(180)  # it yields to all others of a busy machine
    assert not path.exists()
    assert process.returncode == 0


@pytest.mark.slow
def test_both_engines_show_the_same_pages_and_a_slow_query_is_a_page_that_says_so(database: Database) -> None:
    fill(database)
    index_all(database)
    with serving(database) as address:
        site = Site(database, address)
        listed = site.get("/articles.json?changed=1").json["articles"]
        found = site.get("/?q=灯塔的故事")
        article = site.get(f"/a/{listed[0]['url_hash'][:16]}")
    assert (len(listed), found.text.count("<mark>"), article.status) == (4, 9, 200)
    if database.dialect == "postgresql":
        with serving(database, query_time_limit=timedelta(seconds=0.5)) as address:
            site = Site(database, address)
            with database.engine.begin() as connection:
                connection.execute(sa.text("LOCK TABLE articles IN ACCESS EXCLUSIVE MODE"))
                slow = site.get("/")
            assert (slow.status, slow.headers["retry-after"]) == (503, "5")
            assert "This took too long" in slow.visible
            # On a busy machine the page may take longer than the limit without a lock, too.
            assert any(site.get("/").status == 200 for _ in range(60))


def test_a_file_that_takes_the_place_of_the_database_is_shown_after_one_failure(
    sqlite_database: Database, empty_archive: Path
) -> None:
    assert sqlite_database.file
    other = sqlite_database.file.with_name("other.db")
    shutil.copy(empty_archive, other)
    with closing(Database(f"sqlite:///{other}")) as filled:
        fill(filled)
    with serving(sqlite_database) as address:
        site = Site(sqlite_database, address)
        empty = site.get("/articles.json").json["articles"]
        for companion in ("-wal", "-shm"):
            sqlite_database.file.with_name(f"kzfeed.db{companion}").unlink(missing_ok=True)
        other.replace(sqlite_database.file)
        failed, shown = site.get("/articles.json"), site.get("/articles.json")

    assert (empty, failed.status) == ([], 503)
    assert len(shown.json["articles"]) == 23


def test_eight_pages_are_made_at_a_time_and_all_of_many_are_answered(sqlite_database: Database) -> None:
    with serving(sqlite_database) as address:
        site = Site(sqlite_database, address)
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(site.get("/").status)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200] * 40


@pytest.mark.slow
def test_a_role_that_may_only_read_is_enough_for_every_page(new_database: NewDatabase) -> None:
    database = new_database("postgresql")
    fill(database)
    index_all(database)
    role = f"reader_{database.engine.url.database}"
    execute(url_of(database), f"CREATE ROLE {role} LOGIN")
    try:
        grant(database, role)
        url = database.engine.url.set(username=role)
        with closing(Database(url.render_as_string(hide_password=False))) as reader, serving(reader) as address:
            site = Site(reader, address)
            pages = ["/", "/?q=灯塔", "/articles.json", "/articles.atom", "/articles.jsonl", "/articles.csv"]
            (first, *_) = site.get("/articles.json?changed=1").json["articles"]
            article = f"/a/{first['url_hash'][:16]}"
            pages += [article, f"{article}.txt", f"{article}.atom", f"{article}/v/1"]
            assert {page: site.get(page).status for page in pages} == dict.fromkeys(pages, 200)
    finally:
        revoke(database, role)
        execute(url_of(database), f"DROP ROLE {role}")
