"""The command line as a user meets it: real processes, real files, real servers on loopback, on both engines."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kzfeed import __version__
from kzfeed.backfill.file_reader import EXPORT_LIST
from kzfeed.store.engine import Database
from kzfeed.store.schema import HEAD
from kzfeed.text import redacted
from tests.faults.processes import Running
from tests.fork_server import clean_environment, fork_server

pytestmark = pytest.mark.slow_on_postgresql

SEEDS = Path(__file__).parents[2] / "seeds"

FILES = 400
"""Files of a backfill that is killed, enough for several batches."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(database_url: str, database: Database) -> dict[str, str]:
    """The environment with the URL of an empty database that has our schema."""
    return clean_environment(KZFEED_DATABASE_URL=database_url)


@pytest.fixture
def kzfeed(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Runs kzfeed in an empty folder with the test's database."""
    return _in_folder(tmp_path, environment)


@pytest.fixture
def kzfeed_of_new_user(tmp_path: Path, database_url: str) -> Run:
    """Runs kzfeed in an empty folder with a database that has no schema yet."""
    return _in_folder(tmp_path, clean_environment(KZFEED_DATABASE_URL=database_url))


def _in_folder(folder: Path, environment: dict[str, str]) -> Run:
    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return fork_server().run(arguments, folder, environment)

    return run


def contents(folder: Path) -> list[bytes]:
    return sorted(file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != EXPORT_LIST)


def configure(folder: Path, *sources: str, http: str = 'host_gap = "0s"\nmin_interval = "0s"') -> None:
    tables = "".join(f"[[sources]]\n{source}\n" for source in sources)
    (folder / "kzfeed.toml").write_text(f"[http]\n{http}\n{tables}", encoding="utf-8")


# --- archive files ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_sample_articles_come_back_byte_for_byte(kzfeed_of_new_user: Run, tmp_path: Path) -> None:
    first = kzfeed_of_new_user("backfill", SEEDS, "--json")
    second = kzfeed_of_new_user("backfill", SEEDS, "--json")
    count = len(contents(SEEDS))

    assert (first.returncode, second.returncode) == (0, 0)
    assert json.loads(first.stdout) == {"files": count, "new": count, "revised": 0, "unchanged": 0, "refused": 0}
    assert json.loads(second.stdout) == {"files": count, "new": 0, "revised": 0, "unchanged": count, "refused": 0}
    for layout in ("tree", "flat"):
        assert kzfeed_of_new_user("export", tmp_path / layout, "--layout", layout).returncode == 0
        assert contents(tmp_path / layout) == contents(SEEDS)


def test_an_export_in_the_flat_layout_has_the_names_of_the_samples(kzfeed: Run, tmp_path: Path) -> None:
    kzfeed("backfill", SEEDS)

    kzfeed("export", tmp_path / "flat", "--layout", "flat")

    names = [file.name for file in SEEDS.iterdir()]
    assert sorted(file.name for file in (tmp_path / "flat").iterdir()) == sorted([EXPORT_LIST, *names])


def test_the_shared_files_come_back_byte_for_byte(kzfeed: Run, shared: Path, tmp_path: Path) -> None:
    kzfeed("backfill", shared / "seeds")
    kzfeed("export", tmp_path / "out")

    assert contents(tmp_path / "out") == contents(shared / "seeds")


def test_files_with_front_matter_come_back_byte_for_byte_where_it_is_wanted(
    kzfeed: Run, shared: Path, tmp_path: Path
) -> None:
    family = shared / "corpus" / "family"
    kzfeed("backfill", family)

    assert kzfeed("export", tmp_path / "out", "--front-matter").returncode == 0
    assert contents(tmp_path / "out") == contents(family)
    refused = kzfeed("export", "x.jsonl", "--front-matter")
    assert (refused.returncode, refused.stderr) == (2, "kzfeed: --front-matter is for archive files, not for jsonl\n")


def test_a_second_backfill_adds_front_matter_to_the_version_that_lacks_it(kzfeed: Run, tmp_path: Path) -> None:
    file, front = "<!--5-->\n[t](https://e.example/1)\n------\n\n{}\n", "---\nlayout: post\n---\n"
    steps = [file.format("first"), file.format("second"), front + file.format("first"), front + file.format("second")]
    for text in steps:
        (tmp_path / "1.md").write_text(text)
        assert kzfeed("backfill", tmp_path / "1.md").returncode == 0

    kzfeed("export", tmp_path / "out", "--versions", "--front-matter")

    assert contents(tmp_path / "out") == sorted(text.encode() for text in steps[2:])


def test_files_with_front_matter_come_back_in_strict_form(kzfeed: Run, shared: Path, tmp_path: Path) -> None:
    from kzfeed.article.archive_file import parse

    report = json.loads(kzfeed("backfill", shared / "corpus" / "family", "--json").stdout)
    kzfeed("export", tmp_path / "out")

    def key(data: bytes) -> tuple[object, ...]:
        file = parse(data)
        return file.stamp or 0, file.title, file.url, file.body

    assert report == {"files": 76, "new": 76, "revised": 0, "unchanged": 0, "refused": 0}
    exported = contents(tmp_path / "out")
    assert sorted(map(key, exported)) == sorted(map(key, contents(shared / "corpus" / "family")))
    assert not any(parse(data).warnings for data in exported)


def test_a_refused_file_is_named_with_its_line_and_the_run_goes_on(kzfeed: Run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.txt").write_text("hello\n")
    (folder / "empty.md").write_text("")
    (folder / "good.txt").write_text("<!--NaN-->\n[t](https://e.example/1)\n------\n\nx\n")
    (folder / "ignored.html").write_text("<p>")
    (folder / "folder.txt").mkdir()
    os.mkfifo(folder / "pipe.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.txt").symlink_to(folder / "missing")

    done = kzfeed("backfill", folder, "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout) == {"files": 5, "new": 1, "revised": 0, "unchanged": 0, "refused": 4}
    errors = [line["error"] for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "file refused"]
    assert f"{folder}/broken.txt: line 1: expected <!--milliseconds--> or <!--NaN-->, found 'hello'" in errors
    assert len(errors) == 4


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], {"news.example", "unknown"}),
        (["--source", "archive-2022"], {"archive-2022"}),
        (["--source", "新闻"], {"新闻"}),
        (["--source-from", "folder"], {"美国之音"}),
    ],
)
def test_a_backfilled_article_belongs_to_the_source_that_was_asked_for(
    kzfeed: Run, tmp_path: Path, options: list[str], names: set[str]
) -> None:
    folder = tmp_path / "美国之音"
    folder.mkdir()
    (folder / "a.txt").write_text("<!--NaN-->\n[t](https://www.news.example/1)\n------\n\nx\n")
    (folder / "b.txt").write_text(f"<!--NaN-->\n[t](urn:kzfeed:{'0' * 64})\n------\n\nx\n")

    assert kzfeed("backfill", folder, *options).returncode == 0

    listed = json.loads(kzfeed("sources", "list", "--json").stdout)
    assert {source["name"] for source in listed} == names


