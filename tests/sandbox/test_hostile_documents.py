"""Hostile XML, encodings and entries, through the workers and through `kzfeed poll`."""

import asyncio
import json
import random
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from kzfeed.article.archive_file import parse
from kzfeed.article.build import file_of_article
from kzfeed.config.load import load
from kzfeed.errors import DocumentError
from kzfeed.model.articles import Article, Document, ParsedDocument
from kzfeed.poll_once import PollReport, poll_once
from kzfeed.sandbox import pool
from kzfeed.sandbox.pool import Workers
from kzfeed.store.engine import Database
from tests.fork_server import clean_environment, fork_server
from tests.sandbox.test_pool import children, cpu_seconds

MIB = 2**20
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
URL = "https://feed.example/path/rss.xml"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'

SIMPLIFIED = (
    "国务院总理在记者会上表示，今年的经济增长目标可以实现。台风登陆之后，多个城市停课停工，气温下降到摄氏五度以下；"
    "专家朱镕基、陶喆说：“这是三十年来的第一次”——目前没有人员伤亡的报告……"
)
TRADITIONAL = (
    "立法院昨日三讀通過預算案，在野黨議員表示反對。颱風來襲，臺北市宣布停班停課，氣象局提醒民眾注意安全；"
    "記者問他為什麼這樣做，他說：「這是三十年來的第一次」，目前沒有人員傷亡的報告。"
)
CANTONESE = TRADITIONAL + "佢哋話唔係咁嘅，啲人喺度等咗好耐。"


# --- the workers, for all tests the same ------------------------------------------------------------------------------


class Reading:
    """Documents through the workers, with the memory that kzfeed allows by default.

    They may take ample time, since a busy machine takes it; `within_limit` says what they may take of the CPU.
    """

    def __init__(self, runner: asyncio.Runner, workers: Workers) -> None:
        self._runner, self._workers = runner, workers

    def __call__(self, body: bytes | str, content_type: str | None = None, **options: Any) -> ParsedDocument:
        body = body if isinstance(body, bytes) else body.encode()
        given: dict[str, Any] = {"url": URL, "timezone": "Asia/Shanghai", "now": NOW} | options
        return self._runner.run(self._workers.read(Document(body, content_type, **given)))

    def articles(self, body: bytes | str, content_type: str | None = None, **options: Any) -> tuple[Article, ...]:
        return self(body, content_type, **options)[1]

    def failure(self, body: bytes | str) -> DocumentError:
        with pytest.raises(DocumentError) as caught:
            self(body)
        assert len(self(rss(item(1)))[1]) == 1
        return caught.value

    @contextmanager
    def within_limit(self) -> Iterator[None]:
        """The documents read in this block may take the seconds of CPU that kzfeed allows one by default."""
        before = cpu_of_workers()
        yield
        assert cpu_of_workers() - before < 10


def cpu_of_workers() -> float:
    """The seconds of CPU that all workers have used. One that ends while they are counted counts no more."""
    used = 0.0
    for pid in children():
        with suppress(OSError):
            used += cpu_seconds(pid)
    return used


@pytest.fixture(scope="module")
def reading() -> Iterator[Reading]:
    # With one attempt, the CPU of a document is that of one worker, and none is read twice for taking long.
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "QUICK_READING", timedelta(minutes=2))
        workers = Workers(timeout=timedelta(minutes=2), memory=512 * MIB)
        yield Reading(runner, workers)
        runner.run(workers.__aexit__())


def rss(*items: str, doctype: str = "", declaration: str = DECLARATION, namespaces: str = "") -> str:
    head = "<title>源</title><link>https://site.example/</link><description/>"
    return f'{declaration}{doctype}<rss version="2.0"{namespaces}><channel>{head}{"".join(items)}</channel></rss>'


def item(number: int, inside: str = "", *, title: str = "标题", content: str = "正文") -> str:
    return (
        f"<item><title>{title} {number}</title><link>https://site.example/{number}</link>"
        f"<guid>{number}</guid><description>{escape(content)}</description>{inside}</item>"
    )


# --- a server and the command line -----------------------------------------------------------------------------------


