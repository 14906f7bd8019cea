"""The project's own sample articles: strict archive files, named and numbered as a flat export names them."""

import re
from pathlib import Path

import pytest

from kzfeed.article.archive_file import parse, render
from kzfeed.article.url import url_hash

SEEDS = Path(__file__).parent.parent / "seeds"
PATHS = sorted(SEEDS.iterdir())
HEADER = re.compile(r"<!--(NaN|0|-?[1-9][0-9]*)-->\n\[(.+)\]\((https?://[!-~]+)\)\n------\n\n")

# What the samples are there to show: mirrors as they really write, and the corners of the format.
STRUCTURES = {
    "a VOA date line": r"<div><i>\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT</i></div>",
    "a caption": r'<div><small style="color: #999;">',
    "an audio": r"<audio [^>]+ controls></audio>",
    "a proxied image": r'<img src="https://images\.weserv\.nl\?url=',
    "a mirror footer": r'<br><hr><div>获取更多RSS：<br><a href="https://feedx\.net"',
    "a BBC relative time": r'<time dateTime="\d{4}-\d\d-\d\d">\d+ 分钟前</time>',
    "a nested figure": r'(<div>){4}<div data-e2e="image-placeholder"><picture><source srcSet=',
    "an RFI date": r"\n<div>\d\d/\d\d/\d{4} - \d\d:\d\d</div>Array<p>",
    "an RFI advertisement": r"<div data-selfpromo-newsletter></div>",
    "a percent-encoded Chinese address": r"^\[.+\]\(https://\S+/(%E[4-9]%[0-9A-F]{2}%[0-9A-F]{2})+",
    "an unknown date": r"\A<!--NaN-->\n",
    "a title with brackets and parentheses": r"^\[\[.+\].+\(.+\).*\]\(https",
    "a title with a whole link": r"^\[.+\]\(https://\S+\) .+\]\(https",
    "an address with parentheses and a query": r"\]\(https\S+\(\S+\)\S*\?\S+=\S+\)\n------",
    "a body of several lines": r"\n------\n\n[^\n]+\n[^\n]+\n",
    "preformatted text": r"<pre>[^<]*\n[^<]*\n[^<]*</pre>",
    "six hyphens in the body": r"\n------\n\n(?s:.+)------",
    "the stamp's end in the body": r"\n------\n\n(?s:.+)-->",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_sample_is_in_strict_form(path: Path) -> None:
    """Checked without kzfeed: header, a body of a real article's size, no CR, one LF at the end."""
    text = path.read_bytes().decode("utf-8")
    header = HEADER.match(text)
    assert header
    body = text[header.end() :]
    assert 1000 < len(body.encode()) < 7000
    assert body.endswith("\n")
    assert not body.endswith("\n\n")
    assert "\r" not in text
    assert "\ufeff" not in text


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_sample_is_read_without_warnings_and_written_back_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    file = parse(data, path)
    assert file.warnings == ()
    assert render(file) == data


def test_the_samples_are_named_as_a_flat_export_names_them() -> None:
    """Numbered by publication date, the undated last; the name's second half begins the URL's hash."""
    files = [parse(path.read_bytes(), path) for path in PATHS]
    stamps = [file.stamp for file in files]
    assert stamps == sorted(stamps, key=lambda stamp: (stamp is None, stamp or 0))
    names = [f"{number:03}_{url_hash(file.url)[:16]}.txt" for number, file in enumerate(files)]
    assert [path.name for path in PATHS] == names


@pytest.mark.parametrize("structure", STRUCTURES)
def test_some_sample_has(structure: str) -> None:
    pattern = re.compile(STRUCTURES[structure], re.MULTILINE)
    assert any(pattern.search(path.read_text(encoding="utf-8")) for path in PATHS)
