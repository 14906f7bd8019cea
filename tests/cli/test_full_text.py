"""`kzfeed poll` with a configured selector and a filter: files, lines and explanations as a person sees them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fork_server import clean_environment, fork_server

pytestmark = pytest.mark.slow

FEED = """<rss version="2.0"><channel><title>数字时代</title>
<item><title>渡船</title><link>1.html</link><category>🚢</category><category>网文</category>
<pubDate>Thu, 14 May 2020 09:42:00 GMT</pubDate><description>云渡河……</description></item>
<item><title>广告</title><link>2.html</link><category>广告</category><description>买</description></item>
<item><title>会员</title><link>3.html</link><category>📕</category><description>会员文章的摘要</description></item>
</channel></rss>"""
PAGES = {
    "1.html": (
        "<title>渡船 - 数字时代</title>"
        "<div class='post-content'>\n  <p>云渡河两岸的居民，\n  在第一场雪之前。</p>\n</div>"
    ),
    "2.html": "<div class='post-content'>买</div>",
    "3.html": "<title>登录 - 数字时代</title><div class='post-content'><p>请先登录，然后再阅读这篇文章。</p></div>",
}
SOURCE = """
[[sources]]
name = "cdt"
url = "{address}/feed.xml"
include = [{{ tag = "[\\U0001F300-\\U0001FAFF]" }}]
full_text = "css:div.post-content"
"""


@pytest.fixture
def site(served: tuple[Path, str], tmp_path: Path) -> str:
    """A site with a feed and pages, which a kzfeed.toml in the test's folder names; its address."""
    folder, address = served
    (folder / "feed.xml").write_text(FEED, "utf-8")
    for name, page in PAGES.items():
        (folder / name).write_text(f"<!doctype html><meta charset=utf-8>{page}", "utf-8")
    (tmp_path / "kzfeed.toml").write_text(f'[http]\nhost_gap = "0s"\n{SOURCE.format(address=address)}', "utf-8")
    return address


def run(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """The standard output of a command that succeeds."""
    done = fork_server().run(arguments, folder, environment or clean_environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_poll_fetches_the_pages_of_what_it_polled_and_says_what_became_of_them(site: str, tmp_path: Path) -> None:
    lines = run(tmp_path, "poll").splitlines()

    assert lines[1:] == [
        "cdt: page stored, 渡船",
        "cdt: page refused no-article: a log-in page instead of the article (article 2)",
        "1 source: 1 new; 2 articles new, 0 revised",
        "pages: 1 stored, 1 refused; 0 wait",
    ]
    assert "pages" not in run(tmp_path, "poll").splitlines()[0]


def test_the_file_of_a_filtered_fetched_and_selected_article_is_that_of_the_parent(site: str, tmp_path: Path) -> None:
    run(tmp_path, "poll")
    run(tmp_path, "export", "files")

    (file,) = (tmp_path / "files").rglob("cdt/2020/05/*.txt")
    assert file.read_text("utf-8") == (
        f"<!--1589449320000-->\n[渡船]({site}/1.html)\n------\n\n<p>云渡河两岸的居民，在第一场雪之前。</p>\n"
    )


def test_explain_and_json_say_what_became_of_the_pages(site: str, tmp_path: Path) -> None:
    (report,) = json.loads(run(tmp_path, "poll", "--json"))
    told = run(tmp_path, "explain", "cdt")

    counts = {"waiting": 0, "stored": 1, "same": 0, "refused": 1, "failed": 0, "next_try_at": None}
    assert report["pages"] == counts
    assert "(full_text = css:div.post-content): 1 stored, 1 refused." in told
    assert "The page of article 2, 会员, refused: no-article: a log-in page instead of the article." in told


def test_a_restored_archive_knows_where_its_texts_are_from_and_fetches_no_page_again(site: str, tmp_path: Path) -> None:
    run(tmp_path, "poll")
    run(tmp_path, "export", "all.jsonl", "--versions")
    (tmp_path / "kzfeed.db").unlink()
    run(tmp_path, "backfill", "all.jsonl")
    run(tmp_path, "poll")

    query = "select title, revision, content_from from articles order by title"
    rows = json.loads(run(tmp_path, "query", query, "--json"))
    assert [tuple(row.values()) for row in rows] == [("会员", 1, "feed"), ("渡船", 2, "page")]
    assert json.loads(run(tmp_path, "query", "select * from page_fetches", "--json")) == []
