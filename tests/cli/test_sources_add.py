"""`kzfeed sources add`: feeds by their address or by that of a page, and what is not added."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli

from kzfeed.clock import utc_now
from kzfeed.config.load import load
from kzfeed.store.engine import Database
from kzfeed.store.sources import configure
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Reply, recording
from tests.fork_server import clean_environment, fork_server
from tests.terminal import at_terminal

HOST = "127.0.15.3"
Add = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Runs `kzfeed sources add` in the test's folder."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = clean_environment(KZFEED_HTTP_HOST_GAP="0s", **variables)
        return fork_server().run(["sources", "add", *arguments], tmp_path, environment)

    return run


@pytest.fixture
def site(served: tuple[Path, str]) -> str:
    """The address of a site with two feeds and pages that name none, one, both, and both and a page."""
    folder, address = served
    for name, title in (("posts.xml", "北堤 日报"), ("comments.xml", "Comments")):
        item = "<item><title>a</title><link>https://e.example/1</link><pubDate>1 Jan 2026 00:00 GMT</pubDate></item>"
        text = f"<rss version='2.0'><channel><title>{title}</title>{item}</channel></rss>"
        (folder / name).write_text(text, "utf-8")
    links = ["", "<link rel=alternate type=application/rss+xml href=posts.xml title=Posts>"]
    links.append(links[1] + "<link rel=alternate type=application/rss+xml href='comments.xml' title=\"What's said\">")
    links.append(links[2] + "<link rel=alternate type=application/rss+xml href=2.html>")
    for number, text in enumerate(links):
        (folder / f"{number}.html").write_text(f"<html><head>{text}</head><body>Hello</body></html>", "utf-8")
    return address


def sources(folder: Path) -> list[dict[str, object]]:
    file = folder / "kzfeed.toml"
    found: list[dict[str, object]] = tomli.loads(file.read_text("utf-8"))["sources"] if file.exists() else []
    return found


def test_a_feed_is_added_with_its_title_and_a_name_made_of_it(add: Add, site: str, tmp_path: Path) -> None:
    done = add(f"{site}/posts.xml")

    assert (done.returncode, done.stdout) == (0, f"added 北堤-日报: {site}/posts.xml\n"), done.stderr
    assert sources(tmp_path) == [{"name": "北堤-日报", "url": f"{site}/posts.xml", "title": "北堤 日报"}]


@pytest.mark.slow
def test_a_page_that_names_one_feed_stands_for_it(add: Add, site: str, tmp_path: Path) -> None:
    assert add(f"{site}/1.html", "--name", "beidi").returncode == 0
    assert sources(tmp_path) == [{"name": "beidi", "url": f"{site}/posts.xml", "title": "北堤 日报"}]


@pytest.mark.slow
def test_a_page_that_names_several_feeds_is_answered_with_commands_that_work(
    add: Add, site: str, tmp_path: Path
) -> None:
    done = add(f"{site}/posts.xml", f"{site}/2.html")

    assert (done.returncode, done.stdout, sources(tmp_path)) == (2, "", [])
    said, *lines = done.stderr.splitlines()
    assert said == f"kzfeed: {site}/2.html names several feeds; nothing is added. Add one of them:"
    assert lines[::2] == ["# Posts", "# What's said"]
    for command in lines[1::2]:
        program, _, verb, url = shlex.split(command)
        assert (program, verb, add(url).returncode) == ("kzfeed", "add", 0)
    assert [source["name"] for source in sources(tmp_path)] == ["北堤-日报", "comments"]


@pytest.mark.slow
def test_at_a_terminal_somebody_chooses_among_several_feeds(site: str, tmp_path: Path) -> None:
    environment = clean_environment(KZFEED_HTTP_HOST_GAP="0s")
    shown = at_terminal(["sources", "add", f"{site}/3.html"], tmp_path, environment, typed=["5", "3, 2, 1"])

    assert "  1  " in shown
    assert shown.count("Add which?") == 2
    assert f"failed {site}/2.html: not-a-feed: " in shown
    assert [source["name"] for source in sources(tmp_path)] == ["comments", "北堤-日报"]
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
def test_what_is_no_feed_is_not_added_and_the_others_are(add: Add, site: str, tmp_path: Path) -> None:
    done = add(f"{site}/none.xml", f"{site}/0.html", f"{site}/posts.xml")
    missing, no_feed, added = done.stdout.splitlines()

    assert done.returncode == 1
    assert missing == f"failed {site}/none.xml: http-status: the server answered 404"
    assert no_feed.startswith(f"failed {site}/0.html: not-a-feed: ")
    assert added == f"added 北堤-日报: {site}/posts.xml"
    assert len(sources(tmp_path)) == 1


def test_an_address_that_is_there_already_is_told_by_name(add: Add, site: str, tmp_path: Path) -> None:
    add(f"{site}/posts.xml", "--name", "beidi")
    done = add(f"{site}/posts.xml#top", f"{site}/comments.xml", f"{site}/comments.xml")

    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == f"there already as beidi: {site}/posts.xml#top"
    assert len(sources(tmp_path)) == 2


def test_a_redirect_to_a_feed_that_is_there_is_that_feed(add: Add, site: str, tmp_path: Path) -> None:
    (tmp_path / "served" / "feed").mkdir()
    (tmp_path / "served" / "posts.xml").rename(tmp_path / "served" / "feed" / "index.html")
    add(f"{site}/feed/", "--name", "beidi")  # the server redirects /feed to it

    done = add(f"{site}/feed")

    assert (done.returncode, done.stdout) == (0, f"there already as beidi: {site}/feed\n")
    assert len(sources(tmp_path)) == 1


@pytest.mark.slow
def test_the_result_is_also_json(add: Add, site: str) -> None:
    done = add("--json", f"{site}/posts.xml", f"{site}/none.xml")
    added, failed = json.loads(done.stdout)
    several = add("--json", f"{site}/2.html")

    assert (added["outcome"], added["name"], added["title"], added["error"]) == (
        "added",
        "北堤-日报",
        "北堤 日报",
        None,
    )
    assert (failed["outcome"], failed["name"]) == ("failed", None)
    assert json.loads(several.stdout)["feeds"] == [f"{site}/posts.xml", f"{site}/comments.xml"]
    assert several.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "A b", "https://a.example/"], "--name 'A b': expected 1 to 64 small letters"),
        (["--name", "a", "https://a.example/", "https://b.example/"], "--name is for one URL"),
        (["ftp://a.example/"], "expected an http or https URL with a host"),
    ],
)
def test_a_wrong_argument_is_refused(add: Add, arguments: list[str], said: str) -> None:
    done = add(*arguments)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_name_that_is_taken_is_refused(add: Add, site: str, tmp_path: Path) -> None:
    add(f"{site}/posts.xml", "--name", "beidi")
    done = add(f"{site}/comments.xml", "--name", "beidi")

    assert (done.returncode, len(sources(tmp_path))) == (2, 1)
    assert "the name 'beidi' is taken" in done.stderr


def test_sources_of_a_variable_are_not_edited(add: Add, site: str) -> None:
    done = add(f"{site}/posts.xml", KZFEED_SOURCES="[]")

    assert (done.returncode, done.stderr.partition(":")[2]) == (
        2,
        " KZFEED_SOURCES holds the sources, in the place of those in files: unset it first\n",
    )


def test_a_password_stays_in_the_file_and_is_not_shown(add: Add, site: str, tmp_path: Path) -> None:
    url = f"{site}/posts.xml".replace("//", "//me:hunter2@")
    done = add(url)

    assert "hunter2" not in done.stdout + done.stderr
    assert sources(tmp_path)[0]["url"] == url


def test_sources_that_only_the_database_has_are_not_lost_by_the_first_one_in_the_file(
    add: Add, site: str, sqlite_database: Database, tmp_path: Path
) -> None:
    table = {
        "name": "old",
        "url": f"{site}/posts.xml",
        "title": "Old",
        "every": "30m",
        "enabled": False,
        "full_text": "css:p",
        "link_from": "guid",
        "content_from": ["description"],
        "encoding": "gb18030",
        "include": [{"any": "新"}],
        "exclude": [{"title": "^直播", "tag": "广告"}, {"author": "x"}],
    }
    settings = load(cwd=tmp_path, environ={"KZFEED_SOURCES": json.dumps([table])})
    configure(sqlite_database, settings.source_configs(), utc_now())
    sqlite_database.close()
    (tmp_path / "kzfeed.toml").write_text("# nothing\n")
    done = add(f"{site}/comments.xml")

    assert "those of the database are in it now (old)" in done.stderr
    old, new = sources(tmp_path)
    assert (old, new["name"]) == (table, "comments")


@pytest.mark.slow
def test_the_page_and_its_feed_are_asked_for_with_the_pause_of_their_host(tmp_path: Path) -> None:
    with recording([HOST]) as server:
        link = '<html><head><link rel="alternate" type="application/rss+xml" href="/feed"></head></html>'
        page = server.page("/", Reply(200, body=link.encode(), headers=(("Content-Type", "text/html"),)), host=HOST)
        server.page("/feed", Reply(200, body=rss()), host=HOST)
        environment = clean_environment(KZFEED_HTTP_HOST_GAP="300ms")
        assert fork_server().run(["sources", "add", page.url], tmp_path, environment).returncode == 0

    first, second = server.seen
    assert second.at - first.at >= 0.3
