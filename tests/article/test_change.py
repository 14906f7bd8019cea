"""What is new, the same or revised: decided from articles and what is known of them, with no database in sight."""

from dataclasses import replace

from kzfeed.article.change import Change, Known, New, Revised, Same, compare
from kzfeed.model.articles import Article


def article(url_hash: str = "h", wording: str = "a") -> Article:
    return Article(url_hash=url_hash, url="https://e.example/", title="t", content="", text="", fingerprint=wording)


def known(*wordings: str, shown: int | None = None, guid: str | None = None) -> dict[str, Known]:
    """The article `h` in these wordings, the newest last."""
    versions = dict(enumerate(wordings, start=1))
    return {"h": Known("h", len(wordings), versions, shown=shown, guid=guid)}


def named(changes: list[Change]) -> list[tuple[str, int]]:
    return [(type(change).__name__, change.revision) for change in changes]


def test_an_article_that_is_not_known_is_new() -> None:
    assert compare([article()], {}, live=True) == [New(article())]


def test_the_wording_that_is_the_newest_is_the_same() -> None:
    assert compare([article()], known("b", "a", shown=2), live=True) == [Same(article(), 2)]


def test_another_wording_is_a_revision() -> None:
    assert compare([article(wording="b")], known("a", shown=1), live=True) == [Revised(article(wording="b"), 2)]


def test_a_source_that_goes_back_to_an_older_wording_makes_a_revision_too() -> None:
    assert compare([article()], known("a", "b", shown=2), live=True) == [Revised(article(), 3)]


def test_two_sources_with_two_wordings_do_not_take_turns() -> None:
    first_source = compare([article()], known("a", "b", shown=1), live=True)
    second_source = compare([article(wording="b")], known("a", "b", shown=2), live=True)

    assert named(first_source + second_source) == [("Same", 1), ("Same", 2)]


def test_a_file_with_a_wording_that_the_archive_holds_changes_nothing() -> None:
    assert compare([article()], known("a", "b", "c"), live=False) == [Same(article(), 1)]


def test_a_file_with_a_new_wording_is_a_revision() -> None:
    assert compare([article(wording="d")], known("a", "b"), live=False) == [Revised(article(wording="d"), 3)]


def test_two_files_of_one_article_are_two_revisions_the_first_time_and_none_the_second() -> None:
    files = [article(), article(wording="b"), article()]

    assert named(compare(files, {}, live=False)) == [("New", 1), ("Revised", 2), ("Same", 1)]
    assert named(compare(files, known("a", "b", shown=1), live=False)) == [("Same", 1), ("Same", 2), ("Same", 1)]


def test_an_article_twice_in_one_document_ends_with_its_first_wording_there() -> None:
    document = [article(wording="new"), article(wording="old")]

    changes = compare(document, {}, live=True)

    assert [change.article.fingerprint for change in changes] == ["old", "new"]
    assert named(changes) == [("New", 1), ("Revised", 2)]
    assert named(compare(document, known("old", "new", shown=2), live=True)) == [("Same", 1), ("Same", 2)]
    assert named(compare(document, known("new", shown=1), live=True)) == [("Revised", 2), ("Revised", 3)]


def test_a_wording_of_the_source_that_came_too_late_is_not_the_newest_for_long() -> None:
    late = {"h": replace(known("new", "old", shown=1)["h"], is_own=True)}

    assert named(compare([article(wording="new")], late, live=True)) == [("Revised", 3)]
