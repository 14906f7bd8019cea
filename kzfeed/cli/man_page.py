"""The manual page kzfeed(1), made of the texts of `--help`: `python -m kzfeed.cli.man_page >docs/kzfeed.1`."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from kzfeed import __version__
from kzfeed.cli import main

_EXIT_STATUSES = {
    "0": "Success.",
    "1": "Something failed: a source, a file, a check.",
    "2": "The command line or the configuration is wrong.",
    "3": "The database cannot be used.",
}
_FILES = {
    "./kzfeed.toml": "The configuration, where neither --config nor KZFEED_CONFIG names another file.",
    "/etc/kzfeed/kzfeed.toml": "The configuration, where there is none in the working directory either.",
}
_ENVIRONMENT = {
    "KZFEED_CONFIG": "The configuration file.",
    "KZFEED_SECTION_KEY": "A setting, such as KZFEED_DATABASE_URL. It wins over the configuration file.",
    "KZFEED_SECTION_KEY_FILE": "A file that holds the setting, such as KZFEED_DATABASE_URL_FILE. It wins over both.",
    "NO_COLOR": "Where it is set, nothing is coloured.",
}


def page() -> str:
    """The page in the man macros of roff (man(7))."""
    return "\n".join(_lines(main.command())) + "\n"


def _lines(command: Any) -> Iterator[str]:
    yield f'.TH KZFEED 1 "" "kzfeed {__version__}"'
    yield from (".SH NAME", r"kzfeed \- archive feeds, and keep every article that they ever showed")
    yield from (".SH SYNOPSIS", ".B kzfeed", "[OPTIONS] COMMAND [ARGS]...")
    yield from (".SH DESCRIPTION", *_paragraphs(command.help), ".SH OPTIONS", *_options(command, "kzfeed"))
    yield from _paragraphs(command.epilog)
    yield ".SH COMMANDS"
    yield from _commands(command, "kzfeed")
    for title, entries in (("EXIT STATUS", _EXIT_STATUSES), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {title}"
        for name, said in entries.items():
            yield from _entry(name, said)


def _commands(group: Any, name: str) -> Iterator[str]:
    for each, command in group.commands.items():
        full_name = f"{name} {each}"
        if hasattr(command, "commands"):
            yield from _commands(command, full_name)
            continue
        with command.make_context(full_name, [], resilient_parsing=True) as context:
            usage = " ".join(command.collect_usage_pieces(context))
        yield f".SS {_escaped(full_name)} {_escaped(usage)}"
        yield from _paragraphs(command.help)
        yield from _options(command, full_name)


def _options(command: Any, name: str) -> Iterator[str]:
    """The arguments and options of a command, without --help, which all have."""
    with command.make_context(name, [], resilient_parsing=True) as context:
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record and "--help" not in record[0]:
                yield from _entry(*record)


def _entry(name: str, said: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_escaped(name)}\fR", _escaped(said))


def _paragraphs(text: str | None) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", (text or "").strip()):
        yield ".PP"
        example = paragraph.removeprefix("Example: ")
        if example != paragraph:
            yield from ("Example:", ".RS 4", ".nf", _escaped(example), ".fi", ".RE")
        else:
            yield _escaped(" ".join(paragraph.split()))


def _escaped(text: str) -> str:
    """The text as roff prints it unchanged; a line does not begin with a request."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