@dataclass
class Site:
    """A web server on loopback that gives out what it holds and counts who asked."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    address: str = ""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked[self.path] += 1
            body = site.bodies.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("content-type", "application/xml")
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Kzfeed:
    """Commands in a folder of their own, with a database of their own."""

    folder: Path
    database: str

    def configure(self, *sources: tuple[str, str], **parse: str | int) -> None:
        limits = "".join(f"{key} = {json.dumps(value)}\n" for key, value in parse.items())
        tables = "".join(f'[[sources]]\nname = "{name}"\nurl = "{url}"\n' for name, url in sources)
        text = f'[http]\nhost_gap = "0s"\nmin_interval = "0s"\n[parse]\n{limits}{tables}'
        (self.folder / "kzfeed.toml").write_text(text, encoding="utf-8")

    def __call__(self, *arguments: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = clean_environment(KZFEED_DATABASE_URL=self.database, **variables)
        return fork_server().run(arguments, self.folder, environment)

    def poll(self) -> PollReport:
        """The only source polled once, in this process: that is quicker."""
        database = Database(self.database)
        settings = load(self.folder / "kzfeed.toml", database=self.database, environ={})
        (report,) = asyncio.run(poll_once(settings, database, [], force=True))
        database.close()
        return report

    def count(self) -> int:
        """How many articles there are."""
        database = Database(self.database)
        with database.read() as connection:
            found: int = connection.exec_driver_sql("SELECT count(*) FROM articles").scalar_one()
        database.close()
        return found

    def files(self, to: str = "out") -> dict[str, bytes]:
        """What an export writes, by address."""
        assert self("export", self.folder / to).returncode == 0
        written = [file.read_bytes() for file in (self.folder / to).rglob("*.txt")]
        return {parse(data).url: data for data in written}


@pytest.fixture
def kzfeed(tmp_path: Path, database_url: str, database: Database) -> Kzfeed:
    assert database.engine
    return Kzfeed(tmp_path, database_url)


@pytest.fixture
def kzfeed_on_sqlite(tmp_path: Path, sqlite_database: Database) -> Kzfeed:
    """For what the engine has no part in."""
    return Kzfeed(tmp_path, f"sqlite:///{sqlite_database.file}")


# --- 10, 11: what would unfold, reach outside or never end ------------------------------------------------------------


def laughs(*, levels: int = 10) -> str:
    steps = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, levels))
    return f'<!DOCTYPE rss [<!ENTITY l0 "ha">{steps}]>'


def nested(depth: int, *, balanced: bool) -> str:
    return item(1, "<a>" * depth + "</a>" * depth * balanced)


UNFOLDING = {
    "billion laughs": rss(item(1, "<x>&l9;</x>"), doctype=laughs()),
    "billion laughs that nobody uses": rss(item(1), doctype=laughs()),
    "quadratic entities": rss(item(1, "&a;" * 50_000), doctype=f'<!DOCTYPE rss [<!ENTITY a "{"x" * 50_000}">]>'),
    "a circle of entities": rss(item(1, "&a;"), doctype='<!DOCTYPE rss [<!ENTITY a "&b;"><!ENTITY b "&a;">]>'),
    "100,000 deep": rss(nested(100_000, balanced=True)),
    "100,000 deep and never closed": rss(nested(100_000, balanced=False)),
    "a document type without end": f"<!DOCTYPE rss [{'<!ENTITY a ' * 100_000}",
    "100,000 attributes": rss(item(1, f"<x {' '.join(f'a{n}={chr(34) * 2}' for n in range(100_000))}/>")),
    "20,000 prefixes": rss(item(1, "".join(f'<p{n}:x xmlns:p{n}="urn:{n}"/>' for n in range(20_000)))),
    "20,000 prefixes that nobody declares": rss(item(1, "".join(f"<p{n}:x/>" for n in range(20_000)))),
}


@pytest.mark.parametrize("name", UNFOLDING)
def test_what_would_unfold_fails_within_the_limit(reading: Reading, name: str) -> None:
    with reading.within_limit():
        error = reading.failure(UNFOLDING[name])

    assert error.kind == "parse"
    assert "longer" not in str(error)


REACHING = {
    "a general entity": ('<!ENTITY x SYSTEM "{}">', "&x;"),
    "a general entity with a public name": ('<!ENTITY x PUBLIC "-//X//Y" "{}">', "&x;"),
    "a parameter entity": ('<!ENTITY % p SYSTEM "{}"> %p;', "&x;"),
    "a parameter entity that nobody needs": ('<!ENTITY % p SYSTEM "{}"> %p;', ""),
    "a parameter entity within another": ("<!ENTITY % p \"<!ENTITY &#37; q SYSTEM '{}'>\"> %p; %q;", "&x;"),
    "an attribute": ('<!ENTITY x SYSTEM "{}">', '<a href="&x;"/>'),
}


@pytest.mark.parametrize("name", REACHING)
def test_nothing_outside_the_document_is_ever_read(reading: Reading, site: Site, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("<!ENTITY x 'what nobody may read'>")
    site.bodies["/x"] = secret.read_bytes()
    declared, used = REACHING[name]
    said: list[tuple[str, str]] = []
    for address in (f"{site.address}/x", secret.as_uri(), str(secret)):
        for doctype in (f"<!DOCTYPE rss [{declared.format(address)}]>", f'<!DOCTYPE rss SYSTEM "{address}">'):
            try:
                read = reading(rss(item(1, content="before"), item(2, f"<x>{used}</x>"), doctype=doctype))
            except DocumentError as error:
                said.append((error.kind, str(error)))
            else:
                said.append(("read", repr(read)))

    assert {kind for kind, _ in said} <= {"parse", "read"}
    assert "nobody may read" not in str(said)
    assert not site.asked


def test_stylesheets_schemas_and_inclusions_are_not_read(reading: Reading, site: Site) -> None:
    address = f"{site.address}/x"
    body = rss(
        item(1, f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{address}"/>'),
        declaration=f'<?xml version="1.0"?><?xml-stylesheet href="{address}" type="text/xsl"?>',
        namespaces=f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{address}"',
    )

    assert len(reading.articles(body)) == 1
    assert not site.asked


LABORIOUS = {
    "a link with a host of 500,000 labels": item(1).replace("//site.example", f"//{'a.' * 500_000}example"),
    "a link of 200,000 steps back": item(1).replace("example/1", f"example/{'a/../' * 200_000}1"),
    "a link of a million bytes to escape": item(1).replace("example/1", f"example/{'%e4' * 300_000}"),
    "a date of a million words": item(1, f"<pubDate>{'Mon, 02 Jan 2024 ' * 60_000}</pubDate>"),
    "a date of a million digits": item(1, f"<pubDate>{'1' * 10**6}</pubDate>"),
    "a date and a million blanks": item(1, f"<pubDate>2024{' ' * 10**6}x</pubDate>"),
    "a version of a million digits": f"<version>{'9' * 10**6}</version><ttl>{'9' * 10**6}</ttl>{item(1)}",
    "an author of 200,000 brackets": item(1, f"<author>{'(' * 200_000}</author>"),
    "an author of 200,000 addresses": item(1, f"<author>{'a@' * 200_000}</author>"),
    "a character of a million digits": item(1, f"<x>&#{'9' * 10**6};</x>"),
    "a letter under a million accents": item(1, title="e" + "\u0301" * 10**6),
    "200,000 document types": item(1) + "<!DOCTYPE rss>" * 200_000,
    "200,000 instructions": "<?x?>" * 200_000 + item(1),
    "50,000 unclosed tables": item(1, content="<table><tr><td>" * 50_000),
    "200,000 torn comments": item(1, content="<!--" + "--!" * 200_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LABORIOUS)
def test_what_is_laborious_is_read_all_the_same(reading: Reading, name: str) -> None:
    with reading.within_limit():
        assert len(reading.articles(rss(LABORIOUS[name]))) == 1


def test_200_000_comments_that_never_end_inside_cdata_are_text(reading: Reading) -> None:
    content = "<!--" * 200_000
    body = rss(f"<item><title>t</title><link>/1</link><description><![CDATA[{content}]]></description></item>")

    (article,) = reading.articles(body)

    assert article.content == content


def test_a_body_that_is_the_path_of_a_file_or_an_address_is_not_opened(
    reading: Reading, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "rss.xml"
    file.write_text(rss(item(1)), encoding="utf-8")
    site.bodies["/rss.xml"] = file.read_bytes()
    for name in (str(file), file.as_uri(), f"{site.address}/rss.xml", f"  {file}\n", "/etc/passwd", "feed:/etc/passwd"):
        assert reading.failure(name).kind == "not-a-feed"

    assert not site.asked


# --- 12, 13: characters and encodings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"a\0b", "ab"),
        (b"a\x01\x08\x0b\x0c\x1f\x7fb", "a\x7fb"),
        (b"a&#0;&#x1F;b", "ab"),
        (b"a&#xD800;b", "a\ufffdb"),
        (b"a&#xDBFF;&#xDFFF;b", "a\ufffd\ufffdb"),
        (b"a&#x110000;b", "a\ufffdb"),
        (b"a&#99999999999999999999;b", "a\ufffdb"),
        (b"a&#xFFFE;\xef\xbf\xbfb", "ab"),
        (b"a\xed\xa0\x80b", "a\ufffdb"),
        (b"a\xffb", "a\ufffdb"),
        ("正文".encode()[:-1] + b"b", "正\ufffdb"),
        ("😀&#x1F600;&#128512;".encode(), "😀😀😀"),
    ],
)
def test_characters_that_cannot_be_are_stripped_or_marked_and_nothing_else_is(
    reading: Reading, given: bytes, kept: str
) -> None:
    around = [part.encode() for part in rss(item(1, content=f"{SIMPLIFIED}|{SIMPLIFIED}")).split("|")]

    (article,) = reading.articles(given.join(around))

    assert article.content == f"{SIMPLIFIED}{kept}{SIMPLIFIED}"


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_one_bad_byte_in_a_chinese_feed_costs_one_character(reading: Reading, place: float) -> None:
    whole = rss(*(item(n, content=SIMPLIFIED) for n in range(20)))
    at = whole.index("经济", int(len(whole) * place))
    body = whole[:at].encode() + b"\xff" + whole[at + 1 :].encode()

    feed, articles = reading(body)

    assert Counter(article.content for article in articles) == {
        SIMPLIFIED: 19,
        SIMPLIFIED.replace("经", "\ufffd", 1): 1,
    }
    assert feed.flaw


@pytest.mark.parametrize(
    "charset", ["utf-16", "utf-32", "zlib", "hex", "rot13", "idna", "undefined", "utf-7", "\0", ""]
)
def test_no_charset_makes_what_cannot_be_read_worse(reading: Reading, charset: str) -> None:
    body = rss(item(1)).replace("正文", "|").encode().replace(b"|", b"\x81\xc3\xfe" * 3 + b"\xff")

    feed, articles = reading(body, f"text/xml; charset={charset}")

    assert [article.url for article in articles] == ["https://site.example/1"]
    assert feed.flaw


LABELS = ["", "utf-8", "gb2312", "GBK", "gb18030", "big5", "iso-8859-1", "windows-1252", "utf-16", "nonsense"]
PAIRS = sorted(
    {(label, other) for at, label in enumerate(LABELS) for other in ("", label, LABELS[at - 3])}
    | {("", label) for label in LABELS}
)
"""A declaration in the document, and one in HTTP: each label alone, twice, and against another one."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", SIMPLIFIED),
        ("utf-8", TRADITIONAL),
        ("utf-8-sig", SIMPLIFIED),
        ("gb2312", SIMPLIFIED.replace("镕", "").replace("喆", "").replace("—", "")),
        ("gbk", SIMPLIFIED),
        ("gb18030", SIMPLIFIED + "㐀𠀀"),
        ("gb18030", TRADITIONAL),
        ("big5", TRADITIONAL),
        ("big5hkscs", CANTONESE),
        ("utf-16", SIMPLIFIED),
        ("utf-16-le", TRADITIONAL),
        ("utf-16-be", SIMPLIFIED),
        ("utf-32", SIMPLIFIED),
    ],
    ids=lambda value: value if value.isascii() else "",
)
def test_chinese_text_is_read_whatever_it_is_declared_to_be(reading: Reading, encoding: str, text: str) -> None:
    wrong = []
    for (declared, charset), length in product(PAIRS, (16, None)):
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        body = rss(item(1, title=text[:9], content=text[:length]), declaration=declaration)
        content_type = f"text/xml; charset={charset}" if charset else "text/xml"
        articles = reading.articles(body.encode(encoding), content_type)
        if [(article.title, article.content) for article in articles] != [(f"{text[:9]} 1", text[:length])]:
            wrong.append((declared, charset, length, articles))

    assert wrong == []


