"""The command `web`: the archive in a browser."""

from typing import TYPE_CHECKING, Annotated

import typer

from kzfeed.errors import UsageError

if TYPE_CHECKING:
    from kzfeed.cli.options import Session


def web(
    ctx: typer.Context,
    listen: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="HOST:PORT or unix:/PATH. Default: web.listen, 127.0.0.1:8087."),
    ] = None,
) -> None:
    """Show the archive in a browser, until you press Ctrl-C.

    It only reads. docs/web.md explains the pages, and who may see them.

    Example: kzfeed web --listen 127.0.0.1:8087
    """
    try:
        import jinja2  # noqa: F401 - to say which package is missing
        import nh3  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the pages need more packages: install kzfeed[web] ({error})") from error
    from kzfeed.config.addresses import listen_address
    from kzfeed.web.app import Access, make_app
    from kzfeed.web.archive import open_archive
    from kzfeed.web.serve import serve

    session: Session = ctx.obj
    settings = session.settings
    try:
        address = listen_address(listen) if listen is not None else settings.web.listen
    except ValueError as error:
        raise UsageError(f"--listen {listen}: expected {error}") from None
    with open_archive(settings.database.url) as archive:
        serve(make_app(archive, Access(settings.web.hosts)), address, behind_proxy=settings.web.behind_proxy)
