"""Filters, as the operator configured them for a source, and their result for a document."""

from dataclasses import asdict, dataclass

from kzfeed.model.articles import Article


@dataclass(frozen=True, slots=True)
class FilterRule:
    """Regular expressions, all of which must be found in an article. None stands for any text.

    `any` is searched in title, text, tags and author; of several tags, one suffices.
    """

    title: str | None = None
    text: str | None = None
    tag: str | None = None
    author: str | None = None
    any: str | None = None

    def patterns(self) -> dict[str, str]:
        """The regular expressions that there are, by the names of their fields."""
        return {name: pattern for name, pattern in asdict(self).items() if pattern is not None}


@dataclass(frozen=True, slots=True)
class Filters:
    """The rules of a source: an article is archived if a rule of `include` matches it, or `include` is empty, and no
    rule of `exclude` does.
    """

    include: tuple[FilterRule, ...] = ()
    exclude: tuple[FilterRule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)


@dataclass(frozen=True, slots=True)
class FilterResult:
    """The articles of a document in its order, and those of them that are kept and that are filtered out.

    `flaw` says that some were kept because the filters could not decide, and why.
    """

    shown: tuple[Article, ...] = ()
    kept: tuple[Article, ...] = ()
    filtered: tuple[Article, ...] = ()
    flaw: str | None = None