@pytest.mark.parametrize(
    "before", [b"", b"\xef\xbb\xbf", b"\n\n  \r\n", b"\xef\xbb\xbf\n \n", b" \n\xef\xbb\xbf", b"\0\n"]
)
def test_blank_lines_and_marks_before_the_declaration_do_no_harm(reading: Reading, before: bytes) -> None:
    feed, articles = reading(before + rss(item(1, content=SIMPLIFIED)).encode())

    assert [article.content for article in articles] == [SIMPLIFIED]
    assert feed.flaw is None


# --- 14: what is not well-formed, or not all there --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "content"),
    [
        ("<dc:creator>他</dc:creator><x:y z:a='1'>q</x:y>", "正文"),
        ("<author>A & B</author>", "正文"),
        ("<category>A&nbsp;B &copy; &hellip; &unknown; &</category>", "正文"),
        ("<x><b>never closed", "正文"),
        ("<img src=a.png><br>", "正文"),
        ("</b></i>", "正文"),
        ("<x a=b c>", "正文"),
        ("<x a='1' a='2'/>", "正文"),
        ("<1 2>", "正文"),
        ("a < b > c", "正文"),
        ("<![CDATA[ ]] > ]]>", "正文"),
        ("]]>", "正文"),
        ("<!-- a -- b -->", "正文"),
        ("<?php echo 1 ?>", "正文"),
    ],
)
def test_what_is_not_well_formed_costs_no_entry(reading: Reading, inside: str, content: str) -> None:
    articles = reading.articles(rss(item(1), item(2, inside), item(3)))

    assert [article.title for article in articles] == ["标题 1", "标题 2", "标题 3"]
    assert [article.content for article in articles] == [content] * 3


