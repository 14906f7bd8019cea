"""`kzfeed verify`, `db backup` and `diff` in real processes, and the commands of docs/backup.md as they are written."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from kzfeed.article.archive_file import ArchiveFile, parse
from kzfeed.article.build import article_of_file
from kzfeed.store.commit import store_files
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server
from tests.store.test_backup import PROGRAMS, exported
from tests.terminal import at_terminal

ROOT = Path(__file__).parents[1]
SEEDS = ROOT / "seeds"
ARTICLE = "https://e.example/1"
NOW = datetime(2022, 1, 11, 18, 0, tzinfo=UTC)

Run = Callable[..., "subprocess.CompletedProcess[str]"]

only_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), str(PROGRAMS[max(PROGRAMS)]), os.environ["PATH"]])
    return clean_environment(KZFEED_DATABASE_URL=database_url, PATH=path, TERM="xterm-256color")


@pytest.fixture
def kzfeed(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Runs kzfeed in an empty folder with the test's database."""

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(arguments, tmp_path, environment)

    return run


def store(database: Database, *versions: tuple[str, str]) -> None:
    """One article in these versions, each a title and a body."""
    files = [ArchiveFile(1641922743000, title, ARTICLE, body) for title, body in versions]
    store_files(database, [("e.example", article_of_file(file)) for file in files], NOW)


def store_samples(database: Database) -> int:
    """The sample articles; returns how many there are."""
    files = [parse(file.read_bytes()) for file in sorted(SEEDS.iterdir())]
    store_files(database, [("samples", article_of_file(file)) for file in files], NOW)
    return len(files)


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(sa.text(statement))


# --- verify ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_verify_says_that_all_is_well_or_names_what_is_not(kzfeed: Run, database: Database) -> None:
    files = store_samples(database)
    clean = kzfeed("verify")
    execute(database, "UPDATE articles SET url = 'https://e.example/other', text = '' WHERE id = 2")
    execute(database, "UPDATE articles SET text = '' WHERE id = 3")
    execute(database, "UPDATE articles SET text = '', fingerprint = '9:' || url_hash WHERE id = 4")
    damaged, in_json = kzfeed("verify"), kzfeed("verify", "--json")

    assert clean.returncode == 0
    assert clean.stdout == f"{files} articles and 0 older versions checked: no damage, no notes\n"
    assert (damaged.returncode, in_json.returncode) == (1, 1)
    *lines, summary = damaged.stdout.splitlines()
    assert [line.split(": ")[:3] for line in lines] == [
        ["damage", "hash", "articles id=2"],
        ["damage", "altered", "articles id=2"],
        ["damage", "altered", "articles id=3"],
        ["note", "stale", "articles id=4"],
    ]
    assert summary == f"{files} articles and 0 older versions checked: 3 damaged, 1 note"
    report = json.loads(in_json.stdout)
    findings = report.pop("findings")
    assert report == {"articles": files, "revisions": 0, "damage": 3, "notes": 1}
    assert [(each["kind"], each["is_damage"], each["row"]) for each in findings] == [
        ("hash", True, "articles id=2"),
        ("altered", True, "articles id=2"),
        ("altered", True, "articles id=3"),
        ("stale", False, "articles id=4"),
    ]


@only_on_sqlite
def test_many_notes_of_one_kind_are_one_line_and_all_of_them_are_in_json(kzfeed: Run, database: Database) -> None:
    many = [
        ArchiveFile(None, f"第{number}篇", f"https://e.example/{number}", f"<p>{number}</p>") for number in range(29)
    ]
    store_files(database, [("e.example", article_of_file(file)) for file in many], NOW)
    execute(database, "UPDATE articles SET text = 'as a later kzfeed reads it', fingerprint = '9:' || url_hash")

    lines = kzfeed("verify").stdout.splitlines()
    report = json.loads(kzfeed("verify", "--json").stdout)

    assert sum(line.startswith("note: stale: articles ") for line in lines) == 1
    assert lines[0].endswith(" (and 28 more of this kind: see --json)")
    assert lines[-1] == "29 articles and 0 older versions checked: no damage, 29 notes"
    assert len(report["findings"]) == report["notes"] == 29


@only_on_sqlite
def test_what_cannot_be_read_can_be_neither_checked_nor_backed_up(kzfeed: Run, tmp_path: Path) -> None:
    for arguments in (["verify"], ["db", "backup", "copy"]):
        done = kzfeed(*arguments)
        assert (done.returncode, done.stdout) == (3, "")
        assert "there is no database" in done.stderr
    assert list(tmp_path.iterdir()) == []


# --- db backup -------------------------------------------------------------------------------------------------------


@only_on_sqlite
def test_a_backup_says_how_large_it_is_and_overwrites_only_if_told_to(
    kzfeed: Run, database: Database, tmp_path: Path
) -> None:
    store_samples(database)

    first = kzfeed("db", "backup", "copy")
    second = kzfeed("db", "backup", "copy")
    third = kzfeed("db", "backup", "copy", "--overwrite")

    assert first.stdout == third.stdout == f"copy: {(tmp_path / 'copy').stat().st_size:,} bytes\n"
    assert [each.returncode for each in (first, second, third)] == [0, 2, 0]
    assert "copy exists" in second.stderr


def commands_of(heading: str) -> str:
    """The commands that docs/backup.md gives under its title and under this heading."""
    parts = re.split(r"^## ", (ROOT / "docs" / "backup.md").read_text("utf-8"), flags=re.MULTILINE)
    wanted = [part for part in parts[1:] if part.startswith(heading)]
    assert len(wanted) == 1
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", parts[0] + wanted[0], flags=re.MULTILINE | re.DOTALL))


