"""`kzfeed sources remove`, `enable`, `disable` and `set`, and what `list`, `explain` and `poll` make of them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kzfeed.store.engine import Database
from tests.etiquette.documents import rss
from tests.etiquette.recording_server import Reply, recording
from tests.fork_server import clean_environment, fork_server
from tests.terminal import at_terminal

HOST = "127.0.15.4"
Kzfeed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kzfeed(tmp_path: Path) -> Kzfeed:
    (tmp_path / "kzfeed.toml").write_text(
        '[http]\nhost_gap = "0s"\n\n# Voice\n[[sources]]\nname = "voa"\nurl = "https://voa.example/"\n'
    )
    return lambda *arguments: fork_server().run(arguments, tmp_path, clean_environment())


def text(folder: Path) -> str:
    return (folder / "kzfeed.toml").read_text("utf-8").partition("# Voice\n")[2]


def test_settings_are_set_as_toml_or_as_plain_text_and_taken_away(kzfeed: Kzfeed, tmp_path: Path) -> None:
    before = text(tmp_path)
    done = kzfeed("sources", "set", "voa", "every=30m", "title=美国 之音", 'tags=["News/Asia"]', "enabled=false")

    assert (done.returncode, done.stdout) == (0, f"changed voa in {tmp_path}/kzfeed.toml\n"), done.stderr
    assert text(tmp_path) == (f'{before}every = "30m"\ntitle = "美国 之音"\ntags = ["News/Asia"]\nenabled = false\n')
    assert kzfeed("sources", "set", "voa", "every=", "title=", "tags=", "enabled=").returncode == 0
    assert text(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "voa", "every=3x"], "line 5: sources.voa.every = '3x': expected \"auto\" or a duration"),
        (["set", "voa", "evry=3m"], "expected a known key (did you mean every?)"),
        (["set", "voa", "name=other"], "a source keeps its name"),
        (["set", "voa", "every"], "expected KEY=VALUE, found 'every'"),
        (["set", "voo", "every=3m"], "no source 'voo' is configured"),
        (["remove", "voa", "voo"], "no source 'voo' is configured"),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_is_written(
    kzfeed: Kzfeed, tmp_path: Path, arguments: list[str], said: str
) -> None:
    before = text(tmp_path)
    done = kzfeed("sources", *arguments)

    assert (done.returncode, text(tmp_path)) == (2, before)
    assert said in done.stderr


def test_every_change_is_told_in_json_too(kzfeed: Kzfeed, tmp_path: Path) -> None:
    for arguments in (["disable", "voa"], ["enable", "voa"], ["set", "voa", "every=3h"], ["remove", "voa"]):
        done = kzfeed("sources", *arguments, "--json")
        assert json.loads(done.stdout) == [{"name": "voa", "file": f"{tmp_path}/kzfeed.toml"}]
    assert text(tmp_path) == ""


def test_sources_that_were_never_polled_are_listed_without_a_database(kzfeed: Kzfeed, tmp_path: Path) -> None:
    kzfeed("sources", "set", "voa", "url=https://me:hunter2@voa.example/", 'tags=["News"]')
    done = kzfeed("sources", "list")
    (row,) = json.loads(kzfeed("sources", "list", "--json").stdout)

    assert done.stdout.splitlines() == [
        "voa  new       0 articles",
        "  https://voa.example/",
        "  not polled yet: `kzfeed run` and `kzfeed poll` begin",
        "  tags: News",
    ]
    assert (row["status"], row["enabled"], row["url"], row["tags"]) == ("new", True, "https://voa.example/", ["News"])
    assert not (tmp_path / "kzfeed.db").exists()


@pytest.fixture
def polled(tmp_path: Path, database: Database) -> Iterator[Kzfeed]:
    """kzfeed with two sources that were polled, on each engine."""
    with recording([HOST]) as server:
        pages = [server.page(f"/{name}", Reply(200, body=rss()), host=HOST) for name in "ab"]
        tables = "".join(f'[[sources]]\nname = "{page.url[-1]}"\nurl = "{page.url}"\n' for page in pages)
        (tmp_path / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\n{tables}')
        url = database.engine.url.render_as_string(hide_password=False)
        environment = clean_environment(KZFEED_DATABASE_URL=url)

        def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
            return fork_server().run(arguments, tmp_path, environment)

        assert run("poll").returncode == 0
        yield run


def status(run: Kzfeed) -> dict[str, tuple[str, bool, bool]]:
    rows = json.loads(run("sources", "list", "--json").stdout)
    return {row["name"]: (row["status"], row["enabled"], row["next_poll_at"] is not None) for row in rows}


@pytest.mark.slow
def test_a_disabled_source_is_kept_and_not_polled_and_says_so(polled: Kzfeed) -> None:
    (row, _) = json.loads(polled("sources", "list", "--json").stdout)
    assert row["last_article_at"] == row["last_success_at"] is not None
    assert polled("sources", "disable", "a").returncode == 0

    assert status(polled) == {"a": ("active", False, False), "b": ("active", True, True)}
    assert "a  disabled  1 article, the last at 20" in polled("sources", "list").stdout
    assert [report["source"] for report in json.loads(polled("poll", "--json").stdout)] == ["b"]
    assert "It is disabled in the configuration and is not polled" in polled("explain", "a").stdout
    assert polled("poll", "a").returncode == 2
    assert "disabled, so not polled (see `kzfeed sources enable`): a" in polled("poll", "a").stderr

    assert polled("sources", "enable", "a").returncode == 0
    assert len(json.loads(polled("poll", "--json").stdout)) == 2
    assert status(polled) == {"a": ("active", True, True), "b": ("active", True, True)}


def test_a_removed_source_is_listed_as_removed_and_keeps_its_articles(polled: Kzfeed) -> None:
    assert polled("sources", "remove", "a").returncode == 0

    assert status(polled) == {"a": ("removed", False, False), "b": ("active", True, True)}
    assert len(json.loads(polled("list", "--source", "a", "--json").stdout)) == 1


def test_the_list_fits_a_terminal(kzfeed: Kzfeed, tmp_path: Path) -> None:
    kzfeed("sources", "set", "voa", f"tags={json.dumps([f'Folder {number}/新闻' for number in range(20)])}")
    shown = at_terminal(["sources", "list"], tmp_path, clean_environment())

    assert "Folder 19/" in shown
    assert max(map(len, shown.splitlines())) <= 80