def test_bare_ampersands_and_html_entities_mean_what_their_writer_meant(reading: Reading) -> None:
    body = rss("<item><title>A & B&nbsp;C &eacute; &lt;b&gt; AT&T</title><link>/?a=1&b=2&amp;c=3</link></item>")

    (article,) = reading.articles(body)

    assert article.title == "A & B\xa0C é <b> AT&T"
    assert article.url == "https://feed.example/?a=1&b=2&c=3"


CONTENTS = [
    '<content type="html">&lt;p&gt;正文&lt;/p&gt;</content>',
    '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>正文</p></div></content>',
]
ATOM = "".join(
    f'<entry><title>标题 {n}</title><id>{n}</id><link href="https://site.example/{n}"/>{content}</entry>'
    for n, content in enumerate(CONTENTS * 4)
)
WHOLE = {
    "rss": rss(*(item(n, content=f"<p>{SIMPLIFIED}</p>") for n in range(8))),
    "rss with cdata": rss(
        *(
            f"<item><title>标题 {n}</title><link>https://site.example/{n}</link>"
            f"<description><![CDATA[<p>{SIMPLIFIED}</p><img src='a.png'>]]></description></item>"
            for n in range(8)
        )
    ),
    "atom": f'<feed xmlns="http://www.w3.org/2005/Atom"><title>源</title>{ATOM}</feed>',
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_cut_off_anywhere_keeps_every_complete_entry_and_no_other(reading: Reading, name: str) -> None:
    body = WHOLE[name].encode()
    whole = reading.articles(body)
    ends = [match.end() for match in re.finditer(b"</(item|entry)>", body)]
    start = body.index(b"<title>")
    chance = random.Random(name)
    for at in sorted(chance.sample(range(start, len(body) - 12), 50)):
        feed, articles = reading(body[:at])

        complete = sum(end <= at for end in ends)
        assert articles == whole[:complete], body[:at][-60:]
        assert feed.flaw


@pytest.mark.slow
def test_a_torn_poll_changes_no_stored_article(kzfeed_on_sqlite: Kzfeed, site: Site) -> None:
    kzfeed = kzfeed_on_sqlite
    kzfeed.configure(("s", f"{site.address}/rss"))
    body = WHOLE["rss"].encode()
    site.bodies["/rss"] = body
    assert kzfeed.poll().new == 8
    before = kzfeed.files()
    for at in (body.rindex(b"/p&gt;"), body.rindex(b"<description"), body.rindex(b"</item>") + 3, len(body) // 2):
        site.bodies["/rss"] = body[:at]
        report = kzfeed.poll()
        assert (report.outcome, report.new, report.revised) == ("unchanged", 0, 0)

    assert kzfeed.files() == before


# --- 15, 16: what identifies an entry --------------------------------------------------------------------------------


def bare(**elements: str) -> str:
    return "<item>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items()) + "</item>"


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        (bare(title="t", guid="https://site.example/a"), "https://site.example/a"),
        (bare(title="t", guid="tag:site.example,2022:1"), None),
        (bare(title="t", description="d"), None),
        (bare(description="d"), None),
        (bare(title="t", link="/a?b=1"), "https://feed.example/a?b=1"),
        (bare(title="t", link="a"), "https://feed.example/path/a"),
        (bare(title="t", link="//other.example/a"), "https://other.example/a"),
        (bare(title="t", link="\n  https://site.example/中 文 \n"), "https://site.example/%E4%B8%AD%20%E6%96%87"),
        (bare(title="t", link="javascript:alert(1)"), None),
        (bare(title="t", link="JaVaScRiPt:alert(1)", guid="javascript:alert(2)"), None),
        (bare(title="t", link="data:text/html,x"), None),
        (bare(title="t", link="file:///etc/passwd"), None),
        (bare(title="t", link="mailto:a@site.example"), None),
        (bare(title="t", link="javascript:alert(1)", guid="https://site.example/a"), "https://site.example/a"),
        (bare(title="t", link="http://[::1"), None),
        (bare(title="t", link="https://site.example:99999/"), None),
        (bare(title="t", link=""), None),
    ],
)
def test_an_entry_has_the_address_it_names_or_none(reading: Reading, entry: str, url: str | None) -> None:
    first, second = (reading.articles(rss(entry, item(2))) for _ in range(2))

    assert first[0].url == url
    assert first[0].url_hash == second[0].url_hash
    assert len({article.url_hash for article in first}) == 2


