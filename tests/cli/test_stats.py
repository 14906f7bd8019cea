"""`kzfeed stats`: the figures on both engines, the screen that shows them, and how they are found."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from kzfeed.cli.column_chart import Column, column_chart, columns
from kzfeed.model.polls import Poll, SourceConfig
from kzfeed.store import sources, tables
from kzfeed.store.engine import Database
from kzfeed.store.queries.statistics import Period, statistics
from tests.cli.test_terminal import shown
from tests.fork_server import clean_environment, fork_server
from tests.store.commits import commit_poll
from tests.store.plans import FULL_SCAN, plans_of
from tests.store.test_day_counts import article

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PERIOD = ("--since", "2026-11-01", "--until", "2026-12-01")


@pytest.fixture
def archive(database: Database) -> Database:
    """Three sources: one fails, one has a flaw and a gap, one has a Chinese name and an article of another month."""
    names = ("新闻", "voa", "rfi")
    sources.configure(database, [SourceConfig(name, f"https://{name}.example/") for name in names], NOW)
    by_name = {source.name: source for source in sources.load(database)}

    def poll(name: str, when: datetime, outcome: Any, articles: Any = (), **more: Any) -> None:
        source = by_name[name]
        commit_poll(database, source, Poll(source.id, when, timedelta(milliseconds=5), outcome, **more), articles)

    poll("新闻", NOW - 40 * DAY, "new", [article(1, NOW - 40 * DAY)])
    poll("新闻", NOW - 2 * DAY, "new", [article(2, NOW - 2 * DAY), article(3, NOW - 3 * DAY), article(4, None)])
    poll("新闻", NOW, "new", [article(2, NOW - 2 * DAY, "<p>改</p>")])
    poll("voa", NOW - DAY, "new", [article(5, NOW)])
    poll("voa", NOW, "unchanged", flaw="not well-formed: \x1b[2J")
    for hours in (1, 2):
        poll(
            "rfi",
            NOW - timedelta(hours=hours),
            "failed",
            error_kind="connect",
            error="https://user:secret@rfi.example/: refused \x1b[2J" + "很" * 90,
        )
    with database.write() as connection:
        gap = {"source_id": by_name["voa"].id, "from_at": NOW - 2 * DAY, "to_at": NOW - DAY}
        connection.execute(sa.insert(tables.gaps), [gap | {"noticed_at": NOW}, gap | {"noticed_at": NOW - 99 * DAY}])
    return database


def test_the_figures_are_those_of_the_archive_and_of_the_period(archive: Database, database_url: str) -> None:
    done = fork_server().run(["--database", database_url, "stats", *PERIOD, "--json"], Path(), clean_environment())
    figures = json.loads(done.stdout)

    assert done.stderr == ""
    assert figures["period"] == {"first_day": "2026-11-01", "last_day": "2026-11-30"}
    assert (figures["articles"], figures["undated"], figures["revisions"], figures["polls"]) == (5, 1, 1, 7)
    assert (figures["first_published_at"], figures["last_published_at"]) == (
        "2026-10-21T12:00:00.000Z",
        "2026-11-30T12:00:00.000Z",
    )
    assert figures["sources_by_status"] == {"active": 3}
    assert figures["in_period"] == {"articles": 3, "undated": 1, "first_seen": 4, "new_versions": 1}
    assert [(day["day"], day["articles"]) for day in figures["by_day"]] == [
        ("2026-11-27", 1),
        ("2026-11-28", 1),
        ("2026-11-29", 0),  # a day on which articles were stored
        ("2026-11-30", 1),
    ]
    assert [(row["source"], row["articles"]) for row in figures["by_source"]] == [("新闻", 2), ("voa", 1)]
    assert figures["polls_by_outcome"] == {"new": 3, "unchanged": 1, "failed": 2}
    assert figures["last_polls_by_outcome"] == {"new": 1, "unchanged": 1, "failed": 1}
    assert [(row["source"], row["polls"], row["error_kind"]) for row in figures["failures_by_source"]] == [
        ("rfi", 2, "connect")
    ]
    assert [(row["source"], row["polls"]) for row in figures["flaws_by_source"]] == [("voa", 1)]
    assert figures["gaps_by_source"] == [{"source": "voa", "gaps": 1}]
    assert figures["database_bytes"] > 100_000
    assert figures["search_index_bytes"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("archive")
def test_the_size_of_the_search_index_is_among_the_figures(database_url: str) -> None:
    command = ["--database", database_url]
    fork_server().run([*command, "search", "--rebuild"], Path(), clean_environment())

    figures = json.loads(fork_server().run([*command, "stats", "--json"], Path(), clean_environment()).stdout)

    assert figures["search_index_bytes"] > 10_000


def test_a_terminal_shows_them_on_a_screen_of_80_columns(archive: Database, database_url: str, tmp_path: Path) -> None:
    lines = shown(tmp_path, "--database", database_url, "stats", *PERIOD).splitlines()
    screen = "\n".join(lines)

    assert lines[0] == "1 to 30 November 2026 (UTC), 30 days"
    assert len(lines) <= 40
    assert max(map(cell_len, lines)) <= 80
    assert "5 articles, 1 older version, published 2026-10-21 to 2026-11-30" in screen
    assert re.search(
        r"^articles +3 published in the period, 4 stored, 1 of them undated; 1 new\s+version$", screen, re.M
    )
    chinese, latin = lines[lines.index("Published by source") + 1 :][:2]
    assert chinese.split()[:2] == ["新闻", "2"]
    assert cell_len(chinese.split("2  ")[0]) == cell_len(latin.split("1  ")[0])
    assert chinese.count("█") in (2 * latin.count("█"), 2 * latin.count("█") + 1)
    assert re.search(r"^polls +6: 3 new, 1 unchanged, 2 failed$", screen, re.M)
    assert re.search(r"^failures +2 polls at 1 source$\n^  rfi +2  connect: refused \\x1b\[2J很+…$", screen, re.M)
    assert re.search(r"^gaps +1 gap at 1 source: voa 1$", screen, re.M)
    assert re.search(r"^flaws +1 poll at 1 source: voa 1$", screen, re.M)
    assert "secret" not in screen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "2", "--until", "2026-01-02"], "31 December 2025 to 1 January 2026 (UTC), 2 days"),
        (["--days", "1", "--until", "2026-12-01"], "30 November 2026 (UTC), 1 day"),
        (["--since", "2026-10-31", "--until", "2026-11-02"], "31 October to 1 November 2026 (UTC), 2 days"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_the_period_is_named_in_words(database_url: str, options: list[str], said: str) -> None:
    done = fork_server().run(["--database", database_url, "stats", *options], Path(), clean_environment())

    assert done.stdout.splitlines()[0] == said


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_period_without_articles_says_where_there_are_some(archive: Database, database_url: str) -> None:
    command = ["--database", database_url, "stats", "--until"]

    empty = fork_server().run([*command, "2026-10-01"], Path(), clean_environment()).stdout

    assert "The newest article is of 2026-11-30: see `kzfeed stats --until 2026-12-01`" in empty
    assert "Published per" not in empty


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "3", "--since", "2026-01-01"], "give --days or --since"),
        (
            ["--since", "2026-01-02", "--until", "2026-01-02"],
            "the period would begin on 2026-01-02 and end on 2026-01-01",
        ),
        (["--since", "2024-05", "--until", "2024"], "the period would begin on 2024-05-01 and end on 2023-12-31"),
        (["--since", "2024-05-01T18:00"], "--since: the period has whole days (UTC): give a day, such as 2024-05-01"),
        (["--days", "999999"], "give fewer"),
        (["--until", "0001-01-01"], "the period would begin before the year 1"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_a_period_that_cannot_be_is_refused(database_url: str, options: list[str], said: str) -> None:
    done = fork_server().run(["--database", database_url, "stats", *options], Path(), clean_environment())

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_no_figure_needs_a_scan_of_articles_or_polls(archive: Database) -> None:
    plans = plans_of(archive, lambda: statistics(archive, Period(date(2026, 11, 1), date(2026, 11, 30))))

    assert len(plans) > 8
    for statement, plan in plans:
        assert not FULL_SCAN.search(plan), (statement, plan)


# --- the chart -------------------------------------------------------------------------------------------------------


def test_a_column_stands_for_more_days_where_there_are_too_many() -> None:
    first = date(2026, 1, 1)
    counts = {first: 1, first + 6 * DAY: 2, first + 7 * DAY: 4}

    assert columns(counts, first, first + 29 * DAY, 68)[0] == 1
    step, weeks = columns(counts, first, first + 99 * DAY, 68)

    assert step == 7
    assert weeks[:3] == [Column(first, 3), Column(date(2026, 1, 8), 4), Column(date(2026, 1, 15), 0)]
    assert len(columns({}, date(1, 1, 1), date.max, 28)[1]) <= 28


def test_columns_are_in_proportion_and_a_single_article_is_seen() -> None:
    first = date(2026, 11, 1)
    shown = [Column(first + number * DAY, count) for number, count in enumerate((1000, 500, 0, 1))]

    assert list(column_chart(shown, 1, 80)) == [
        "  1,000 │████████",
        "        │████████",
        "        │████████ ▄▄▄▄▄▄▄▄",
        "        │████████ ████████",
        "        │████████ ████████          ▁▁▁▁▁▁▁▁",
        "      0 └────────────────────────────────────",
        "         1 Nov    2 Nov    3 Nov    4 Nov",
    ]
