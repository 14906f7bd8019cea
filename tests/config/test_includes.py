"""`include` in kzfeed.toml: lists of sources in TOML and OPML, their order, their names, and where mistakes are."""

import time
from pathlib import Path

import pytest

from kzfeed.config import files as reading
from kzfeed.config.load import load
from kzfeed.config.opml import NAMESPACE
from kzfeed.config.settings import Settings
from kzfeed.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, on a machine that has no kzfeed.toml of its own."""
    monkeypatch.setattr(reading, "SYSTEM_FILE", tmp_path / "etc" / "kzfeed.toml")
    folder = tmp_path / "here"
    (folder / "sources.d").mkdir(parents=True)
    return folder


def table(name: str, url: str = "") -> str:
    return f'[[sources]]\nname = "{name}"\nurl = "{url or f"https://{name}.example/"}"\n'


def opml(*outlines: tuple[str, str]) -> str:
    lines = "".join(f'<outline text="{title}" xmlUrl="{url}"/>\n' for title, url in outlines)
    return f'<opml version="2.0"><body>\n<outline text="News">\n{lines}</outline></body></opml>'


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def read(folder: Path, include: str, **environ: str) -> Settings:
    write(folder, {"kzfeed.toml": f"include = {include}\n{table('own')}"})
    return load(environ=environ, cwd=folder)


def names(settings: Settings) -> list[str]:
    return [source.name for source in settings.sources]


def mistakes(folder: Path, include: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, include)
    return [line.replace(f"{folder}/", "") for line in str(caught.value).splitlines()]


def test_sources_come_from_the_file_then_from_its_includes_in_the_order_of_their_names(folder: Path) -> None:
    write(
        folder,
        {
            "sources.d/b.toml": table("b"),
            "sources.d/a.toml": table("a2") + table("a1"),
            "sources.d/.hidden.toml": "not TOML",
            "feeds.opml": opml(("新闻 频道", "https://x.example/")),
        },
    )
    settings = read(folder, '["sources.d/*.toml", "feeds.opml", "*.opml"]')

    assert names(settings) == ["own", "a2", "a1", "b", "新闻-频道"]
    assert settings.sources[-1].tags == ("News",)
    assert settings.names_sources


def test_an_absolute_path_may_be_included(folder: Path) -> None:
    write(folder, {"sources.d/a.toml": table("a")})

    assert names(read(folder, f'["{folder}/sources.d/*"]')) == ["own", "a"]


def test_a_pattern_that_no_file_matches_includes_nothing_and_a_missing_file_is_a_mistake(folder: Path) -> None:
    assert names(read(folder, '["sources.d/*.toml"]')) == ["own"]
    assert mistakes(folder, '["feeds.opml"]') == ["feeds.opml: no such file (included by kzfeed.toml)"]


def test_a_folder_that_is_not_there_is_a_mistake_and_not_an_empty_one(folder: Path) -> None:
    (folder / "file").touch()
    for name in ("mounted", "file"):
        said = mistakes(folder, f'["{name}/*.toml"]')
        assert said == [f"{name}: no such folder (included by kzfeed.toml)"]


def test_a_file_with_includes_but_no_source_says_nothing_about_sources(folder: Path) -> None:
    write(folder, {"kzfeed.toml": 'include = ["sources.d/*.toml"]'})
    assert not load(environ={}, cwd=folder).names_sources

    write(folder, {"sources.d/a.toml": "sources = []"})
    assert load(environ={}, cwd=folder).names_sources


def test_sources_of_the_environment_take_the_place_of_included_ones(folder: Path) -> None:
    write(folder, {"sources.d/a.toml": table("a")})
    value = '[{"name": "b", "url": "https://b.example/"}]'

    assert names(read(folder, '["sources.d/*.toml"]', KZFEED_SOURCES=value)) == ["b"]


def test_names_of_outlines_do_not_depend_on_their_order_and_give_way_to_configured_names(folder: Path) -> None:
    outlines = [(title, f"https://{number}.example/") for number, title in enumerate(["Own", "News", "news!", "Sea"])]

    def by_url(include: str) -> dict[str, str]:
        return {source.url: source.name for source in read(folder, include).sources}

    write(folder, {"feeds.opml": opml(*outlines), "turned.opml": opml(*reversed(outlines))})
    found = by_url('["feeds.opml"]')

    assert found == by_url('["turned.opml"]')
    assert found["https://3.example/"] == "sea"
    assert found["https://own.example/"] == "own"
    assert [found[f"https://{number}.example/"].rpartition("-")[0] for number in range(3)] == ["own", "news", "news"]


def test_two_sources_with_one_address_are_a_mistake_that_names_both_lines(folder: Path) -> None:
    write(
        folder,
        {
            "sources.d/a.toml": f"# a list\n\n{table('a')}\n{table('b', 'https://own.example/')}",
            "feeds.opml": opml(("c", "https://c.example/"), ("d", "HTTPS://A.example")),
        },
    )
    assert mistakes(folder, '["sources.d/*.toml", "feeds.opml"]') == [
        "sources.d/a.toml, line 7: sources.b.url = 'https://own.example/': "
        "expected another url: sources[1] has this one (kzfeed.toml, line 2)",
        "feeds.opml, line 4: sources.d.url = 'HTTPS://A.example': "
        "expected another url: sources[1] has this one (sources.d/a.toml, line 3)",
    ]


def test_an_address_that_is_twice_in_a_folder_of_an_opml_file_is_a_mistake_too(folder: Path) -> None:
    write(folder, {"feeds.opml": opml(("c", "https://c.example/"), ("d", "https://c.example/"))})

    assert mistakes(folder, '["feeds.opml"]') == [
        "feeds.opml, line 4: sources.d.url = 'https://c.example/': "
        "expected another url: another outline has this one (feeds.opml, line 3)"
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "x = [", "a.toml: not TOML: "),
        ("a.toml", "sources = 5", "a.toml: sources = 5: expected [[sources]]"),
        ("a.toml", "[http]", "a.toml: http = …: expected [[sources]] and nothing else in an included file"),
        ("a.toml", f'\n{table("a")}every = "3x"', "a.toml, line 2: sources.a.every = '3x': expected "),
        ("a.opml", "<opml>\n<body>", "a.opml: line 2: not well-formed XML: "),
        ("a.opml", "<html/>", "a.opml: line 1: not OPML: "),
        ("a.txt", "", "a.txt: an included file is TOML or OPML: its name ends with .toml or .opml"),
    ],
)
def test_a_mistake_in_an_included_file_names_it(folder: Path, name: str, text: str, said: str) -> None:
    write(folder, {name: text})
    (line,) = mistakes(folder, '["a.*"]')

    assert line.startswith(said)


@pytest.mark.parametrize("value", ['"feeds.opml"', "[5]", '[" "]', "{}"])
def test_include_is_a_list_of_files(folder: Path, value: str) -> None:
    (line,) = mistakes(folder, value)

    assert line.endswith('expected a list of files such as ["sources.d/*.toml", "feeds.opml"]')


def test_an_outline_with_a_wrong_setting_is_left_out_and_told_and_the_others_are_polled(folder: Path) -> None:
    outlines = opml(("c", "https://c.example/"), ("d", "https://d.example/"))
    wrong = outlines.replace('text="c"', 'text="c" kzfeed:every="x"').replace(
        "<opml", f'<opml xmlns:kzfeed="{NAMESPACE}"'
    )
    write(folder, {"feeds.opml": wrong})
    settings = read(folder, '["feeds.opml"]')

    assert names(settings) == ["own", "d"]
    (said,) = settings.left_out
    assert said.startswith(f"{folder}/feeds.opml: line 3: c: kzfeed:every = 'x': expected ")


def test_an_outline_that_is_no_feed_is_left_out_and_told(folder: Path) -> None:
    write(folder, {"feeds.opml": opml(("c", "https://c.example/"), ("d", "ftp://d.example/"))})
    settings = read(folder, '["feeds.opml"]')

    assert names(settings) == ["own", "c"]
    assert settings.left_out == (f"{folder}/feeds.opml: line 4: d: expected an http or https URL with a host",)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["toml", "opml"])
def test_ten_thousand_included_sources_are_read_in_seconds(folder: Path, kind: str) -> None:
    urls = [(f"新闻 {number}", f"https://h{number % 3000}.example/{number}.xml") for number in range(10_000)]
    rest = 'tags = ["News/Asia"]\nevery = "30m"\ntitle = "新闻"\n'
    tables = "".join(table(f"s{number}", url) + rest for number, (_, url) in enumerate(urls))
    write(folder, {f"list.{kind}": tables if kind == "toml" else opml(*urls)})
    begin = time.process_time()
    settings = read(folder, f'["list.{kind}"]')
    configs = settings.source_configs()

    assert len(configs) == 10_001
    assert time.process_time() - begin < 4