def test_entries_of_every_kind_are_one_article_each_poll_after_poll(kzfeed: Kzfeed, site: Site) -> None:
    """No guid; the same guid with a new link; one link with new guids; one link for all; an article twice."""
    home = "https://site.example/"
    kzfeed.configure(("s", f"{site.address}/rss"))

    def poll(*items: str) -> tuple[int, int, int]:
        site.bodies["/rss"] = rss(*items).encode()
        report = kzfeed.poll()
        return report.new, report.revised, kzfeed.count()

    plain = [bare(title=f"t{n}", link=f"{home}{n}", description="d") for n in range(3)]
    homes = [bare(title=f"h{n}", link=home, guid=f"g{n}") for n in range(3)]
    nameless = [bare(title="n", description=f"d{n}") for n in range(2)]
    assert poll(*plain, *homes, *nameless) == (8, 0, 8)
    assert poll(*plain, *plain, *homes, homes[0], *nameless) == (0, 0, 8)
    # One link, a new guid: the same article. One guid, a new link: another one.
    assert poll(bare(title="t0", link=f"{home}0", description="d", guid="new")) == (0, 0, 8)
    assert poll(bare(title="t0", link=f"{home}moved", description="d", guid="new")) == (1, 0, 9)
    # What shared its link with others keeps its name when it is alone.
    assert poll(homes[1]) == (0, 0, 9)