def test_an_article_without_an_address_comes_back_too(kzfeed: Run, tmp_path: Path) -> None:
    data = f"<!--5-->\n[t](urn:kzfeed:{'ab' * 32})\n------\n\nx\n".encode()
    (tmp_path / "a.txt").write_bytes(data)

    kzfeed("backfill", tmp_path / "a.txt")
    kzfeed("export", tmp_path / "out")

    assert contents(tmp_path / "out") == [data]
    assert json.loads(kzfeed("show", "ab" * 32, "--format", "json").stdout)["url"] is None


@pytest.mark.slow
def test_a_backfill_killed_anywhere_and_run_again_is_as_one_that_was_not(
    kzfeed: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(FILES):
        text = f"<!--{number}-->\n[第{number}篇](https://e.example/{number})\n------\n\n<p>{'正文' * 300}{number}</p>\n"
        (folder / f"{number:05}.txt").write_text(text, encoding="utf-8")

    killed = 0
    for delay in (0.05, 0.1, 0.2, 0.3):
        process = fork_server().start(["backfill", folder], tmp_path, environment)
        time.sleep(delay)
        os.kill(process, signal.SIGKILL)
        killed += fork_server().wait(process) == -signal.SIGKILL
    report = json.loads(kzfeed("backfill", folder, "--json").stdout)
    kzfeed("export", tmp_path / "out")

    assert killed
    assert report["files"] == FILES == report["new"] + report["unchanged"]
    assert contents(tmp_path / "out") == contents(folder)


# --- feeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_shared_feeds_give_the_shared_files(
    kzfeed: Run, shared: Path, served: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = served
    for feed in (shared / "feeds").iterdir():
        (folder / feed.name).write_bytes(feed.read_bytes())
    names = ("voa", "bbc", "rfi")
    configure(tmp_path, *(f'name = "{name}"\nurl = "{address}/{name}.xml"' for name in names))

    polled = json.loads(kzfeed("poll", "--json").stdout)
    again = json.loads(kzfeed("poll", "--json").stdout)
    kzfeed("export", tmp_path / "out")
    backfilled = json.loads(kzfeed("backfill", shared / "seeds", "--json").stdout)

    assert {(each["source"], each["outcome"], each["http_status"], each["new"]) for each in polled} == {
        ("voa", "new", 200, 3),
        ("bbc", "new", 200, 1),
        ("rfi", "new", 200, 1),
    }
    assert {each["outcome"] for each in again} == {"not-modified"}
    assert contents(tmp_path / "out") == contents(shared / "seeds")
    assert backfilled == {"files": 5, "new": 0, "revised": 0, "unchanged": 5, "refused": 0}


@pytest.mark.slow
def test_one_failing_source_does_not_disturb_another(kzfeed: Run, served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    (folder / "good.xml").write_text(RSS.format(body="一"), encoding="utf-8")
    (folder / "page.xml").write_text("<!DOCTYPE html><html><body>no feed</body></html>")
    configure(
        tmp_path,
        f'name = "good"\nurl = "{address}/good.xml"',
        f'name = "missing"\nurl = "{address}/missing.xml"',
        f'name = "page"\nurl = "{address}/page.xml"',
        'name = "refused"\nurl = "http://user:secret@127.0.0.1:9/x.xml"',
    )

    done = kzfeed("poll", "--json")
    reports = {each["source"]: each for each in json.loads(done.stdout)}

    assert done.returncode == 1
    assert (reports["good"]["outcome"], reports["good"]["new"]) == ("new", 1)
    kinds = {name: each["error_kind"] for name, each in reports.items() if name != "good"}
    assert kinds == {"missing": "http-status", "page": "not-a-feed", "refused": "connect"}
    assert "secret" not in done.stdout + done.stderr
    events = [line for line in map(json.loads, done.stderr.splitlines()) if line["event"] == "poll"]
    assert {event["source"] for event in events} == set(reports)
    assert all({"outcome", "entries", "new", "revised", "duration_ms"} <= set(event) for event in events)


@pytest.mark.slow
def test_a_changed_text_becomes_a_revision(kzfeed: Run, served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    configure(tmp_path, f'name = "s"\nurl = "{address}/feed.xml"')
    bodies = ("<time>1 分钟前</time>原文", "<time>2 分钟前</time><b>原文</b>", "改过的文")
    for minute, body in enumerate(bodies):
        (folder / "feed.xml").write_text(RSS.format(body=body), encoding="utf-8")
        os.utime(folder / "feed.xml", times=(60 * minute, 60 * minute))
        kzfeed("poll")

    figures = json.loads(kzfeed("stats", "--json").stdout)

    assert (figures["articles"], figures["revisions"]) == (1, 1)
    assert kzfeed("show", "https://e.example/1", "--format", "text").stdout == "标题\n\n改过的文\n"


RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>源</title><link>https://e.example/</link><description/>
<item><title>标题</title><link>https://e.example/1</link><guid>1</guid>
<pubDate>Tue, 11 Jan 2022 17:39:03 GMT</pubDate><description><![CDATA[{body}]]></description></item>
</channel></rss>"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("database_url", "stop"), [("sqlite", signal.SIGINT), ("postgresql", signal.SIGTERM)], indirect=["database_url"]
)
def test_the_daemon_polls_what_is_due_until_a_signal_and_exits_0(
    kzfeed: Run, environment: dict[str, str], served: tuple[Path, str], tmp_path: Path, stop: signal.Signals
) -> None:
    folder, address = served
    (folder / "feed.xml").write_text(RSS.format(body="一"), encoding="utf-8")
    configure(tmp_path, f'name = "s"\nurl = "{address}/feed.xml"\nevery = "1s"')
    with Running(tmp_path, environment["KZFEED_DATABASE_URL"], "run") as daemon:
        polled = 0
        for _ in range(3):
            polled = daemon.wait_for("poll", after=polled)
        told = time.monotonic()
        assert daemon.stop(stop) == 0

    assert time.monotonic() - told < 30  # the promise is 10 s, of a machine that is not busy
    running = daemon.events[0]
    assert daemon.events[-1]["event"] == "stopped"
    assert (running["event"], running["version"], running["sources"]) == ("running", __version__, 1)
    assert running["configuration"] == str(tmp_path / "kzfeed.toml")
    assert running["database"] == redacted(environment["KZFEED_DATABASE_URL"])
    assert json.loads(kzfeed("stats", "--json").stdout)["articles"] == 1


# --- usage, configuration, database ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["backfill", "/nonexistent"], 2, "/nonexistent: no such file or folder"),
        (
            ["backfill", "-"],
            2,
            "-: no such file or folder (standard input cannot be restored: save it as a file first)",
        ),
        (["backfill", ".", "--source", "Not A Slug"], 2, "'Not A Slug' is no name of a source"),
        (["poll", "nobody"], 2, "no source 'nobody' is configured"),
        (["poll", "--config", "missing.toml"], 2, "missing.toml"),
        (["nonsense"], 2, "No such command"),
        (["list"], 3, "database"),
        (["backfill", ".", "--no-migrate"], 3, "database"),
        (["stats", "--database", "postgresql://user:secret@127.0.0.1:9/x"], 3, "database"),
        (["stats", "--database", "mysql://x"], 2, 'expected "sqlite:///FILE" or "postgresql://USER@HOST/NAME"'),
        *(
            ([command, "--database", "sqlite:////usr"], 3, "/usr is a folder: name a file for the database")
            for command in ("list", "poll")
        ),
        (
            ["sources", "check", "voa"],
            2,
            "expected an http or https URL with a host, found 'voa', the name of a source: its address",
        ),
        (["verify", "--database", "sqlite:////dev/null"], 3, "there is no database /dev/null"),
    ],
)
def test_what_cannot_work_says_why_with_its_exit_status(
    kzfeed_of_new_user: Run, arguments: list[str], status: int, said: str
) -> None:
    done = kzfeed_of_new_user(*arguments)

    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("empty.db", ["list", "--database", "sqlite:///{file}"], "{file} holds no archive of kzfeed: name another"),
        ("all.csv", ["backfill", "{file}"], "{file}: CSV and Parquet cannot be restored: give archive files"),
    ],
)
def test_a_file_of_another_kind_is_told_by_its_name(
    kzfeed_of_new_user: Run, tmp_path: Path, name: str, arguments: list[str], said: str
) -> None:
    (file := tmp_path / name).touch()
    done = kzfeed_of_new_user(*(each.format(file=file) for each in arguments))

    assert said.format(file=file) in done.stderr