def shell(commands: str, folder: Path, environment: dict[str, str]) -> str:
    return subprocess.run(
        ["bash", "-euc", commands], cwd=folder, env=environment, text=True, check=True, stdout=subprocess.PIPE
    ).stdout


@pytest.mark.slow
@only_on_sqlite
def test_the_documented_way_back_on_sqlite_works(
    sqlite_database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["KZFEED_DATABASE_URL"]  # ./kzfeed.db
    store_samples(sqlite_database)
    before = exported(sqlite_database, tmp_path / "before")
    backing_up, restoring = commands_of("SQLite").split("\n", 1)
    shell(backing_up, tmp_path, environment)
    sqlite_database.close()
    for name in ("kzfeed.db", "kzfeed.db-wal"):
        (tmp_path / name).write_bytes(b"ruined")

    said = shell(restoring, tmp_path, environment)

    assert "no damage" in said
    assert exported(sqlite_database, tmp_path / "after") == before != {}


@pytest.mark.slow
@only_on_postgresql
def test_the_documented_way_back_on_postgresql_works(
    database: Database, database_url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    store_samples(database)
    url = sa.make_url(database_url)
    names = {"kzfeed": url.database, "kzfeed_restored": f"{url.database}_restored", "postgres": "postgres"}

    def real(name: str) -> str:
        return url.set(database=names[name]).render_as_string(hide_password=False)

    commands = commands_of("PostgreSQL").replace("DATABASE kzfeed_restored", f"DATABASE {names['kzfeed_restored']}")
    said = shell(
        re.sub(r"postgresql://user@host/(\w+)", lambda name: f"'{real(name[1])}'", commands), tmp_path, environment
    )
    restored = Database(real("kzfeed_restored"))

    assert "no damage" in said
    assert exported(restored, tmp_path / "after") == exported(database, tmp_path / "before") != {}
    restored.close()
    shell(f"psql '{real('postgres')}' -c 'DROP DATABASE {names['kzfeed_restored']}'", tmp_path, environment)


# --- diff ------------------------------------------------------------------------------------------------------------

VERSIONS = (
    ("抗议造成164人死亡", "<p>导言。</p><p>局势已经得到控制。</p><p>结尾。</p>"),
    ("抗议造成225人死亡", "<p>导言。</p><p>局势已经完全得到控制。</p><p>结尾。</p>"),
    ("抗议造成225人死亡", "<p>导言。</p><p>局势已经完全得到控制。</p><p>机场\x1b[2J重开。</p><p>结尾。</p>"),
)


FIRST = [
    "revision 1 → 2, seen 2022-01-11 18:00 by e.example",
    "title: 抗议造成[-164-]{+225+}人死亡",
    "… 1 paragraph unchanged",
    "局势已经{+完全+}得到控制。",
    "… 1 paragraph unchanged",
]
SECOND = [
    "revision 2 → 3, seen 2022-01-11 18:00 by e.example",
    "… 2 paragraphs unchanged",
    r"{+机场\x1b[2J重开。+}",
    "… 1 paragraph unchanged",
]


def test_diff_shows_what_changed_step_by_step(kzfeed: Run, database: Database) -> None:
    store(database, *VERSIONS)

    done = kzfeed("diff", ARTICLE)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [*FIRST, "", *SECOND]


@only_on_sqlite
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--revision", "3"], SECOND),
        (["--from", "3", "--to", "1"], ["局势已经[-完全-]得到控制。", r"[-机场\x1b[2J重开。-]"]),
    ],
)
def test_diff_shows_only_what_was_asked_for(
    kzfeed: Run, database: Database, options: list[str], expected: list[str]
) -> None:
    store(database, *VERSIONS)

    lines = kzfeed("diff", "1", *options).stdout.splitlines()

    assert [line for line in lines if line in expected] == expected
    assert sum(line.startswith("revision") for line in lines) == 1


@only_on_sqlite
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1", "--revision", "1"], "cannot compare revision 0 with 1: the archive holds 1, 2, 3"),
        (["1", "--revision", "2", "--to", "3"], "give --revision alone, or --from and --to"),
    ],
)
def test_diff_says_what_it_cannot_compare(kzfeed: Run, database: Database, arguments: list[str], said: str) -> None:
    store(database, *VERSIONS)

    done = kzfeed("diff", *arguments)

    assert done.returncode == 2
    assert said in done.stderr


@only_on_sqlite
def test_diff_says_so_where_there_is_one_version(kzfeed: Run, database: Database) -> None:
    store(database, VERSIONS[0])

    done = kzfeed("diff", "1")

    assert done.returncode == 0
    assert done.stdout == "revision 1, seen 2022-01-11 18:00 by e.example: the archive holds no other version\n"


@only_on_sqlite
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "抗议造成\x1b[9;31m164\x1b[0m\x1b[32m225\x1b[0m人死亡"),
        ({"NO_COLOR": "1"}, "抗议造成[-164-]{+225+}人死亡"),
    ],
)
def test_diff_has_colours_on_a_terminal_that_has_them(
    database: Database, environment: dict[str, str], tmp_path: Path, settings: dict[str, str], expected: str
) -> None:
    store(database, ("长" * 300 + VERSIONS[0][0], "一"), ("长" * 300 + VERSIONS[1][0], "一"))
    output = at_terminal(["diff", ARTICLE], tmp_path, environment | settings)

    assert "长" * 300 + expected in output
