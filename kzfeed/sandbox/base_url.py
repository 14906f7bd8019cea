"""Base URL of an HTML page, against which its relative addresses are resolved (HTML Standard §4.2.3)."""

from bs4 import BeautifulSoup

from kzfeed.article.url import href


def base_url(soup: BeautifulSoup, url: str) -> str:
    """The address in the first `<base href>` of the page; without one, the page's own address `url`."""
    element = soup.find("base", href=True)
    return (href(str(element["href"]), url) or url) if element else url
