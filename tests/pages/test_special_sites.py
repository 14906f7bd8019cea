"""Two sites that the format's parent treated specially: their files come out as that archiver wrote them.

One site's guid is the link, and its content is in `content:encoded`. Of the other only the articles of one category
are kept, the article's page is fetched, and the inner HTML of an element is the content.
"""

from datetime import UTC, datetime

from kzfeed.article.archive_file import render
from kzfeed.article.build import file_of_article
from kzfeed.model.articles import FeedReading
from kzfeed.model.filters import FilterRule, Filters
from kzfeed.model.polls import SourceConfig
from kzfeed.store import sources
from kzfeed.store.queries.article_queries import find
from tests.etiquette.recording_server import Page, Reply
from tests.pages.conftest import SELECTOR, Archive

PUBLISHED = datetime(2020, 5, 14, 9, 42, tzinfo=UTC)
STAMP = int(PUBLISHED.timestamp() * 1000)


def feed(item: str) -> Reply:
    document = (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>s</title>'
        f"<item>{item}<pubDate>Thu, 14 May 2020 09:42:00 GMT</pubDate></item></channel></rss>"
    )
    return Reply(200, [("Content-Type", "application/rss+xml")], document.encode())


def only_file(archive: Archive) -> str:
    """The archive file of the only article."""
    return render(file_of_article(find(archive.database, "1"))).decode()


def configure(archive: Archive, page: Page, full_text: str | None, reading: FeedReading, filters: Filters) -> None:
    config = SourceConfig(name="s", url=page.url, full_text=full_text, reading=reading, filters=filters)
    sources.configure(archive.database, [config], archive.clock.now)


def test_the_site_whose_guid_is_the_link_and_whose_content_is_encoded(archive: Archive) -> None:
    item = """<title>
      河面结冰前的最后一班渡船
    </title>
    <link>https://site.example/rss-click/1?from=feed</link>
    <guid>https://site.example/mandarin/yataibaodao/ac-05142020.html</guid>
    <description>摘要比正文更长：云渡河两岸的居民在第一场雪之前把一年里最后的货物运过河去，渡船此后要停到四月。</description>
    <content:encoded><![CDATA[<p>
        云渡河两岸的居民，
        在第一场雪之前。
      </p>
      <p><img src="https://site.example/a.jpg"></p>
    ]]></content:encoded>"""
    page = archive.server.page("/feed.xml", feed(item))
    configure(
        archive, page, None, FeedReading(link_from="guid", content_from=("content:encoded", "description")), Filters()
    )
    archive.poll()

    assert only_file(archive) == (
        f"<!--{STAMP}-->\n"
        "[河面结冰前的最后一班渡船](https://site.example/mandarin/yataibaodao/ac-05142020.html)\n"
        "------\n\n"
        '<p>云渡河两岸的居民，在第一场雪之前。</p><p><img src="https://site.example/a.jpg"></p>\n'
    )


def test_the_site_with_one_category_whose_pages_are_fetched_and_selected(archive: Archive) -> None:
    article = archive.server.page("/chinese/2020/05/1.html")
    other = archive.server.page("/chinese/2020/05/2.html")
    item = f"""<title>广播</title><link>{other.url}</link><category>图说</category></item>
    <item><title>【立此存照】渡船</title><link>{article.url}</link><guid>{article.url}?p=1</guid>
    <category>立此存照</category><description>云渡河……</description>"""
    html = """<!DOCTYPE html>
<html lang="zh"><head><meta charset="UTF-8"><title>【立此存照】渡船 - 数字时代</title></head>
<body class="single">
<div class="sidebar"><p>其他文章</p></div>
<div class="post-content entry  clearfix" data-id="1">
    <p>云渡河两岸的居民&nbsp;在第一场雪之前，<strong>把货物运过河去</strong>。</p>
    <!-- 分页 -->
    <p style="text-align: center;"><a href="https://site.example/?a=1&amp;b=2" title='他说"渡船"'>渡船</a><br />
        <img src="https://site.example/b.jpg" alt=""></p>
    <blockquote>1 &lt; 2 &amp; 3</blockquote>
</div>
</body></html>"""
    article.respond_with(Reply(200, [("Content-Type", "text/html; charset=UTF-8")], html.encode()))
    page = archive.server.page("/feed.xml", feed(item))
    configure(archive, page, SELECTOR, FeedReading(), Filters(include=(FilterRule(tag="^立此存照$"),)))
    archive.poll()
    archive.fetch_pages()

    assert other.seen == []
    assert only_file(archive) == (
        f"<!--{STAMP}-->\n"
        f"[【立此存照】渡船]({article.url})\n"
        "------\n\n"
        "<p>云渡河两岸的居民&nbsp;在第一场雪之前，<strong>把货物运过河去</strong>。</p><!-- 分页 -->"
        '<p style="text-align: center;">'
        '<a href="https://site.example/?a=1&amp;b=2" title="他说&quot;渡船&quot;">渡船</a><br>'
        '<img src="https://site.example/b.jpg" alt=""></p><blockquote>1 &lt; 2 &amp; 3</blockquote>\n'
    )
