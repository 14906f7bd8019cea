"""axe finds nothing wrong with any type of page, light and dark, and no page is wider than the screen."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.web.browser.archive import page_types
from tests.web.browser.conftest import Site


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Each violation of a rule of axe, with the elements that break it; of these rules only, if any are named."""
    chosen = {"runOnly": {"type": "rule", "values": [*rules]}} if rules else {}
    found: list[dict[str, Any]] = (
        Axe().run(page, options={"resultTypes": ["violations"], **chosen}).response["violations"]
    )
    return [f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']][:3]}" for each in found]


SAME_COLOURS = {"filtered", "undated", "nothing found", "hostile article", "withdrawn", "no such page"}
"""Pages that have no colour which another page has not."""


# Colours are all that differs between the two.
@pytest.mark.parametrize(("scheme", "rules"), [("light", []), ("dark", ["color-contrast"])], ids=["light", "dark"])
def test_no_page_breaks_a_rule_of_axe(
    site: Site, browser: Browser, scheme: Literal["light", "dark"], rules: list[str]
) -> None:
    broken: dict[str, list[str]] = {}
    with browser.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        for name, path in page_types(site.articles):
            if rules and name in SAME_COLOURS:
                continue
            page.goto(f"{site.address}{path}")
            if found := violations(page, rules):
                broken[name] = found

    assert broken == {}


def test_no_page_is_wider_than_the_screen(site: Site, browser: Browser) -> None:
    wide: list[tuple[str, int]] = []
    with browser.new_context() as context:
        page = context.new_page()
        for name, path in page_types(site.articles):
            page.goto(f"{site.address}{path}")
            for width in (360, 1200):
                page.set_viewport_size({"width": width, "height": 740})
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append((name, width))

    assert wide == []


def test_the_rules_of_axe_run_at_all(browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content("<img src='data:,'><p style='color: #eee; background: #fff'>pale</p>")

        assert {"image-alt", "color-contrast", "html-has-lang"} <= {each.split(":")[0] for each in violations(page)}
