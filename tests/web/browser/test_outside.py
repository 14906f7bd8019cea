"""Looking at the archive asks nobody else for anything, and nothing that publishers wrote runs."""

from collections.abc import Iterable
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.web.browser.archive import page_types
from tests.web.browser.chromium import Sink
from tests.web.browser.conftest import Site
from tests.web.hostile import BODIES, NAMES

pytestmark = pytest.mark.slow

ARGUMENTS = ("q", "source", "tag", "since", "language", "after", "lang", "nosuch")


class Watch:
    """A page of the browser, and what was noted on it: scripts, dialogs, and what its security policy had to stop."""

    def __init__(self, context: BrowserContext, site: Site, sink: Sink) -> None:
        self._site, self._sink = site, sink
        self._before = len(sink.connections)
        self.noted: list[str] = []
        self.page = context.new_page()
        self.page.on("dialog", lambda dialog: self.noted.append(f"dialog: {dialog.message}"))
        self.page.on("pageerror", lambda error: self.noted.append(f"script: {error}"))
        self.page.on("console", lambda message: self._note_refusal(message.text))

    def _note_refusal(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.noted.append(text)

    def open(self, path: str) -> None:
        response = self.page.goto(f"{self._site.address}{path}")
        if response is None or response.status >= 500:
            self.noted.append(f"failed: {path}")
        if self.page.evaluate("window.hacked === 1"):
            self.noted.append(f"ran: {path}")

    def connections(self) -> list[str]:
        """The hosts that were connected to, but for the last: a page that connects, to show that the sink listens."""
        control = self.page.context.new_page()
        with control.expect_event("requestfailed"):
            control.set_content('<img src="http://control.sink.example/">')
        *others, last = self._sink.connections[self._before :]
        assert last == "control.sink.example"
        return others


def watch_pages(browser: Browser, site: Site, sink: Sink, paths: Iterable[str], *, script: bool = True) -> None:
    """Open all these pages. Nothing may run, and no connection may reach the sink."""
    with browser.new_context(java_script_enabled=script) as context:
        watch = Watch(context, site, sink)
        for path in paths:
            watch.open(path)

        assert watch.noted == []
        assert watch.connections() == []


def test_no_article_runs_anything_or_connects_elsewhere(site: Site, browser: Browser, sink: Sink) -> None:
    watch_pages(browser, site, sink, [*site.articles.revised, *site.articles.others])


def test_no_former_version_and_no_comparison_runs_anything_or_connects_elsewhere(
    site: Site, browser: Browser, sink: Sink
) -> None:
    for kind in ("v/1", "diff/1..2"):
        watch_pages(browser, site, sink, [f"{path}/{kind}" for path in site.articles.revised])


def test_no_other_page_runs_anything_or_connects_elsewhere(site: Site, browser: Browser, sink: Sink) -> None:
    watch_pages(browser, site, sink, [path for _, path in page_types(site.articles)])


def test_nothing_that_is_typed_runs(site: Site, browser: Browser, sink: Sink) -> None:
    typed = quote(" ".join(NAMES))
    watch_pages(browser, site, sink, [f"/?{argument}={typed}" for argument in ARGUMENTS])


def test_without_javascript_no_hostile_article_connects_elsewhere(site: Site, browser: Browser, sink: Sink) -> None:
    watch_pages(browser, site, sink, site.articles.revised[: len(BODIES)], script=False)


def test_media_are_captions_that_name_the_address_of_the_publisher(site: Site, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.address}{site.articles.revised[1]}")

        assert page.locator(".body :is(img, video, audio, iframe, object, embed, svg, math, link, script)").count() == 0
        assert page.locator('.body a[href="http://sink.example/2.png"]').count() == 1


def test_hostile_titles_are_shown_letter_by_letter(site: Site, browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        for path, name in zip(site.articles.revised, NAMES, strict=False):
            page.goto(f"{site.address}{path}")
            title = page.locator("h1").text_content() or ""
            assert " ".join(name.split()) in " ".join(title.split())


def test_a_source_with_a_hostile_name_has_its_page(site: Site, browser: Browser, sink: Sink) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.address}/sources")
        links = page.locator("main a[href^='/sources/']")
        named = links.evaluate_all("links => links.map(a => [a.textContent, a.getAttribute('href')])")
    pages = {name.strip(): path for name, path in named}

    watch_pages(browser, site, sink, [pages[name.strip()] for name in NAMES])
