"""An article gets the text of its page as its next version, and keeps it while the feed goes on showing its own."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kzfeed.store import tables
from tests.pages.conftest import ITEM, Archive, Item, feed, page

pytestmark = pytest.mark.slow_on_postgresql

DAY = timedelta(days=1)
FULL = "灯塔照亮整条海岸线。"


def test_an_entry_is_archived_at_once_and_the_text_of_its_page_is_its_next_version(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())

    archive.poll()
    assert archive.versions() == [(1, "灯塔", "feed")]

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]
    assert archive.versions() == [(1, "灯塔", "feed"), (2, FULL, "page")]
    assert archive.article()["content"] == f"<p>{FULL}</p>"


def test_a_page_is_fetched_once_however_often_the_source_is_polled(archive: Archive) -> None:
    source = archive.add_source().respond_with(feed(ITEM))
    first = archive.server.page("/a/1.html", page())
    second = archive.server.page("/a/2.html", page())
    for document in (feed(ITEM), feed(ITEM, Item("第二", "/a/2.html")), feed(ITEM)):
        source.respond_with(document)
        archive.poll()
        archive.fetch_pages(2 * DAY)

    assert (len(first.seen), len(second.seen)) == (1, 1)


def test_a_feed_that_goes_on_showing_its_own_text_makes_no_revision(archive_on_each_engine: Archive) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.server.page("/a/2.html", page())
    archive.poll()
    archive.fetch_pages()
    # The bytes of the document change, so that it is read and compared again.
    source.respond_with(feed(Item("第二", "/a/2.html"), ITEM))

    assert (archive.poll().new_articles, archive.poll().revised_articles) == (1, 0)
    assert archive.article()["revision"] == 2
    assert archive.article()["content_from"] == "page"
    assert archive.rows(tables.gaps) == []


def test_an_edited_entry_is_kept_as_an_older_version_and_the_text_of_the_page_stays(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()

    source.respond_with(feed(replace(ITEM, text="灯塔，已更正")))
    assert archive.poll().revised_articles == 1
    archive.poll()

    kept = [(1, "灯塔", "feed"), (2, FULL, "page"), (3, "灯塔，已更正", "feed"), (4, FULL, "page")]
    assert archive.versions() == kept


def test_an_edited_title_is_taken_beside_the_text_of_the_page(archive: Archive) -> None:
    source = archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()

    source.respond_with(feed(replace(ITEM, title="新标题")))
    archive.poll()

    assert archive.article("新标题")["text"] == FULL


def test_the_page_of_an_edited_entry_is_fetched_again_once_and_at_most_once_a_day(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()
    for text in ("一", "二", "三"):
        source.respond_with(feed(replace(ITEM, text=text)))
        archive.poll()
        archive.fetch_pages()
    assert len(fetched.seen) == 1

    fetched.respond_with(page("<p>灯塔照亮整条海岸线，已更正。</p>"))
    archive.fetch_pages(DAY)
    archive.fetch_pages(DAY)

    assert len(fetched.seen) == 2
    assert archive.article()["text"] == "灯塔照亮整条海岸线，已更正。"


def test_a_page_that_says_the_same_again_makes_no_revision(archive_on_each_engine: Archive) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()
    source.respond_with(feed(replace(ITEM, text="灯塔二")))
    archive.poll()
    before = archive.versions()

    assert [record.outcome for record in archive.fetch_pages(DAY)] == ["same"]
    assert archive.versions() == before


def test_a_page_whose_text_is_that_of_the_feed_makes_no_revision(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page("<p>灯塔</p>"))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["same"]
    assert archive.versions() == [(1, "灯塔", "feed")]


def test_the_page_of_an_article_that_two_sources_carry_is_fetched_once(archive: Archive) -> None:
    for name in ("s", "t"):
        archive.add_source(name).respond_with(feed(ITEM))
        archive.poll(name)
    fetched = archive.server.page("/a/1.html", page())

    archive.fetch_pages()
    archive.fetch_pages(DAY)

    assert len(fetched.seen) == 1


def test_a_mirror_with_the_same_text_as_the_feed_does_not_replace_the_page(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()
    archive.add_source("mirror", full_text=None).respond_with(feed(ITEM))

    assert archive.poll("mirror").revised_articles == 0
    assert archive.article()["text"] == FULL


def test_a_mirror_with_another_text_does_not_replace_the_page_and_loses_nothing(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()
    archive.add_source("mirror", full_text=None).respond_with(feed(replace(ITEM, text="灯塔的摘要")))
    archive.poll("mirror")
    archive.poll("mirror")

    assert archive.versions()[2:] == [(3, "灯塔的摘要", "feed"), (4, FULL, "page")]


def test_a_date_that_arrives_later_is_taken_though_the_text_is_that_of_the_page(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    archive.poll()
    archive.fetch_pages()

    source.respond_with(feed(replace(ITEM, date="Mon, 05 Jan 2026 08:00:00 GMT")))
    archive.poll()

    assert archive.article()["published_raw"] == "Mon, 05 Jan 2026 08:00:00 GMT"
    assert archive.article()["revision"] == 2


@pytest.mark.parametrize("text", ["灯塔照亮整条海岸线", "灯塔照亮整条海岸线，已更正"])
def test_an_entry_with_a_new_guid_is_the_same_article_though_its_text_is_that_of_the_page(
    archive_on_each_engine: Archive, text: str
) -> None:
    archive = archive_on_each_engine
    source = archive.add_source().respond_with(feed(Item(text="灯塔照亮整条海岸线", guid="1")))
    archive.server.page("/a/1.html", page("<p>渡船在黄昏时靠岸。</p>" * 20))
    archive.poll()
    archive.fetch_pages()

    source.respond_with(feed(Item(text=text, guid="2")))

    assert archive.poll().new_articles == 0
    assert archive.rows(tables.gaps) == []


def test_a_source_without_full_text_fetches_no_page_and_its_polls_take_no_statement_more(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    archive.add_source(full_text=None).respond_with(feed(ITEM))
    fetched = archive.server.page("/a/1.html", page())
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(archive.database.engine, "before_cursor_execute", note)
    archive.poll()
    archive.poll()
    sa.event.remove(archive.database.engine, "before_cursor_execute", note)

    assert archive.fetch_pages() == []
    assert fetched.seen == []
    assert [each for each in statements if "page_fetches" in each] == []


def test_pages_of_articles_that_the_archive_has_already_are_not_fetched_when_full_text_is_turned_on(
    archive_on_each_engine: Archive,
) -> None:
    archive = archive_on_each_engine
    source = archive.add_source(full_text=None).respond_with(feed(ITEM))
    archive.server.page("/a/1.html", page())
    new = archive.server.page("/a/2.html", page())
    archive.poll()
    archive.add_source()
    source.respond_with(feed(ITEM, Item("第二", "/a/2.html")))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]
    assert len(new.seen) == 1


def test_addresses_in_the_page_are_resolved_and_its_images_are_media(archive: Archive) -> None:
    archive.add_source().respond_with(feed(ITEM))
    content = "<p>灯塔照亮海岸。</p><img src='1.jpg'><a href='../b'>二</a><img srcset='/a.jpg 9w 5h,/b 2x'>"
    archive.server.page("/a/1.html", page(content, head="<base href='/images/'>"))
    archive.poll()
    archive.fetch_pages()

    base = archive.server.page("/").url
    assert f'<img src="{base}images/1.jpg"><a href="{base}b">' in archive.article()["content"]
    assert f'<img srcset="{base}a.jpg 9w 5h,{base}b 2x">' in archive.article()["content"]
    assert sorted(row["url"] for row in archive.rows(tables.media)) == [f"{base}a.jpg", f"{base}images/1.jpg"]


def test_trafilatura_chooses_the_article_where_the_operator_leaves_it_to_it(archive: Archive) -> None:
    archive.add_source(full_text="auto").respond_with(feed(ITEM))
    paragraphs = "".join(f"<p>第{number}段：灯塔照亮整条海岸线，渡船在黄昏时靠岸。</p>" for number in range(12))
    archive.server.page("/a/1.html", page(f"<article>{paragraphs}</article>"))
    archive.poll()

    assert [record.outcome for record in archive.fetch_pages()] == ["stored"]
    assert "第11段" in archive.article()["text"]
    assert "菜单" not in archive.article()["text"]
