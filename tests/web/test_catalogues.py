"""The catalogues are complete: every language has every text, with the same places in it, and nothing else."""

import re

import pytest

from kzfeed.web.catalogue import FOLDER, LANGUAGES, load_catalogues

CATALOGUES = load_catalogues()
FORMS = {"zh": {"other"}, "en": {"one", "other"}, "ru": {"one", "few", "many"}, "kk": {"one", "other"}}
CODE = FOLDER.parent
FILES = (".html", ".csv", ".jsonl")


def places(text: object) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", str(text)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_in_every_language_with_the_same_places(language: str) -> None:
    english, texts = CATALOGUES["en"].texts, CATALOGUES[language].texts

    assert texts.keys() == english.keys()
    for key, text in texts.items():
        assert isinstance(text, str) == isinstance(english[key], str), key
        forms = [text] if isinstance(text, str) else [*text.values()]
        if not isinstance(text, str):
            assert text.keys() == FORMS[language], key
        # A form for one may leave out the number.
        assert set().union(*map(places, forms)) == places(english[key]), key
        assert all(form.strip() == form != "" for form in forms), key


def test_every_text_is_used_and_every_text_used_exists() -> None:
    code = "\n".join(file.read_text("utf-8") for file in CODE.rglob("*") if file.suffix in (".py", ".html"))
    named = set(re.findall(r"[\"'](\w+\.\w+)[\"']", code))
    begun = tuple(re.findall(r"[\"'](\w+\.\w*)(?:[\"'] ~|\{)", code))
    known = set(CATALOGUES["en"].texts)
    sections = {key.partition(".")[0] for key in known}
    asked = {name for name in named if name.partition(".")[0] in sections and not name.endswith(FILES)}

    assert {key for key in known - named if not key.startswith(begun)} == set()
    assert asked - known - set(begun) == set()


@pytest.mark.parametrize("language", ["zh", "ru", "kk"])
def test_no_text_was_left_in_english(language: str) -> None:
    english, texts = CATALOGUES["en"].texts, CATALOGUES[language].texts
    same = {key for key, text in texts.items() if text == english[key] and re.search(r"[a-z]{4}", str(text))}

    assert same == set()