# --- 17, 18: dates and titles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "instant"),
    [
        ("", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ((NOW + timedelta(days=30)).isoformat(), None),
        ((NOW + timedelta(hours=47)).isoformat(), "2026-11-22T11:00:00+00:00"),
        ("2024年01月02日 08:00", "2024-01-02T00:00:00+00:00"),
        ("2024/03/04 08:00:00", "2024-03-04T00:00:00+00:00"),
        ("2022-01-11 17:12", "2022-01-11T09:12:00+00:00"),
        ("Tue, 11 Jan 2022 17:12:57 CST", "2022-01-11T09:12:57+00:00"),
        ("Tue, 11 Jan 2022 17:12:57 HKT", "2022-01-11T09:12:57+00:00"),
        ("Tue, 11 Jan 2022 17:12:57 GMT+8", "2022-01-11T09:12:57+00:00"),
        ("Tue, 11 Jan 2022 17:12:57 +0100", "2022-01-11T16:12:57+00:00"),
        ("46 分钟前", None),
        ("昨天", None),
        ("1641922743", "2022-01-11T17:39:03+00:00"),
        ("Tue, 31 Feb 2022 00:00:00 GMT", None),
        ("x" * 100_000, None),
        ("&lt;!--1641922743000--&gt;", None),
        ("1" * 100_000, None),
    ],
)
def test_a_date_is_right_or_unknown_and_kept_as_it_was_written(reading: Reading, raw: str, instant: str | None) -> None:
    (article,) = reading.articles(rss(item(1, f"<pubDate>{raw}</pubDate>" if raw else "")))

    assert (article.published_at.isoformat() if article.published_at else None) == instant
    assert article.published_raw == (unescape(raw) or None)
    assert file_of_article(article).stamp == (
        None if instant is None else datetime.fromisoformat(instant).timestamp() * 1000
    )


