"""axe finds nothing wrong with any type of page, light and dark, and no page is wider than the screen."""

from collections.abc import Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.web.browser.archive import page_types
from tests.web.browser.conftest import Site

pytestmark = pytest.mark.slow


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Each violation of a rule of axe, with the elements that break it; of these rules only, if any are named."""
    chosen = {"runOnly": {"type": "rule", "values": [*rules]}} if rules else {}
    found: list[dict[str, Any]] = (
        Axe().run(page, options={"resultTypes": ["violations"], **chosen}).response["violations"]
    )
    return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']][:3]}" for each in found]


SAME_COLOURS = {"filtered", "undated", "nothing found", "hostile article", "withdrawn", "no such page"}
"""Pages that have no colour which another page has not."""


def test_no_page_breaks_a_rule_of_axe_light_or_dark_and_none_is_wider_than_the_screen(
    site: Site, browser: Browser
) -> None:
    broken: dict[str, list[str]] = {}
    wide: list[tuple[str, int]] = []
    with browser.new_context(color_scheme="light") as context:
        page = context.new_page()
        for name, path in page_types(site.articles):
            page.emulate_media(color_scheme="light")
            page.goto(f"{site.address}{path}")
            found = violations(page)
            if name not in SAME_COLOURS:
                # Colours are all that differs between light and dark.
                page.emulate_media(color_scheme="dark")
                found += violations(page, ["color-contrast"])
            if found:
                broken[name] = found
            wide += ((name, width) for width in (360, 1200) if is_wider(page, width))
            page.set_viewport_size({"width": 1280, "height": 720})

    assert broken == {}
    assert wide == []


def is_wider(page: Page, width: int) -> bool:
    """Whether the page is wider than a screen of this width."""
    page.set_viewport_size({"width": width, "height": 740})
    return bool(page.evaluate("document.documentElement.scrollWidth") > width)


def test_the_rules_of_axe_run_at_all(browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content("<img src='data:,'><p style='color: #eee; background: #fff'>pale</p>")

        assert {"image-alt", "color-contrast", "html-has-lang"} <= {each.split(":")[0] for each in violations(page)}
