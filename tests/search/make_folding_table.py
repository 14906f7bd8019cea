"""Generator of kzfeed/search/folding_table.py, from Python's Unicode data and the dictionaries of the package `opencc`.

    python -m tests.search.make_folding_table

writes the table. A test compares the committed table with what this generator makes.
"""

import hashlib
import subprocess
import sys
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import opencc

TABLE_FILE = Path(__file__).parents[2] / "kzfeed" / "search" / "folding_table.py"
DICTIONARIES = ("TSCharacters", "TSCharactersExt", "TWVariants", "HKVariants")
COMBINING = range(0x300, 0x370)
"""Accents that no letter has absorbed (NFC)."""
IGNORED = (0xAD, 0x180B, 0x180C, 0x180D, *range(0x200B, 0x2010), 0x2060, 0xFEFF, *range(0xFE00, 0xFE10))
"""Characters without a look of their own: soft hyphen, zero-width space and joiners, marks of direction, variants."""
VARIATION_SELECTORS = range(0xE0100, 0xE01F0)
JAMO = range(0x3131, 0x318F)
"""Single letters of Hangul (ㅋㅋ). NFKC would turn them into parts of syllables."""
HALF_WIDTH_JAMO = range(0xFFA0, 0xFFDD)
LINE = 100


def dictionary(name: str) -> Iterator[tuple[str, list[str]]]:
    """The entries of a dictionary of OpenCC: a character, and the characters that may stand for it."""
    package = Path(opencc.__file__).parent / "clib"
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, name)
        source = package / "share" / "opencc" / f"{name}.ocd2"
        command: list[str | Path] = [package / "bin" / "opencc_dict", "-i", source, "-o", text]
        command += ["-f", "ocd2", "-t", "text"]
        subprocess.run(command, check=True, capture_output=True)
        for line in text.read_text("utf-8").splitlines():
            character, candidates = line.split("\t")[:2]
            yield character, candidates.split(" ")


def variants() -> dict[str, str]:
    """Each Chinese character that has variants, with the one that stands for its whole class.

    Two characters are in one class if OpenCC gives one for the other in any direction, or a third one for both.
    """
    parent: dict[str, str] = {}

    def root(character: str) -> str:
        while parent.setdefault(character, character) != character:
            character = parent[character]
        return character

    traditional: set[str] = set()
    for name in DICTIONARIES:
        for character, candidates in dictionary(name):
            if name.startswith("TS") and candidates[0] != character:
                traditional.add(character)
            for candidate in candidates:
                if len(character) == len(candidate) == 1:
                    parent[root(unicodedata.normalize("NFC", character))] = root(candidate)
    classes: dict[str, list[str]] = defaultdict(list)
    for character in list(parent):
        classes[root(character)].append(character)
    return {
        character: min(members, key=lambda each: (each in traditional, ord(each)))
        for members in classes.values()
        for character in members
    }


def folding() -> dict[str, str]:
    """The folded string of each character that folding changes, if the text is in NFC."""
    chinese = variants()
    table = {
        character: folded
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(character := chr(code)) not in ("Cn", "Co", "Cs")
        and unicodedata.normalize("NFC", character) == character
        and (folded := _folded(character, chinese)) != character
    }
    for character in table:
        while (again := "".join(table.get(part, part) for part in table[character])) != table[character]:
            table[character] = again
    return table


def _folded(character: str, chinese: Mapping[str, str]) -> str:
    code = ord(character)
    if code in COMBINING or code in IGNORED or code in VARIATION_SELECTORS:
        return ""
    if code in JAMO:
        return character
    if code in HALF_WIDTH_JAMO:
        return chr(int(unicodedata.decomposition(character).split()[1], 16))
    compatible = unicodedata.normalize("NFKC", character).casefold()
    folded = "".join(
        chinese.get(part, part)
        for part in _without_accents(unicodedata.normalize("NFKC", compatible))
        if ord(part) not in COMBINING
    )
    # Nobody searches for three full stops: the ellipsis stays one character, so that most texts keep their length.
    return character if len(folded) > 1 and not any(map(str.isalnum, folded)) else folded


def _without_accents(text: str) -> str:
    return "".join(
        "".join(part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part))
        if unicodedata.name(character, "").startswith(("LATIN", "GREEK"))
        else character
        for character in text
    )


def version(table: Mapping[str, str]) -> str:
    """The version of the table: another table has another one."""
    return hashlib.sha256("".join(f"{key}\t{table[key]}\n" for key in sorted(table)).encode()).hexdigest()[:8]


def written(table: Mapping[str, str]) -> str:
    """The module that holds the table."""
    single = {key: value for key, value in sorted(table.items()) if len(value) == 1}
    removed = "".join(key for key, value in sorted(table.items()) if not value)
    longer = {key: value for key, value in sorted(table.items()) if len(value) > 1}
    return "\n".join(
        [
            '"""Table of folding, for `folding.py`. tests/search/make_folding_table.py makes it: do not edit.',
            "",
            f"Unicode {unicodedata.unidata_version}; Chinese variants from OpenCC {opencc.__version__} (Apache-2.0).",
            '"""',
            "",
            f'VERSION = "{version(table)}"',
            "",
            "# Each character of SINGLE becomes the one at the same place in FOLDED.",
            f"SINGLE = ({_lines(''.join(single))}\n)",
            f"FOLDED = ({_lines(''.join(single.values()))}\n)",
            "",
            f"REMOVED = ({_lines(removed)}\n)",
            "",
            "LONGER = {",
            *(f"    {_quoted(key)}: {_quoted(value)}," for key, value in longer.items()),
            "}",
            "",
        ]
    )


def _lines(text: str) -> str:
    return "".join(f"\n    {_quoted(text[start : start + LINE])}" for start in range(0, len(text), LINE))


def _quoted(text: str) -> str:
    """The text as a literal that no editor changes: what is no letter or symbol that stands alone is escaped."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    is_plain = unicodedata.category(character)[0] in "LNPS" and len(unicodedata.normalize("NFD", character)) == 1
    if is_plain and unicodedata.bidirectional(character) not in ("R", "AL"):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def main() -> None:
    table = folding()
    TABLE_FILE.write_text(written(table), "utf-8")
    print(f"{TABLE_FILE}: {len(table):,} characters")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
