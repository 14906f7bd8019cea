"""The command `web`: the archive in a browser."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.errors import UsageError

if TYPE_CHECKING:
    from kzfeed.cli.options import Session
    from kzfeed.config.settings import Settings
    from kzfeed.hosts import SocketAddress
    from kzfeed.web.app import ReaderAccess


def web(
    ctx: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="HOST:PORT or unix:/PATH. Default: web.listen, 127.0.0.1:8087."),
    ] = None,
    new_password: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask for a password, and print NAME's line for web.passwords."),
    ] = None,
) -> None:
    """Show the archive in a browser, until you press Ctrl-C.

    It only reads. docs/web.md explains the pages, and who may see them.

    Example: kzfeed web --listen 127.0.0.1:8087
    """
    _require_packages()
    from kzfeed.config.addresses import listen_address
    from kzfeed.web.app import make_app
    from kzfeed.web.archive import open_archive
    from kzfeed.web.passwords import password_line
    from kzfeed.web.serve import DEFAULT, serve

    if new_password is not None:
        print(
            password_line(new_password, typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
        )
        return
    session: Session = ctx.obj
    settings = session.settings
    try:
        address = listen_address(listen) if listen is not None else settings.web.listen or DEFAULT
    except ValueError as error:
        raise UsageError(f"--listen {listen}: expected {error}") from None
    access = _access(settings, address)
    with open_archive(settings.database.url) as archive:
        serve(make_app(archive, access), address, behind_proxy=settings.web.behind_proxy)


def _require_packages() -> None:
    try:
        import jinja2  # noqa: F401 - to say which package is missing
        import nh3  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the pages need more packages: install kzfeed[web] ({error})") from error


def _access(settings: "Settings", address: "SocketAddress") -> "ReaderAccess":
    """Who may enter. Raises UsageError where other machines could read the archive unasked."""
    from kzfeed.web.app import ReaderAccess
    from kzfeed.web.passwords import parse_passwords

    web, host = settings.web, None if isinstance(address, Path) else address[0]
    if host is not None and not _is_loopback(host) and web.passwords is None and not web.behind_proxy:
        raise UsageError(
            f"on {host} other machines could read the archive: set web.passwords, or web.behind_proxy = true "
            "if a proxy decides who may (docs/web.md)"
        )
    hosts = (*web.hosts, host) if host else web.hosts
    if web.passwords is None:
        return ReaderAccess(hosts)
    file = settings.folder / web.passwords
    return ReaderAccess(hosts, parse_passwords(file.read_text("utf-8"), str(file)).may_enter)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
