"""Strict files come back byte for byte, lenient ones say what was lenient, the rest is refused by line."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kzfeed.article.archive_file import ArchiveFile, parse, render
from kzfeed.errors import ArchiveFileError

SHARED = Path(__file__).parents[3] / "shared"

awkward = st.text(alphabet=st.sampled_from("ab标题[]()\n\r -](:/<!>&\u2028\u3000"), max_size=30)
titles = st.one_of(st.text(max_size=40), awkward, st.just("见 [注](https://other.example/)，(下)"))
urls = st.builds(
    "{}://{}".format, st.sampled_from(["https", "http", "urn+x"]), st.one_of(st.text(max_size=30), awkward)
)
bodies = st.one_of(st.text(), awkward, st.just("------\n\n--><!--1-->\n[a](http://b)\n------\n\n"))
stamps = st.one_of(st.none(), st.integers())


@given(stamps, titles, urls, bodies)
@example(None, "", "https:", "")
@example(-1, "](x", "https://e.example/a_(b)", "\n\n")
def test_a_file_in_strict_form_comes_back_byte_for_byte(stamp: int | None, title: str, url: str, body: str) -> None:
    data = f"<!--{'NaN' if stamp is None else stamp}-->\n[{title}]({url})\n------\n\n{body}\n".encode()
    if ")\n------\n\n" in title:  # the header would end inside the title: not strict form
        return

    assert render(parse(data)) == data


@pytest.mark.parametrize(
    ("title", "url"),
    [
        ("plain", "https://example.org/"),
        ("[对话] 中亚（下）(2)", "https://example.org/a_(b)?c=[d]"),
        ("see ](this) and [that](https://quoted.example/x) too", "https://example.org/1.html"),
        ("two\nlines", "https://example.org/"),
        ("", "urn:kzfeed:00"),
    ],
)
def test_title_and_url_are_told_apart_from_the_end_of_the_header(title: str, url: str) -> None:
    file = ArchiveFile(stamp=5, title=title, url=url, body="<p>x</p>")

    assert parse(render(file)) == file


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder is not beside the project")
def test_the_real_files_come_back_byte_for_byte() -> None:
    files = sorted((SHARED / "seeds").iterdir())

    assert len(files) == 5
    for file in files:
        assert render(parse(file.read_bytes())) == file.read_bytes()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder is not beside the project")
def test_real_files_with_front_matter_are_read_with_their_author_and_tags() -> None:
    files = [parse(file.read_bytes(), file) for file in sorted((SHARED / "corpus" / "family").iterdir())]

    assert len(files) == 76
    assert all(file.warnings == ("Jekyll front matter",) for file in files)
    assert all(file.author and file.tags and file.url.startswith("https://") for file in files)
    assert sum(file.stamp is None for file in files) == 18


HEADER = "<!--7-->\n[t](https://e.example/)\n------\n\n"


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        (("\ufeff" + HEADER + "x\n").encode(), "a byte order mark"),
        ((HEADER + "x\ny\n").replace("\n", "\r\n").encode(), "CRLF line ends"),
        ((HEADER + "x\ny").encode(), "no line end at the end of the file"),
        (HEADER.encode(), "no line end at the end of the file"),
        (HEADER[:-1].encode(), "blank lines or spaces around the header"),
        (HEADER[:-2].encode(), "blank lines or spaces around the header"),
        (("\n \n" + HEADER + "x\n").encode(), "blank lines or spaces around the header"),
        (b"<!--7-->  \n\n [t](https://e.example/) \n\n------  \n \nx\n", "blank lines or spaces around the header"),
        (b"<!--7-->\n[t](https://e.example/)\n------\nx\n", "blank lines or spaces around the header"),
        (("---\nauthor: 甲\n---\n" + HEADER + "x\n").encode(), "Jekyll front matter"),
        ((HEADER + "哈萨克斯坦的骚乱\n").encode("gb18030"), "GB18030 instead of UTF-8"),
        ((HEADER + "哈薩克的總統說,這是一個新的時代。\n").encode("big5"), "Big5 instead of UTF-8"),
        ((HEADER + "島をめぐる図書船が十年ぶりに就航へ。\n").encode("shift_jis"), "Shift_JIS instead of UTF-8"),
    ],
)
def test_what_others_wrote_is_read_and_the_leniency_named(data: bytes, warning: str) -> None:
    file = parse(data)

    assert warning in file.warnings
    assert (file.stamp, file.title, file.url) == (7, "t", "https://e.example/")
    assert file.body in {
        *("x", "x\ny", "", "哈萨克斯坦的骚乱"),
        *("哈薩克的總統說,這是一個新的時代。", "島をめぐる図書船が十年ぶりに就航へ。"),
    }
    assert not parse(render(file)).warnings


def test_a_lone_crlf_in_the_body_of_a_strict_file_stays() -> None:
    data = (HEADER + "a\r\nb\r\n\n").encode()

    assert parse(data).warnings == ()
    assert render(parse(data)) == data


def test_front_matter_gives_author_and_tags_whatever_its_yaml_looks_like() -> None:
    front = (
        '---\ntitle: "she said "no""\nauthor: "王 小明"\n'
        "tags: [ Matters, 中亚 ]\ncategories:\n  - news\n  - Matters\n---\n"
    )

    file = parse((front + HEADER + "x\n").encode())

    assert file.author == "王 小明"
    assert file.tags == ("Matters", "中亚", "news")


@pytest.mark.parametrize(
    ("data", "line", "expected"),
    [
        (b"", 1, "<!--milliseconds-->"),
        (b"\n\nhello\n", 3, "<!--milliseconds-->"),
        (b"<!--12.5-->\n[t](https://e.example/)\n------\n\nx\n", 1, "<!--milliseconds-->"),
        (b"<!--007-->\n[t](https://e.example/)\n------\n\nx\n", 1, "<!--milliseconds-->"),
        (b"<!--" + b"9" * 5000 + b"-->\n[t](https://e.example/)\n------\n\nx\n", 1, ""),
        (b"<!--7-->\n", 2, "[title](url)"),
        (b"<!--7-->\ntitle\n------\n\nx\n", 2, "[title](url)"),
        (b"<!--7-->\n[t](https://e.example/)\nx\n", 3, "------"),
        (b"<!--7-->\n[t](/a/1.html)\n------\n\nx\n", 2, "absolute URL"),
        (b"---\nauthor: x\n---\n<!--x-->\n", 4, "<!--milliseconds-->"),
        (b"\xff\xfe<\x00!\x00", 1, "UTF-8, GB18030"),
        (HEADER.encode() + "好的好的好的好的好的".encode() + b"\xe5\xa5\n", 5, "UTF-8, GB18030"),
        (bytes(range(256)) * 20, 2, ""),
    ],
)
def test_what_is_no_archive_file_is_refused_with_its_line(data: bytes, line: int, expected: str) -> None:
    with pytest.raises(ArchiveFileError) as refusal:
        parse(data, "folder/a.txt")

    assert str(refusal.value).startswith(f"folder/a.txt: line {line}: ")
    assert expected in str(refusal.value)


@given(st.binary(max_size=300))
def test_no_bytes_lead_out_of_the_error_family(data: bytes) -> None:
    try:
        file = parse(data)
    except ArchiveFileError:
        return
    assert isinstance(file, ArchiveFile)