TITLES = [
    "a\nb",
    "a \r\n\t b",
    "[a] (b)",
    "a](b",
    "a](https://evil.example/",
    "](https://evil.example/)\n------",
    "**a** _b_ `c` # d <!--1--> ------",
    "😀 👨‍👩‍👧 e\u0301 \U000e0067",
    "\u202eעברית\u202c مرحبا",
    "标题" * 2500,
    "a\u2028b",
    "a\xa0\u3000b",
    "<b>no markup</b> &amp; &#38;",
]


@pytest.mark.slow
def test_titles_of_every_kind_survive_poll_export_and_backfill(kzfeed: Kzfeed, site: Site) -> None:
    kzfeed.configure(("s", f"{site.address}/rss"))
    entries = [bare(title=escape(title), link=f"https://site.example/{n}") for n, title in enumerate(TITLES)]
    json_feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [{"id": "surrogate", "title": "a\ud83d\ude00b\ud800c\0", "url": "https://site.example/json"}],
    }
    expected = {
        f"https://site.example/{n}": re.sub(r"\s*[\n\r\u2028]\s*", " ", title) for n, title in enumerate(TITLES)
    }

    site.bodies["/rss"] = rss(*entries).encode()
    assert kzfeed.poll().new == len(TITLES)
    site.bodies["/rss"] = json.dumps(json_feed).encode()
    assert kzfeed.poll().new == 1
    files = kzfeed.files()
    again = Kzfeed(kzfeed.folder, f"sqlite:///{kzfeed.folder}/again.db")
    assert json.loads(again("backfill", "out", "--json").stdout)["new"] == len(files)

    titles = {address: parse(data).title for address, data in files.items()}
    assert titles == expected | {"https://site.example/json": "a😀b\ufffdc"}
    assert again.files("again") == files


# --- 19: much of everything ------------------------------------------------------------------------------------------


BODIES = {
    "10 MB": f"<p>{SIMPLIFIED * (10_000_000 // len(SIMPLIFIED.encode()))}</p>",
    "comments": "<p>a</p><!-- b --> c --> d ------ e <!-- f",
    "a rule": "------\n------\n\n<p>------</p>",
    "a header": "<!--1-->\n[t](https://evil.example/)\n------\n\nx",
    "a script": "<script>if (a < b && c > d) document.write('</' + 'p>');</script><p>x</p><SCRIPT>y",
    "cdata": "<![CDATA[x]]> ]]> <x/>",
}


@pytest.mark.slow
def test_bodies_of_every_kind_are_stored_whole(kzfeed: Kzfeed, site: Site) -> None:
    kzfeed.configure(("s", f"{site.address}/rss"))
    entries = (
        f"<item><title>{title}</title><link>https://site.example/{n}</link><description>{escape(body)}</description></item>"
        for n, (title, body) in enumerate(BODIES.items())
    )
    site.bodies["/rss"] = rss(*entries).encode()

    done = kzfeed("poll", "--json")
    report = json.loads(done.stdout)[0]
    assert (report["new"], report["error"]) == (len(BODIES), None), done.stderr
    files = kzfeed.files()

    bodies = {file.title: file.body for file in map(parse, files.values())}
    joined = {
        "a rule": "------ ------<p>------</p>",
        "a header": "<!--1-->[t](https://evil.example/) ------ x",
    }
    assert bodies == BODIES | joined


