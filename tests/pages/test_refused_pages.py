"""A page that does not hold the article never replaces what the feed gave, and `explain` says why."""

from datetime import timedelta

import pytest

from kzfeed.cli.explain import explain_source
from tests.etiquette.recording_server import Reply
from tests.pages.conftest import ITEM, Archive, Item, feed, page, with_headers

LONG = Item(text="灯塔" * 40)
FULL = "<p>" + "灯塔照亮整条海岸线。" * 20 + "</p>"
FORM = "<form><input name=u><input type=PASSWORD name=p></form>"

REFUSED = [
    pytest.param(
        LONG, page("<p>灯塔</p>"), "no-article: the page has 2 characters of text where the feed has 80", id="short"
    ),
    pytest.param(ITEM, page(""), "no-article: the page has no text where the article should be", id="empty"),
    pytest.param(
        ITEM,
        Reply(200, [("Content-Type", "text/html")], b"<p>a page of another make"),
        "no-article: no element of the page matches div.post-content",
        id="selector",
    ),
    pytest.param(
        ITEM,
        page(FULL, head="<title>Log in - The Daily</title>"),
        "no-article: a log-in page instead of the article",
        id="log-in by its title",
    ),
    pytest.param(
        ITEM,
        page(f"<p>读者请先登录，然后继续阅读。</p>{FORM}", head="<title>标题 | 日报</title>"),
        "no-article: a log-in page instead of the article",
        id="log-in by its form",
    ),
    pytest.param(
        ITEM,
        page("<p>抱歉，您访问的页面不存在，请返回首页。</p>", head="<title>404 Not Found</title>"),
        "no-article: an error page instead of the article",
        id="error page with status 200",
    ),
    pytest.param(
        ITEM,
        Reply(200, [("Content-Type", "application/pdf")], b"%PDF-1.7"),
        "no-article: the page is no HTML, but application/pdf",
        id="pdf",
    ),
]


@pytest.mark.parametrize(("item", "reply", "said"), REFUSED)
def test_a_page_without_the_article_is_refused_and_not_tried_again(
    archive: Archive, item: Item, reply: Reply, said: str
) -> None:
    archive.add_source().respond_with(feed(item))
    fetched = archive.server.page("/a/1.html", reply)
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["refused"]
    archive.fetch_pages(timedelta(days=30))

    assert len(fetched.seen) == 1
    assert archive.versions() == [(1, item.text, "feed")]
    told = explain_source(archive.database, "s", archive.clock.now).why
    assert f"The page of article 1, 标题, refused: {said}." in told


def test_an_article_about_logging_in_is_no_log_in_page(archive: Archive) -> None:
    archive.add_source().respond_with(feed(Item(title="Log in")))
    archive.server.page("/a/1.html", page(FULL * 3 + FORM, head="<title>Log in | The Daily</title>"))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]


CHALLENGES = [
    pytest.param(with_headers(page(FULL, status=403), ("cf-mitigated", "challenge")), id="by its header"),
    pytest.param(page(FULL, head="<title>Just a moment...</title>"), id="by its title"),
    pytest.param(
        page("<p>Enable JavaScript to continue</p><script src='/cdn-cgi/challenge-platform/h/b.js'></script>"),
        id="by its script",
    ),
]


@pytest.mark.parametrize("reply", CHALLENGES)
def test_a_bot_challenge_is_a_failure_that_waits_for_a_day(archive: Archive, reply: Reply) -> None:
    archive.add_source().respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", reply)
    archive.poll()

    (record,) = archive.fetch_pages()
    assert (record.outcome, record.error_kind) == ("failed", "challenge")
    assert archive.fetch_pages(timedelta(hours=23)) == []
    assert len(archive.fetch_pages(timedelta(hours=2))) == 1
    assert len(fetched.seen) == 2
    assert archive.versions() == [(1, "灯塔", "feed")]


def test_a_page_that_is_refused_later_leaves_the_text_that_it_gave_before(archive: Archive) -> None:
    source = archive.add_source().respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()
    fetched.respond_with(page("<p>灯</p>"))
    source.respond_with(feed(Item(text="灯塔二")))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages(timedelta(days=1))] == ["refused"]
    assert archive.article()["text"] == "灯塔照亮整条海岸线。"


def test_another_selector_has_the_pages_fetched_again_that_did_not_match_the_first(archive: Archive) -> None:
    archive.add_source(full_text="css:main").respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    assert [record.outcome for record in archive.fetch_pages()] == ["refused"]

    archive.add_source()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]


def test_the_text_of_a_page_whose_encoding_was_guessed_is_stored_and_explain_says_so(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    html = "<div class=post-content>灯塔照亮整条海岸线，渡船在黄昏时靠岸。</div>".encode("gb18030")
    archive.server.page("/a/1.html", Reply(200, [("Content-Type", "text/html")], html))
    archive.poll()

    (record,) = archive.fetch_pages()

    assert (record.outcome, record.error, record.flaw) == ("stored", None, "its encoding was guessed: gb18030")
    told = explain_source(archive.database, "s", archive.clock.now).why
    assert "The page of article 1, 标题, stored: its encoding was guessed: gb18030." in told


def test_explain_counts_pages_and_says_when_the_next_one_is_due(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM, Item("第二", "/a/2.html"), Item("第三", "/a/3.html")))
    archive.server.page("/a/1.html", page())
    archive.server.page("/a/2.html", page(""))
    archive.poll()
    archive.fetch_pages()

    told = explain_source(archive.database, "s", archive.clock.now).why

    fetches = "It fetches the page of each new article (full_text = css:div.post-content)"
    assert f"{fetches}: 1 stored, 1 refused, 1 still to be fetched." in told
    assert any(each.startswith("Pages that wait are due from 2026-01-05 14:00:") for each in told)
    assert any("The page of article 3, 第三, failed: http-status" in each for each in told)
