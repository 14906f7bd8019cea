"""Proxies of the configuration file and of the environment."""

import pytest

from kzfeed.config.load import load
from kzfeed.config.proxies import LOOPBACK, ProxyUrls, proxies_of_environment
from kzfeed.config.settings import Settings
from kzfeed.errors import ConfigError

ENVIRON = {"HTTPS_PROXY": "http://general.example", "NO_PROXY": "a.example, .b.example,"}
DIRECT = (*LOOPBACK, "a.example", ".b.example")


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "http://a:1"}, "http://a:1", None),
        ({"HTTPS_PROXY": "a.example:3128"}, None, "http://a.example:3128"),
        ({"ALL_PROXY": "socks5h://a"}, "socks5h://a", "socks5h://a"),
        ({"all_proxy": "socks5h://a", "http_proxy": "http://b"}, "http://b", "socks5h://a"),
        ({"https_proxy": "http://a", "HTTPS_PROXY": "http://b"}, None, "http://a"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://b"}, None, "http://b"),
    ],
)
def test_the_environment_names_proxies(environ: dict[str, str], http: str | None, https: str | None) -> None:
    assert proxies_of_environment(environ) == ProxyUrls(http, https, LOOPBACK)


def test_a_proxy_of_the_environment_that_is_none_is_a_mistake_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        proxies_of_environment({"HTTPS_PROXY": "ftp://me:hunter2@a"})
    assert str(caught.value).startswith(
        "environment variable HTTPS_PROXY: HTTPS_PROXY = 'ftp://***@a': expected a proxy"
    )


@pytest.mark.parametrize(
    ("http", "own", "expected"),
    [
        (None, None, ProxyUrls(None, "http://general.example", DIRECT)),
        ("http://file", None, ProxyUrls("http://file", "http://file", DIRECT)),
        ("", None, ProxyUrls(None, None, DIRECT)),
        ("http://file", "socks5h://own", ProxyUrls("socks5h://own", "socks5h://own")),
        ("http://file", "", ProxyUrls()),
    ],
)
def test_a_source_counts_before_the_file_and_the_file_before_the_environment(
    http: str | None, own: str | None, expected: ProxyUrls
) -> None:
    environ = ENVIRON if http is None else ENVIRON | {"KZFEED_HTTP_PROXY": http}
    settings = load(environ=environ)
    if http == "":  # An empty variable counts as unset, so a file says it.
        settings = settings.model_copy(update={"http": settings.http.model_copy(update={"proxy": ""})})
    assert settings.proxies(own) == expected


def test_settings_made_directly_have_no_proxy() -> None:
    assert Settings().proxies() == ProxyUrls(direct=LOOPBACK)


def test_proxies_show_no_secret() -> None:
    settings = load(environ={"KZFEED_HTTP_PROXY": "http://me:hunter2@a", "ALL_PROXY": "http://me:hunter2@b"})
    assert "hunter2" not in repr(settings) + repr(settings.proxies())
