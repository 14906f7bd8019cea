"""Smoke tests of the benchmarks, with very few feeds and rows."""

import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from benchmarks import feeds
from benchmarks.__main__ import main
from benchmarks.feed_server import serving
from benchmarks.scale import __main__ as scale
from benchmarks.scale import backlog, many_sources
from benchmarks.scale.archives import Shape
from benchmarks.scale.work import Task, contact, files, not_modified, one_new
from benchmarks.search import __main__ as search
from benchmarks.simulation import fleet
from benchmarks.web import __main__ as web
from benchmarks.web import archive, commits, pages


@pytest.mark.slow
def test_cases_run_and_have_their_rows(capsys: pytest.CaptureFixture[str]) -> None:
    cases = ["contact", "backfill"]
    assert main(["--feeds", "1", "--runs", "1", "--only", *cases]) == 0
    table = capsys.readouterr().out
    for key in cases:
        assert f"[{key}] | kzfeed |" in table


def test_the_same_seed_writes_the_same_feeds_however_many_follow(tmp_path: Path) -> None:
    for name, count in (("few", 3), ("more", 4)):
        feeds.write(tmp_path / name, large=count, tiny=0, seed=5)
    paths = [feeds.path_of("large", number) for number in range(3)]
    assert [(tmp_path / "few" / path).read_bytes() for path in paths] == [
        (tmp_path / "more" / path).read_bytes() for path in paths
    ]
    assert 330_000 < (tmp_path / "few/large/0/0.xml").stat().st_size < 430_000


def test_the_server_of_our_own_answers_conditional_requests(tmp_path: Path) -> None:
    feeds.write(tmp_path, large=0, tiny=1)
    with serving(tmp_path, None) as server:
        address = f"http://{feeds.host_of(0)}:{server.port}/{feeds.path_of('tiny', 0)}"
        with urlopen(address) as answer:
            etag = answer.headers["ETag"]
        with pytest.raises(HTTPError) as unchanged:
            urlopen(Request(address, headers={"If-None-Match": etag}))
        unchanged.value.close()
    assert unchanged.value.code == 304


@pytest.mark.slow
def test_the_work_of_the_store_is_measured_in_archives_of_two_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "WARM_UP", 1)
    tasks = [
        Task("one new", one_new, units=2, samples=2),
        Task("304", not_modified, units=2, samples=2),
        Task("files", files, units=500, samples=2),
        Task("contact", contact, units=2, samples=2),
    ]
    small, large = (Shape(articles, busy=7, rare=10, fresh=40) for articles in (1000, 2000))
    lines = list(scale.articles("sqlite", small, large, tasks))
    assert [line.split(" | ")[:3] for line in lines] == [["| sqlite", task.title, "2"] for task in tasks]


@pytest.mark.slow
def test_the_query_for_due_sources_is_measured_with_none_some_and_all_due() -> None:
    with many_sources.database_of("sqlite") as database:
        lines = list(many_sources.tick_rows("sqlite", database, 120))
    assert [line.split(" | ")[2] for line in lines] == ["0", "100", "120"]


@pytest.mark.slow
def test_claims_and_commits_of_a_backlog_are_measured() -> None:
    with many_sources.database_of("sqlite") as database:
        *lines, note = backlog.rows("sqlite", database, 2000, repeats=3)
    assert [line.split(" | ")[1:3] for line in lines] == [["2,000", "a claim"], ["2,000", "commit of 100"]]
    assert re.match(r"\d+ claimed, [1-9]\d* on the huge host; due for ", note)


@pytest.mark.slow
def test_the_benchmark_of_search_measures_every_kind_of_query(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LIVE", 50)
    search.main(["--articles", "200", "--queries", "2"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["build", "index"]
    assert lines[-1].startswith("live: ")
    assert len(lines) == 14


@pytest.mark.slow
def test_the_benchmark_of_pages_measures_every_kind_and_the_commits_beside(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LONG", 100)
    monkeypatch.setattr(pages, "LONG", 100)
    monkeypatch.setattr(commits, "COMMITS", 2)
    monkeypatch.setattr(commits, "CLIENTS", 2)

    assert web.main(["--articles", "200", "--sources", "2", "--asked", "2", "--rounds", "1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| ") for line in lines) == 16
    assert "memory of kzfeed web" in lines[-4]
    assert re.search(r"[\d.]+ times$", lines[-1])


@pytest.mark.slow
def test_a_simulated_fleet_whose_members_are_killed_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "KILLED_EVERY", 300.0)

    assert fleet.main(["--sources", "60", "--hours", "1", "--engine", "sqlite"]) == 0
    assert "never two to a host at once" in capsys.readouterr().out
