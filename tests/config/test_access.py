"""Headers and credentials of a source in kzfeed.toml: what may stand there, and where secrets are read."""

import json
from pathlib import Path

import pytest

from kzfeed.config.access import AccessSettings, access_settings
from kzfeed.config.load import ConfigErrors, load
from kzfeed.config.settings import Settings

SOURCE = '[[sources]]\nname = "voa"\nurl = "{}"\n'
URL = "https://example.org/feed"
ELSEWHERE = 'a table { file = "PATH" } or { env = "VARIABLE" }, because a secret must not stand here itself'


def read(folder: Path, text: str, *, url: str = URL, environ: dict[str, str] | None = None) -> Settings:
    file = folder / "kzfeed.toml"
    file.write_text(SOURCE.format(url) + text, encoding="utf-8")
    return load(file, environ=environ or {})


def test_secrets_are_read_from_files_beside_the_configuration_and_from_variables(tmp_path: Path) -> None:
    (tmp_path / "login").write_text(" me:pässword \r\n", encoding="utf-8")
    settings = read(
        tmp_path,
        'headers = { X-Api-Key = { env = "KEY" }, Accept = "application/json" }\nbasic_auth = { file = "login" }\n'
        'user_agent = "Special/1.0"\ntls_ca = "ca.pem"\n',
        environ={"KEY": "s3cret"},
    )

    found = access_settings(settings)["voa"]

    assert found == AccessSettings(
        headers=(
            ("X-Api-Key", "s3cret"),
            ("Accept", "application/json"),
            ("Authorization", "Basic bWU6cMOkc3N3b3Jk"),
        ),
        user_agent="Special/1.0",
        authorities=tmp_path / "ca.pem",
    )
    assert "s3cret" not in repr(found) + repr(settings)


def test_a_source_without_such_settings_has_none(tmp_path: Path) -> None:
    assert access_settings(read(tmp_path, "")) == {}


def test_a_changed_secret_is_read_again(tmp_path: Path) -> None:
    settings = read(tmp_path, 'bearer = { file = "token" }\n')
    found = []
    for token in ("one", "two\n"):
        (tmp_path / "token").write_text(token)
        found.append(access_settings(settings)["voa"].headers)

    assert found == [(("Authorization", "Bearer one"),), (("Authorization", "Bearer two"),)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('basic_auth = "me:s3cret"', f"sources.voa.basic_auth = …: expected {ELSEWHERE}"),
        ('bearer = "s3cret"', f"sources.voa.bearer = …: expected {ELSEWHERE}"),
        ('bearer = { file = "a", env = "s3cret" }', f"sources.voa.bearer = …: expected {ELSEWHERE}"),
        ('headers = { X = { text = "s3cret" } }', f"sources.voa.headers.X = …: expected {ELSEWHERE}"),
        (
            'headers = { X = "s3cret\\r\\nY: z" }',
            "sources.voa.headers.X = …: expected text in ASCII, in one line that is not empty",
        ),
        (
            'headers = ["s3cret"]',
            'sources.voa.headers = …: expected a table of headers, such as { X-Archive = "kzfeed" }',
        ),
        (
            'headers = { User-Agent = "s3cret" }',
            "sources.voa.headers.User-Agent = 'User-Agent': "
            "expected another header: the key user_agent of the source sets this one",
        ),
        *(
            (
                f'headers = {{ {name} = "s3cret" }}',
                f"sources.voa.headers.{name} = {name!r}: "
                "expected another header: kzfeed sets this one itself, or sends none",
            )
            for name in ("Host", "content-length", "Transfer-Encoding", "Connection", "If-None-Match", "Range")
        ),
        (
            'headers = { X = "1", x = "2" }',
            "sources.voa = a table: expected each of the headers once: x is there twice",
        ),
        (
            'headers = { authorization = "s3cret" }\nbearer = { env = "A" }',
            "sources.voa = a table: expected one kind of credentials: it has bearer and headers.Authorization",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_without_a_secret(tmp_path: Path, written: str, expected: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, written)

    assert str(caught.value) == f"{tmp_path / 'kzfeed.toml'}, line 1: {expected}"


def test_a_password_in_the_url_and_other_credentials_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="it has basic_auth and a password in the url") as caught:
        read(tmp_path, 'basic_auth = { env = "A" }', url="https://me:s3cret@example.org/")

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "which cannot be read: No such file or directory"),
        (b" \n", "which is empty"),
        (b"\xff", "which is not UTF-8"),
        (b"s3cret" * 20_000, "which has more than 65,536 bytes"),
        ("ü".encode() * 40_000, "which has more than 65,536 bytes"),
        (b"s3cret\nsecond line", "expected text in ASCII, in one line that is not empty"),
        ("s3cret ü".encode(), "expected text in ASCII, in one line that is not empty"),
    ],
)
def test_a_secret_that_cannot_be_read_or_sent_is_told_with_its_place(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)

    with pytest.raises(ConfigErrors) as caught:
        access_settings(read(tmp_path, 'bearer = { file = "token" }'))

    assert "kzfeed.toml, line 1: sources.voa.bearer = …: expected " in str(caught.value)
    assert problem in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_variable_that_is_not_set_and_credentials_without_a_colon_are_told_together(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        'basic_auth = { env = "LOGIN" }\nheaders = { X = { env = "KEY" } }\n',
        environ={"LOGIN": "s3cret"},
    )

    with pytest.raises(ConfigErrors) as caught:
        access_settings(settings)

    assert [(each.key, each.expected) for each in caught.value.mistakes if isinstance(caught.value, ConfigErrors)] == [
        ("sources.voa.headers.X", "a secret in the environment variable KEY, which is not set or empty"),
        ("sources.voa.basic_auth", 'a secret such as "NAME:PASSWORD"'),
    ]
    assert "s3cret" not in str(caught.value)


def test_a_secret_of_an_included_source_that_is_missing_is_told_with_the_file_and_line(tmp_path: Path) -> None:
    included = tmp_path / "more.toml"
    included.write_text("# a comment\n" + SOURCE.format(URL) + 'bearer = { file = "token" }\n')
    (tmp_path / "kzfeed.toml").write_text('include = ["more.toml"]\n')

    with pytest.raises(ConfigErrors) as caught:
        access_settings(load(tmp_path / "kzfeed.toml", environ={}))

    assert str(caught.value).startswith(f"{included}, line 2: sources.voa.bearer = …: expected a secret in the file")


def test_a_secret_of_a_source_in_a_variable_that_is_missing_is_told_with_the_variable(tmp_path: Path) -> None:
    source = {"name": "voa", "url": URL, "bearer": {"file": str(tmp_path / "token")}}

    with pytest.raises(ConfigErrors) as caught:
        access_settings(load(cwd=tmp_path, environ={"KZFEED_SOURCES": json.dumps([source])}))

    assert str(caught.value).startswith("environment variable KZFEED_SOURCES: sources.voa.bearer = …: expected")
