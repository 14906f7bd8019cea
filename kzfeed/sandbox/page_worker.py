"""Worker process for the pages of articles: the same as `worker`, with what reads pages imported before the first."""

from kzfeed.model.pages import ArticlePage
from kzfeed.sandbox.worker import main

_WARM_UP = ArticlePage(
    b"<title>t</title><p>text</p>", "text/html", "https://example.org/", "css:p", "https://example.org/", "0" * 64, "t"
)

if __name__ == "__main__":
    main(warm_up=_WARM_UP)
