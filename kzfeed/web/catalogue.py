"""Texts of the pages in four languages: a TOML file each in `catalogues/`, with the same keys in all.

A text may have placeholders such as `{name}`. A text for a number is a table with a text for each of the language's
plural forms (Unicode CLDR), and is chosen by the number `n`.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER = Path(__file__).parent / "catalogues"

Message = str | Mapping[str, str]
"""A text, or one for each plural form."""


def _russian(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"


_PLURAL_FORM: Final[Mapping[str, Callable[[int], str]]] = {
    "zh": lambda _: "other",
    "en": lambda n: "one" if n == 1 else "other",
    "ru": _russian,
    "kk": lambda n: "one" if n == 1 else "other",
}
LANGUAGES = tuple(_PLURAL_FORM)
DEFAULT = "en"
_THOUSANDS = {"zh": ",", "en": ",", "ru": "\u00a0", "kk": "\u00a0"}
LANGUAGE_NAMES = {"zh": "中文", "en": "English", "ru": "Русский", "kk": "Қазақша"}
HTML_LANGUAGE = {"zh": "zh-Hans", "en": "en", "ru": "ru", "kk": "kk"}
"""The value of the `lang` attribute."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language, by dotted keys such as `article.title`. Called with a key it gives the text."""

    language: str
    texts: Mapping[str, Message]

    def __call__(self, key: str, **values: object) -> str:
        """The text with this key, its placeholders filled in. Numbers are written as the language writes them."""
        text = self.texts[key]
        if not isinstance(text, str):
            text = text[_PLURAL_FORM[self.language](int(str(values["n"])))]
        return text.format_map({name: self._written(value) for name, value in values.items()})

    def number(self, value: int) -> str:
        """The number with separators between thousands."""
        return f"{value:,}".replace(",", _THOUSANDS[self.language])

    def _written(self, value: object) -> object:
        return self.number(value) if isinstance(value, int) else value


def load_catalogues() -> dict[str, Catalogue]:
    """All catalogues, by language."""
    return {language: Catalogue(language, dict(_texts_of(language))) for language in LANGUAGES}


def _texts_of(language: str) -> Iterator[tuple[str, Message]]:
    sections: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))
    for section, texts in sections.items():
        for name, text in texts.items():
            yield f"{section}.{name}", text


def preferred(accept_language: str) -> str:
    """The language of the pages that an Accept-Language header prefers (RFC 9110 §12.5.4); English without any."""
    asked: list[tuple[float, str]] = []
    for part in accept_language.lower().split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", parameter)
        asked.append((-float(quality[1]) if quality else -1.0, tag.partition("-")[0].strip()))
    # Python sorts stably: of languages with the same quality the first is preferred.
    for quality_below_zero, language in sorted(asked, key=lambda each: each[0]):
        if language in LANGUAGES and quality_below_zero < 0:
            return language
    return DEFAULT
