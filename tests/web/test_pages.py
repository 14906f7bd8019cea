"""The list of articles and the pages of one article, over HTTP."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.web.hostile import BODIES
from tests.web.site import Site

LOADING = {
    *("script", "img", "iframe", "object", "embed", "video", "audio", "source"),
    *("style", "form", "svg", "math", "base", "link", "frame", "input"),
}
RUNNING = {
    *("style", "src", "srcset", "ping", "background", "poster", "data", "action", "formaction"),
    *("onload", "onerror", "onmouseover"),
}


def hashes(site: Site, query: str) -> list[str]:
    return [each["url_hash"] for each in site.get(f"/articles.json{query}").json["articles"]]


def test_the_first_page_lists_the_newest_articles_and_leads_to_all_others(site: Site) -> None:
    titles: list[str] = []
    address = "/articles.json"
    while address:
        listed = site.get(address).json
        titles += [each["title"] for each in listed["articles"]]
        address = listed["next"]
    html = site.get("/")

    assert html.status == 200
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert "标题 [7](x) 新闻" in html.visible
    assert len(titles) == 23 + len(BODIES)
    assert "标题 [3](x) 新闻" in titles


def test_a_search_marks_what_it_found(site: Site) -> None:
    found = site.get("/?q=灯塔的故事")

    assert found.text.count("<mark>灯塔的故事</mark>") == 9
    assert len(site.get("/articles.json?q=灯塔的故事 -第3集").json["articles"]) == 8
    assert "No article found" in site.get("/?q=nowhere").visible


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("?source=pod", 9),
        ("?changed=1", 4),
        ("?withdrawn=1", 1),
        ("?tag=播客", 9),
        ("?since=2022-01-11&source=news", 4),
        ("?until=2022-01-11&source=news", 1),
        ("?undated=1&source=news", 8),
        ("?undated=1&source=news&q=标题", 4),
    ],
)
def test_filters_choose_articles(site: Site, query: str, number: int) -> None:
    assert len(hashes(site, query)) == number


def test_a_mistake_in_a_filter_is_a_page_that_helps(site: Site) -> None:
    for query in (
        "?source=newz",
        "?since=yesterday",
        "?after=x",
        '?q="open',
        "?undated=1&since=2022",
        "?tag=%00",
        "?since=2024-07&until=2024-05",
        "?q=x+--since+2024",
        "?q=sorce:voa",
    ):
        answer = site.get(f"/{query}")

        assert answer.status == 400, query
        assert "This request cannot be answered" in answer.visible
    assert "the nearest is news" in site.get("/?source=newz").visible


def test_a_source_that_is_not_there_is_told_in_the_language_of_the_page(site: Site) -> None:
    for query in ("?source=gone&lang=zh", "?q=a+source:gone&lang=zh"):
        page = site.get(f"/{query}")
        assert (page.status, "没有名为 gone 的来源：“来源”页面列出全部来源。" in page.visible) == (400, True), (
            page.visible
        )
    assert "the nearest is news." in site.get("/?source=newz&lang=en").visible
    assert site.get("/articles.json?source=gone").json["error"].startswith("No source is called gone")


def test_an_article_has_one_address(site: Site) -> None:
    url_hash = hashes(site, "?changed=1")[0]

    page, longer = site.get(f"/a/{url_hash[:16]}"), site.get(f"/a/{url_hash}")

    assert page.status == 200
    assert "正文" in page.visible
    assert (longer.status, longer.headers["location"]) == (301, f"/a/{url_hash[:16]}")
    assert site.get(f"/a/{url_hash}.json").headers["location"] == f"/a/{url_hash[:16]}.json"
    assert site.get(f"/a/{url_hash[:16]}.json").json["url_hash"] == url_hash
    assert site.get(f"/a/{url_hash[:16]}.txt").headers["content-type"] == "text/plain; charset=utf-8"
    for wrong in ("/a/0123456789abcdef", "/a/xyz", "/a/1", "/nothing"):
        assert site.get(wrong).status == 404


def test_an_older_version_never_changes(site: Site) -> None:
    address = f"/a/{hashes(site, '?changed=1')[0][:16]}/v/1"

    page = site.get(address)
    again = site.get(address, If_None_Match=page.headers["etag"])

    assert "immutable" in page.headers["cache-control"]
    assert (again.status, again.body) == (304, b"")
    assert site.get(f"{address}.json").json["revision"] == 1
    assert site.get(address.removesuffix("1") + "99").status == 404


def test_the_pages_speak_four_languages(site: Site) -> None:
    for language, word in (("zh", "文章"), ("en", "Articles"), ("ru", "Статьи"), ("kk", "Мақалалар")):
        assert word in site.get("/", Accept_Language=f"{language}-XX, en;q=0.5").visible
        chosen = site.get(f"/?lang={language}")
        assert word in chosen.visible
        assert f"kzfeed_language={language};" in chosen.headers["set-cookie"]
    assert "Статьи" in site.get("/", Cookie="kzfeed_language=ru", Accept_Language="zh").visible


def test_only_known_hosts_and_only_reading_methods_are_answered(site: Site) -> None:
    assert site.get("/", Host="evil.example").status == 421
    assert site.get("/", Host="localhost:1").status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert site.get("/", method=method).status == 405
    assert site.get("/", method="HEAD").body == b""


def test_hostile_articles_leave_nothing_that_a_browser_would_run_or_load(site: Site) -> None:
    for url_hash in hashes(site, "?source=evil"):
        page = site.get(f"/a/{url_hash[:16]}")

        assert page.status == 200
        assert "script-src" not in page.headers["content-security-policy"]
        elements = LexborHTMLParser(page.text).css("*")
        assert {each.tag for each in elements} & LOADING == {"link"}
        assert not {name for each in elements for name in each.attributes} & RUNNING
        links = {each.attributes["href"] or "" for each in elements if "href" in each.attributes}
        assert {link.partition(":")[0] for link in links if not link.startswith(("/", "?", "#"))} <= {"http", "https"}
    assert "<script>window" not in site.get("/?source=evil").text
