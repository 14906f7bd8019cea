"""A person uses the pages: by mouse and by keyboard, with JavaScript and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser.conftest import Site

pytestmark = pytest.mark.slow


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Page]:
    with browser.new_context(java_script_enabled=request.param, base_url=site.address, locale="en-US") as context:
        yield context.new_page()


@pytest.fixture
def scripted_page(browser: Browser, site: Site) -> Iterator[Page]:
    with browser.new_context(base_url=site.address, locale="en-US") as context:
        yield context.new_page()


def focused(page: Page) -> str:
    """The text of the element that has the focus."""
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def test_a_search_is_typed_and_its_first_hit_is_opened(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox").fill("article first")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/\?q=article"))
    expect(page.get_by_role("searchbox")).to_have_value("article first")
    assert page.locator("mark").count() > 0
    page.locator("main h3 a").first.click()
    expect(page).to_have_url(re.compile(r"/a/[0-9a-f]{16}$"))


def test_filters_are_set_in_the_form_and_taken_off_by_their_links(page: Page) -> None:
    page.goto("/")
    page.locator("summary").first.click()
    page.get_by_label("Source").select_option("hostile")
    page.get_by_label("changed").check()
    page.get_by_role("button", name="Show").click()

    expect(page).to_have_url(re.compile("source=hostile"))
    expect(page.get_by_label("changed")).to_be_checked()
    page.get_by_role("link", name=re.compile("changed")).first.click()
    expect(page).not_to_have_url(re.compile("changed"))
    expect(page).to_have_url(re.compile("source=hostile"))


def test_older_articles_follow_page_by_page_and_none_comes_twice(page: Page) -> None:
    page.goto("/?source=hostile")
    seen: list[str] = []
    while True:
        seen += page.locator("main h3 a").evaluate_all("links => links.map(a => a.href)")
        onward = page.get_by_role("link", name="Older")
        if not onward.count():
            break
        address = page.url
        onward.click()
        expect(page).not_to_have_url(address)
        page.wait_for_load_state()

    assert len(seen) == len(set(seen)) > 0


def test_the_language_is_the_browsers_until_another_is_chosen(browser: Browser, site: Site) -> None:
    with browser.new_context(locale="kk-KZ", base_url=site.address) as context:
        page = context.new_page()
        page.goto("/")
        assert page.locator("html").get_attribute("lang") == "kk"
        for name, code in (("Русский", "ru"), ("English", "en"), ("中文", "zh")):
            page.get_by_role("link", name=name).click()
            expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{code}"))


def test_the_skip_link_is_the_first_stop_of_the_tab_key(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    expect(page.locator(".skip")).to_be_in_viewport()

    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_every_link_and_field_is_reached_by_the_tab_key_with_a_visible_focus(page: Page) -> None:
    page.goto("/a/" + _revised(page))
    stops = page.locator("a[href], button, input, select, summary, [tabindex='0']").count()
    unseen: list[str] = []
    for _ in range(stops):
        page.keyboard.press("Tab")
        style = "getComputedStyle(document.activeElement)"
        if page.evaluate(f"{style}.outlineStyle === 'none' || parseFloat({style}.outlineWidth) < 2"):
            unseen.append(focused(page))

    assert unseen == []


def _revised(page: Page) -> str:
    page.goto("/?changed=1")
    return str(page.locator("main h3 a").first.get_attribute("href")).rpartition("/")[2]


def test_j_k_and_slash_move_between_articles_and_to_the_search_box(scripted_page: Page) -> None:
    page = scripted_page
    page.goto("/")
    titles = page.locator("main h3 a").all_text_contents()
    for key, expected in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        assert focused(page) == titles[expected].strip()
    page.keyboard.press("/")
    page.keyboard.type("j/k")

    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("j/k")


def test_a_page_loads_no_script_but_the_one_for_keys(scripted_page: Page) -> None:
    page = scripted_page
    page.goto("/")
    scripts = page.locator("script")
    source = str(scripts.first.get_attribute("src"))

    assert scripts.count() == 1
    assert len(page.request.get(source).body()) <= 2048


def test_a_wrong_address_gets_a_page_that_helps(page: Page) -> None:
    for path in ("/nothing", "/a/0123456789abcdef", "/a/zzz", "/sources/nobody", "/?since=yesterdayish"):
        response = page.goto(path)
        assert response
        assert response.status in (400, 404)
        assert page.get_by_role("link", name="newest").count() >= 1
        assert "Traceback" not in page.content()


def test_a_page_prints_without_its_navigation(page: Page) -> None:
    page.goto("/")
    page.emulate_media(media="print")

    expect(page.get_by_role("navigation").first).to_be_hidden()
