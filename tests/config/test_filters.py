"""Filters of a source in kzfeed.toml, and how a mistake in one is told."""

from pathlib import Path

import pytest

from kzfeed.config.load import ConfigErrors, load
from kzfeed.config.settings import Settings
from kzfeed.model.filters import FilterRule, Filters

SOURCE = '[[sources]]\nname = "voa"\nurl = "https://example.org/feed"\n'


def read(folder: Path, text: str) -> Settings:
    file = folder / "kzfeed.toml"
    file.write_text(SOURCE + text, encoding="utf-8")
    return load(file, environ={})


def test_a_source_has_the_filters_of_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        'include = [{ any = "哈萨克|哈薩克" }]\nexclude = [{ tag = "广告" }, { title = "^直播", author = "王" }]\n',
    )

    assert settings.source_configs()[0].filters == Filters(
        include=(FilterRule(any="哈萨克|哈薩克"),),
        exclude=(FilterRule(tag="广告"), FilterRule(title="^直播", author="王")),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            'exclude = [{ tag = "a" }, { title = "(直播" }]',
            "sources.voa.exclude[2].title = '(直播': expected a regular expression (missing ) at position 3)",
        ),
        pytest.param(
            f'exclude = [{{ title = "{"(" * 2000}{")" * 2000}" }}]',
            f"sources.voa.exclude[1].title = '{'(' * 97}...': expected a regular expression (nested too deeply)",
            id="nested",
        ),
        pytest.param(
            f'exclude = [{{ title = "{"a" * 10_001}" }}]',
            f"sources.voa.exclude[1].title = '{'a' * 97}...': "
            "expected a regular expression (longer than 10,000 characters)",
            id="long",
        ),
        (
            'exclude = [{ title = "(?a)(?u)" }]',
            "sources.voa.exclude[1].title = '(?a)(?u)': "
            "expected a regular expression (ASCII, LOCALE and UNICODE flags are mutually incompatible)",
        ),
        (
            'include = [{ text = "" }]',
            "sources.voa.include[1].text = '': expected a regular expression that is not empty",
        ),
        ("include = [{}]", "sources.voa.include[1] = a table: expected one or more of title, text, tag, author, any"),
        ('exclude = ["a"]', "sources.voa.exclude[1] = 'a': expected a table"),
        (
            'exclude = { title = "a" }',
            'sources.voa.exclude = a table: expected a list of tables, such as [{ title = "^直播" }]',
        ),
        ('exclude = [{ titel = "a" }]', "sources.voa.exclude[1].titel = …: expected a known key (did you mean title?)"),
    ],
)
def test_a_mistake_in_a_filter_is_told_with_its_place(tmp_path: Path, written: str, expected: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, written)

    assert str(caught.value) == f"{tmp_path / 'kzfeed.toml'}, line 1: {expected}"
