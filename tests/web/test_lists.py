"""The comparison of versions, the lists of changes, withdrawals and gaps, and the pages of sources, over HTTP."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from selectolax.lexbor import LexborHTMLParser

from kzfeed.article.diff import revision_diffs
from kzfeed.clock import utc_now
from kzfeed.model.articles import Document, StoredVersion
from kzfeed.sandbox.document_reader import read_document
from kzfeed.store import tables
from kzfeed.web.catalogue import LANGUAGES
from kzfeed.web.comparison import MAX_LENGTH, SURROUNDINGS, ComparedParagraph, Folded, rows
from kzfeed.web.list_chart import counted_days
from tests.export.atom_rules import breaches
from tests.export.test_restore import NOW
from tests.web.hostile import SCRIPT
from tests.web.site import Answer, Site

LISTS = {"/changes": "changes", "/withdrawn": "withdrawals", "/gaps": "gaps", "/sources": "sources"}
"""The lists, and what their rows are called in JSON."""


def html(answer: Answer) -> LexborHTMLParser:
    assert answer.status == 200, answer.text
    return LexborHTMLParser(answer.text)


@pytest.fixture(scope="module", autouse=True)
def _more(site: Site) -> None:
    """A source with a hostile name, title and errors, with polls, gaps and articles of the last days."""
    now = utc_now()
    with site.database.write() as connection:
        source = {
            "name": SCRIPT,
            "title": SCRIPT,
            "url": "https://secret.example/?token=geheim",
            "host": "secret.example",
            "site_url": "javascript:window.hacked=1",
            "enabled": True,
            "status": "failing",
            "auto": False,
            "failure_count": 3,
            "failing_since": now,
            "last_error_kind": "parse",
            "last_error": f"https://u:geheim@x/ {SCRIPT}\x1b[2J",
            "moved_polls": 0,
            "ask_in_full": False,
            "next_poll_at": now,
            "next_poll_reason": SCRIPT,
        }
        insert = sa.insert(tables.sources).values(source).returning(tables.sources.c.id)
        source_id = connection.execute(insert).scalar_one()
        days = [{"day": (now - timedelta(days=n)).date(), "articles": 10 * n, "first_seen": n} for n in range(1, 30)]
        counts = {"source_id": source_id, "undated": 0, "new_versions": 0}
        connection.execute(sa.insert(tables.day_counts), [{**day, **counts} for day in days])
        figures = {"duration_ms": 5, "bytes": 1, "entries": 3, "new_articles": 0, "revised_articles": 0}
        polls = [
            {"started_at": now - timedelta(hours=n), "outcome": outcome, "error": error, **figures}
            for n, (outcome, error) in enumerate([("failed", SCRIPT), ("new", None), ("not-modified", None)])
        ]
        connection.execute(sa.insert(tables.polls), [{"source_id": source_id, **poll} for poll in polls])
        gap = {"from_at": now - timedelta(days=3), "to_at": now - timedelta(days=2), "noticed_at": now}
        connection.execute(sa.insert(tables.gaps), {"source_id": source_id, **gap})
        address = {"url": "https://secret.example/?token=geheim", "from_at": now, "reason": "configured"}
        connection.execute(sa.insert(tables.source_addresses), {"source_id": source_id, **address})


# --- comparison ------------------------------------------------------------------------------------------------------


def version(revision: int, *paragraphs: str) -> StoredVersion:
    return StoredVersion(revision, "t", "".join(f"<p>{each}</p>" for each in paragraphs), "", NOW, "s")


def side(row: ComparedParagraph | Folded) -> Any:
    if isinstance(row, Folded):
        return len(row.paragraphs)
    return tuple("".join(piece.text for piece in each) if each else None for each in (row.older, row.newer))


def test_unchanged_paragraphs_are_folded_but_for_those_around_a_change() -> None:
    before = [f"第{number}段" for number in range(20)]
    after = [*before[:10], "新的一段", *before[10:19], "最后一段改了"]

    (diff,) = revision_diffs([version(1, *before), version(2, *after)])

    shown = [side(row) for row in rows(diff)]
    assert shown[: SURROUNDINGS + 2] == [8, ("第8段", "第8段"), ("第9段", "第9段"), (None, "新的一段")]
    assert shown[4:] == [
        *[(f"第{number}段",) * 2 for number in (10, 11)],
        5,
        *[(f"第{number}段",) * 2 for number in (17, 18)],
        ("第19段", "最后一段改了"),
    ]


def test_what_went_stands_beside_what_came_in_its_place() -> None:
    (diff,) = revision_diffs(
        [version(1, "甲乙丙", "丁戊己", "同样"), version(2, "子丑寅卯", "辰巳午未", "申酉", "同样")]
    )

    assert [side(row) for row in rows(diff)] == [
        ("甲乙丙", "子丑寅卯"),
        ("丁戊己", "辰巳午未"),
        (None, "申酉"),
        ("同样", "同样"),
    ]


def test_two_versions_are_compared_side_by_side_by_character(site: Site) -> None:
    changed = next(each for each in site.get("/changes.json").json["changes"] if each["title"] == "标题 [1](x) 新闻")
    address = changed["address"].removesuffix(".json")

    page = html(site.get(address))
    found = site.get(changed["address"]).json

    assert [each.text() for each in page.css("del")] + [each.text() for each in page.css("ins")]
    assert len(page.css(".diff .row.head > p")) == 2
    assert (found["older"]["revision"], found["newer"]["revision"]) == (changed["revision"] - 1, changed["revision"])
    marked = [piece["mark"] for part in found["paragraphs"] if "pieces" in part for piece in part["pieces"]]
    assert {"gone", "new"} & set(marked)


def test_a_pair_that_cannot_be_compared_is_refused_with_a_reason(site: Site) -> None:
    address = site.get("/changes.json").json["changes"][0]["address"].rpartition("/")[0]

    assert site.get(f"{address}/1..99").status == 404
    assert site.get(f"{address}/2..1.json").status == 400
    assert site.get(f"{address}/1..1").status == 400
    assert site.get(f"{address}/x..y").status == 404


def test_versions_that_are_too_long_are_left_to_the_command_line(site: Site) -> None:
    hash_ = site.get("/articles.json?q=灯塔的故事").json["articles"][0]["url_hash"]
    with site.database.write() as connection:
        own = tables.articles.c
        row = connection.execute(sa.select(tables.articles).where(own.url_hash == hash_)).one()
        older = {name: getattr(row, name) for name in ("title", "text", "content")}
        values = {"article_id": row.id, "revision": 1, "seen_at": NOW, "source_id": row.source_id, **older}
        connection.execute(sa.insert(tables.revisions), values)
        long = {"revision": 2, "content": "长" * MAX_LENGTH, "revision_seen_at": NOW}
        connection.execute(sa.update(tables.articles).where(own.id == row.id).values(long))

    answer = site.get(f"/a/{hash_[:16]}/diff/1..2")

    assert f"kzfeed diff {row.id} --from 1 --to 2" in answer.visible
    assert len(answer.body) < 20_000
    assert site.get(f"/a/{hash_[:16]}/diff/1..2.json").json["paragraphs"] is None
    assert site.get(f"/a/{hash_}/diff/1..2").headers["location"] == f"/a/{hash_[:16]}/diff/1..2"


# --- lists -----------------------------------------------------------------------------------------------------------


def test_changes_lead_to_what_changed_and_can_be_limited_to_large_ones(site: Site) -> None:
    page = html(site.get("/changes"))
    listed = site.get("/changes.json").json["changes"]

    assert [link.attributes["href"] for link in page.css(".articles h2 a")] == [
        each["address"].removesuffix(".json") for each in listed
    ]
    times = [datetime.fromisoformat(each["seen_at"]) for each in listed]
    assert times == sorted(times, reverse=True)
    large = site.get("/changes.json?least=3").json["changes"]
    assert 0 < len(large) < len(listed)
    assert site.get("/changes?least=x").status == 400
    assert site.get("/changes?after=x").status == 400
    after = site.get(f"/changes.json?after={listed[2]['key']}").json["changes"]
    assert after == listed[3:]


def test_a_changed_headline_is_marked(site: Site) -> None:
    hash_ = site.get("/changes.json").json["changes"][0]["url_hash"]
    with site.database.write() as connection:
        update = sa.update(tables.articles).where(tables.articles.c.url_hash == hash_)
        connection.execute(update.values(title=f"标题 [新] {SCRIPT}"))

    first = html(site.get("/changes?lang=en")).css(".articles li")[0]

    assert first.css("h2 ins")[0].text().startswith("新")
    assert "headline" in first.text()
    assert "the headline was" in site.get("/changes.atom?lang=en").text


def test_a_withdrawn_article_and_a_gap_are_listed(site: Site) -> None:
    (withdrawn,) = site.get("/withdrawn.json").json["withdrawals"]
    gaps = site.get("/gaps.json").json["gaps"]

    assert (withdrawn["source"], withdrawn["title"], withdrawn["to_at"]) == ("news", "标题 [3](x) 新闻", None)
    assert "标题 [3](x) 新闻" in site.get("/withdrawn").visible
    assert [gap["source"] for gap in gaps] == [SCRIPT, "news"]
    assert len(html(site.get("/gaps")).css("rect.band")) == 2


def test_sources_are_listed_by_status(site: Site) -> None:
    listed = site.get("/sources.json").json["sources"]

    assert [each["name"] for each in listed] == sorted(each["name"] for each in listed)
    assert [each["name"] for each in site.get("/sources.json?status=failing").json["sources"]] == [SCRIPT]
    assert site.get("/sources?status=nonsense").status == 400
    assert site.get(f"/sources.json?after={listed[0]['name']}").json["sources"] == listed[1:]


def test_the_page_of_a_source_says_how_it_is_and_why(site: Site) -> None:
    address = f"/sources/{quote(SCRIPT, safe='')}"
    answer = site.get(f"{address}?lang=en")
    found = site.get(f"{address}.json").json

    assert "Its host asked" not in answer.visible
    assert "The next poll is due since" in answer.visible
    assert "3 failures in a row" in answer.visible
    assert len(html(answer).css("svg.chart")) == 4
    assert found["source"]["name"] == SCRIPT
    assert found["articles"] == sum(range(1, 30))
    assert sum(found["articles_by_day"].values()) == 10 * sum(range(1, 30))
    assert sum(sum(day.values()) for day in found["polls_by_day"].values()) == 3
    assert [poll["outcome"] for poll in found["polls"]] == ["failed", "new", "not-modified"]
    assert [each["host"] for each in found["addresses"]] == ["secret.example"]
    assert site.get("/sources/nobody").status == 404


def test_the_page_of_a_source_whose_name_ends_like_an_address_is_found(site: Site) -> None:
    with site.database.write() as connection:
        values = {"enabled": False, "status": "active", "auto": False, "failure_count": 0, "ask_in_full": False}
        connection.execute(sa.insert(tables.sources).values(**values, name="feed.json", moved_polls=0))

    (link,) = html(site.get("/sources")).css('a[href^="/sources/feed.json"]')
    page = html(site.get(str(link.attributes["href"])))

    assert [heading.text() for heading in page.css("h1")] == ["feed.json"]
    (as_json,) = (each.attributes["href"] for each in page.css('link[type="application/json"]'))
    assert site.get(str(as_json)).json["source"]["name"] == "feed.json"


def test_each_bar_leads_to_the_articles_of_its_day(site: Site) -> None:
    shown = bars(site, "sources/news")

    assert shown
    assert_bars_count_what_they_lead_to(site, shown)


# --- chart above the list of articles --------------------------------------------------------------------------------


def bars(site: Site, query: str) -> dict[str, str]:
    """The labels of the bars on a page, each with the address that it leads to."""
    links = html(site.get(f"/{query}")).css("figure svg a")
    return {bar.text(): str(bar.attributes["href"]) for bar in links}


def assert_bars_count_what_they_lead_to(site: Site, shown: Mapping[str, str]) -> None:
    for label, address in shown.items():
        found = site.get(f"/articles.json{address.removeprefix('/')}").json["articles"]
        assert str(len(found)) == label.rpartition(": ")[2]


@pytest.mark.parametrize(
    "query",
    ["?source=news", "?source=pod", "?q=灯塔的故事", "?changed=1", "?tag=播客", "?since=2022-01-10&until=2022-01-12"],
)
def test_the_bars_above_the_list_lead_to_the_articles_that_they_count(site: Site, query: str) -> None:
    shown = bars(site, query)

    assert shown
    assert_bars_count_what_they_lead_to(site, shown)


def test_a_day_of_which_not_all_articles_were_counted_is_left_out() -> None:
    days = [date(2024, 5, 3), date(2024, 5, 2), date(2024, 5, 2), date(2024, 5, 1)]

    assert counted_days(days, 5, date.max) == {date(2024, 5, 3): 1, date(2024, 5, 2): 2, date(2024, 5, 1): 1}
    assert counted_days(days, 4, date.max) == {date(2024, 5, 3): 1, date(2024, 5, 2): 2}
    assert counted_days(days, 5, date(2024, 5, 1)) == {date(2024, 5, 1): 1}


def test_no_chart_stands_above_undated_articles_and_later_pages(site: Site) -> None:
    after = site.get("/articles.json").json["articles"][2]["key"]

    assert bars(site, "?undated=1") == bars(site, f"?after={after}") == bars(site, "?q=nowhere") == {}


def test_dates_at_the_ends_of_the_calendar_do_no_harm(site: Site) -> None:
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)]
    with site.database.write() as connection:
        source = {"name": "ends", "enabled": False, "status": "active", "auto": False, "failure_count": 0}
        insert = sa.insert(tables.sources).values(**source, moved_polls=0, ask_in_full=False)
        source_id = connection.execute(insert.returning(tables.sources.c.id)).scalar_one()
        seen = dict.fromkeys(("first_seen_at", "last_seen_at", "revision_seen_at"), NOW)
        article = {"title": "t", "content": "", "text": "", "language": "xx", "revision": 1, "fingerprint": "", **seen}
        for number, end in enumerate(ends):
            values = {"url_hash": f"{number}" * 64, "published_at": end, "source_id": source_id, **article}
            connection.execute(sa.insert(tables.articles).values(**values, revision_source_id=source_id))
        counts = {"source_id": source_id, "articles": 1, "undated": 0, "first_seen": 1, "new_versions": 0}
        connection.execute(sa.insert(tables.day_counts), [{"day": end.date(), **counts} for end in ends])

    for query in ("", "?source=ends", "?language=xx", "?since=0001-01-01", "?until=9999-12-31", "?until=0001-01-01"):
        html(site.get(f"/{query}"))
    assert list(bars(site, "?source=ends")) == ["0001-01-01: 1"]
    assert len(html(site.get("/sources/ends")).css("svg.chart")) == 2


# --- everywhere ------------------------------------------------------------------------------------------------------


def test_hostile_names_are_text_on_every_page(site: Site) -> None:
    pages = [*LISTS, f"/sources/{quote(SCRIPT, safe='')}", "/sources/evil"]
    pages += [each["address"].removesuffix(".json") for each in site.get("/changes.json").json["changes"][:3]]
    for page in pages:
        for language in LANGUAGES:
            answer = site.get(f"{page}?lang={language}")
            tree = html(answer)
            assert all(each.attributes.get("src") and not each.text() for each in tree.css("script")), page
            assert not tree.css("img, iframe, style, [onerror], [onload], [style]"), page
            assert {str(link.attributes.get("href"))[0] for link in tree.css("a")} <= set("/#?h"), page
            assert "geheim" not in answer.text
        assert "geheim" not in json.dumps(site.get(f"{page}.json").json)


@pytest.mark.parametrize(("page", "rows"), LISTS.items())
def test_each_list_is_a_valid_atom_feed_that_kzfeed_reads(site: Site, page: str, rows: str, tmp_path: Path) -> None:
    feed = site.get(f"{page}.atom?lang=zh")
    (tmp_path / "feed.xml").write_bytes(feed.body)

    _, articles = read_document(Document(feed.body, "application/atom+xml", f"{site.address}{page}.atom", None, NOW))

    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert breaches(tmp_path / "feed.xml") == []
    assert len(articles) == len(site.get(f"{page}.json").json[rows])
    assert all((article.url or "").startswith(site.address) for article in articles)
    assert "<script" not in feed.text