def test_options_of_all_commands_may_stand_anywhere(kzfeed: Run, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"

    assert kzfeed("backfill", SEEDS, "--database", other).returncode == 0
    assert json.loads(kzfeed("--database", other, "stats", "--json").stdout)["articles"] == len(contents(SEEDS))
    assert kzfeed("list", f"--database={other}").returncode == 0


def test_an_article_is_found_by_its_address_its_hash_and_its_id(kzfeed: Run) -> None:
    kzfeed("backfill", SEEDS)
    article = json.loads(kzfeed("list", "--json", "-n", "1").stdout)[0]

    shown = {kzfeed("show", str(article[key])).stdout for key in ("id", "url", "url_hash")}
    shown |= {kzfeed("show", article["url_hash"][:16]).stdout, kzfeed("show", article["url"] + "#top").stdout}

    assert len(shown) == 1
    assert article["title"] in shown.pop()
    assert kzfeed("show", "https://nowhere.example/").returncode == 2


def test_show_lists_the_articles_that_share_an_address(kzfeed: Run, served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    items = "".join(
        f"<item><title>Episode {n}</title><link>https://e.example/show</link><guid>{n}</guid></item>" for n in (1, 2)
    )
    (folder / "feed.xml").write_text(f"<rss version='2.0'><channel><title>Show</title>{items}</channel></rss>")
    (tmp_path / "kzfeed.toml").write_text(f'[[sources]]\nname = "show"\nurl = "{address}/feed.xml"\n')
    assert kzfeed("poll").returncode == 0

    _heading, *lines = kzfeed("show", "https://e.example/show").stdout.splitlines()

    assert [line.split()[-2:] for line in lines] == [["Episode", "1"], ["Episode", "2"]]
    assert kzfeed("diff", "https://e.example/show").stdout.splitlines()[1:] == lines
    shown = kzfeed("show", lines[1].split()[0], "--format", "text")
    assert shown.stdout.startswith("Episode 2")


def test_show_and_export_give_every_version(kzfeed: Run, tmp_path: Path) -> None:
    files = [f"<!--1641922743000-->\n[t](https://e.example/1)\n------\n\n{body}\n" for body in ("first", "second")]
    for number, text in enumerate(files, 1):
        (tmp_path / f"{number}.txt").write_text(text)
        kzfeed("backfill", tmp_path / f"{number}.txt")

    kzfeed("export", tmp_path / "out", "--versions")
    missing = kzfeed("show", "1", "--revision", "3")
    without_list = kzfeed("backfill", tmp_path / "out" / "e.example")

    assert [kzfeed("show", "1", "--revision", str(number)).stdout for number in (1, 2)] == files
    assert kzfeed("show", "1").stdout == files[1]
    assert contents(tmp_path / "out") == sorted(text.encode() for text in files)
    assert sorted(path.name[16:] for path in (tmp_path / "out").rglob("*.txt")) == [".r1.txt", ".txt"]
    assert (missing.returncode, missing.stderr) == (2, "kzfeed: cannot show revision 3: the archive holds 1, 2\n")
    assert f"{tmp_path}/out/{EXPORT_LIST} is not used" in without_list.stderr


def test_list_and_export_keep_to_the_source_and_the_time_that_were_asked_for(kzfeed: Run, tmp_path: Path) -> None:
    for number, stamp in enumerate([1640995200000, 1641081600000, 1641168000000, "NaN"]):  # 2022-01-01, -02, -03
        text = f"<!--{stamp}-->\n[{number}](https://s{number % 2}.example/{number})\n------\n\nx\n"
        (tmp_path / f"{number}.txt").write_text(text)
    kzfeed("backfill", *sorted(tmp_path.glob("?.txt")))

    def titles(*options: str) -> list[str]:
        return [article["title"] for article in json.loads(kzfeed("list", "--json", *options).stdout)]

    assert titles() == ["2", "1", "0", "3"]
    assert titles("--source", "s0.example") == ["2", "0"]
    assert titles("--since", "2022-01-02") == ["2", "1"]
    assert titles("--since", "2022-01-02", "--until", "2022-01-03T00:00:00") == ["1"]
    kzfeed("export", tmp_path / "out", "--source", "s1.example")
    exported = {str(file.parent.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.txt")}
    assert exported == {"s1.example/2022/01", "s1.example/undated"}


def test_the_schema_is_upgraded_and_named(kzfeed_of_new_user: Run) -> None:
    assert kzfeed_of_new_user("db", "upgrade").stdout == f"the schema is at {HEAD}\n"
    assert kzfeed_of_new_user("db", "current").stdout == f"the schema is at {HEAD}, this kzfeed needs {HEAD}\n"