@pytest.mark.slow
def test_100_000_entries_are_counted_and_said(kzfeed_on_sqlite: Kzfeed, site: Site) -> None:
    kzfeed = kzfeed_on_sqlite
    kzfeed.configure(("s", f"{site.address}/rss"), timeout="60s")
    site.bodies["/rss"] = rss(*(item(n) for n in range(100_000))).encode()

    done = kzfeed("poll", "--json", "--force")

    report = json.loads(done.stdout)[0]
    assert (report["entries"], report["new"]) == (5000, 5000), report["error"]
    assert "95000 entries beyond 5000 were dropped" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        rss(*["<item><title>t</title></item>"] * 6_000),
        rss(*["<item/>"] * 6_000),
        rss(*["<item><title>t & u</item>"] * 6_000),
        "<feed xmlns='http://www.w3.org/2005/Atom'>" + "<entry><title>t</title></entry>" * 6_000 + "</feed>",
        '{"version": "https://jsonfeed.org/version/1.1", "items": [' + '{"title": "t"},' * 5_999 + '{"title": "t"}]}',
    ],
    ids=["rss", "empty entries", "broken entries", "atom", "json"],
)
def test_entries_beyond_the_limit_are_counted_in_every_format(reading: Reading, body: str) -> None:
    feed, _ = reading(body)

    assert (len(feed.entries), feed.dropped) == (5000, 1_000)
    assert "1000 entries beyond 5000 were dropped" in (feed.flaw or "")


def test_what_stands_after_the_surplus_is_still_read(reading: Reading) -> None:
    body = rss("<language>zh</language>", *map(item, range(20)), "<ttl>60</ttl>")

    feed, articles = reading(body, max_entries=10)

    assert [article.title for article in articles] == [f"标题 {n}" for n in range(10)]
    assert (feed.language, feed.ttl, feed.dropped) == ("zh", timedelta(hours=1), 10)


@pytest.mark.slow
def test_more_images_and_tags_than_anybody_reads_fail_or_end(reading: Reading) -> None:
    images = "".join(f"<img src={n}>" for n in range(20_000))

    def tagged(count: int) -> str:
        entry = {"id": "1", "tags": [str(number) for number in range(count)]}
        return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [entry]})

    (article,) = reading.articles(rss(item(1, content=images)))

    assert len(article.media) == 10_000
    assert len(reading.articles(tagged(250_000))[0].tags) == 250_000
    assert reading.failure(tagged(250_001)).kind == "parse"


def test_many_images_under_a_long_address_do_not_become_gigabytes(reading: Reading) -> None:
    images = "".join(f"<img src={n}.png>" for n in range(20_000))
    for length in (8_000, 1_000_000):
        link = f"https://site.example/{'x' * length}/"
        entry = bare(title="t", link=link, description=f"{images}<img src='https://i.example/'>")

        (article,) = reading.articles(rss(entry))

        assert article.content.startswith("<img src=0.png>")
        assert sum(len(medium.url) for medium in article.media) < 2 * MIB
        assert article.media[-1].url == "https://i.example/"


# --- all of it at once -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_hostile_sources_cost_themselves_and_no_other(kzfeed_on_sqlite: Kzfeed, site: Site, tmp_path: Path) -> None:
    kzfeed = kzfeed_on_sqlite
    secret = tmp_path / "secret"
    secret.write_text("what nobody may read")
    hostile = {
        **UNFOLDING,
        "reaching": rss(item(1, "<x>&x;</x>"), doctype=f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{site.address}/secret">]>'),
        "reading": rss(item(1, "<x>&x;</x>"), doctype=f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'),
        "path": str(secret),
        "hungry": '{"version": "https://jsonfeed.org/version/1.1", "items": [' + "{}," * 4 * MIB + "{}]}",
        "slow": rss(item(1, f"<x a=b/><author>{'a' * 1_000_000}</author>")),
        "html": "<!DOCTYPE html><html><body>hello</body></html>",
        "empty": "  \n ",
    }
    names = {name: re.sub("[^a-z0-9]+", "-", name) for name in hostile}
    site.bodies = {f"/{names[name]}": body.encode() for name, body in hostile.items()}
    site.bodies["/good"] = rss(*(item(n) for n in range(5))).encode()
    sources = [(name, f"{site.address}/{name}") for name in names.values()]
    kzfeed.configure(*sources, ("good", f"{site.address}/good"), timeout="2s", memory="128MiB")

    done = kzfeed("poll", "--json", "--force")
    reports = {each["source"]: each for each in json.loads(done.stdout)}

    assert (reports["good"]["outcome"], reports["good"]["new"]) == ("new", 5)
    kinds = {name: reports[names[name]]["error_kind"] for name in hostile}
    assert kinds == dict.fromkeys(hostile, "parse") | {"path": "not-a-feed", "html": "not-a-feed", "empty": "empty"}
    assert "/secret" not in site.asked
    assert len(kzfeed.files()) == 5
