"""Logging by structlog: readable lines on a terminal, JSON lines elsewhere, also for the records of other libraries.

Each event is one line in one write, from whatever thread. Every text in it goes through `redacted`, so a log holds no
password of a URL. An error of the stream (disk full, closed) loses the line and never stops the program.
"""

import codecs
import logging
import math
import shutil
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from kzfeed.cli.terminal import with_short_words, wrapped
from kzfeed.config.load import colours_wanted
from kzfeed.instants import iso_text
from kzfeed.text import json_line, printable, printable_lines, redacted

_FIRST: Final = ("time", "level", "event")
_ERASE_LINE: Final = "\r\x1b[2K"
"""Erases the progress bar that may stand in the line; the bar draws itself again below."""
_MAX_WORD_LENGTH: Final = 60
"""The most columns of a word at a terminal, so that it fits into a line of 80 with its key and quotation marks."""


def configure(
    *,
    format: Literal["auto", "console", "json"],  # noqa: A002 - it is called so in kzfeed.toml
    level: str,
    stream: TextIO | None = None,
    left_out: Collection[str] = (),
) -> None:
    """Write every event of at least `level` to `stream` (default: standard error). A second call replaces the first.

    `left_out` has the names of events that are not written.

    `auto` is `console` on a terminal and `json` elsewhere. Colours need a terminal, and no NO_COLOR. Other libraries'
    records are written from WARNING up, or from `level` where that is higher.
    """
    lines = _Lines(sys.stderr if stream is None else stream)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    readable = format == "console" or (format == "auto" and lines.terminal)
    if readable and stream is None and lines.terminal:
        lines.prefix = _ERASE_LINE
    as_json = structlog.processors.JSONRenderer(json_line, ensure_ascii=lines.encoding != "utf-8")
    chain: list[Processor] = [
        _add_time,
        structlog.processors.format_exc_info,
        lambda _, __, event: _plain(event),
        *(_console(lines, colours=lines.terminal and colours_wanted()) if readable else [as_json]),
    ]
    structlog.configure(
        processors=[
            lambda _, __, event: _drop(event, left_out),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *chain,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    _write_other_records(lines, chain, max(threshold, logging.WARNING))


def _write_other_records(lines: "_Lines", chain: Sequence[Processor], level: int) -> None:
    """Write the records of other libraries, and warnings, as the events of kzfeed are written."""
    handler = _LinesHandler(lines)
    begin = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    finish = [ProcessorFormatter.remove_processors_meta, *chain]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=begin, processors=finish))
    root = logging.getLogger()
    root.handlers[:] = [earlier for earlier in root.handlers if not isinstance(earlier, _LinesHandler)]
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


class _Lines:
    """A stream of lines, each written whole, from any thread. It has the methods that structlog expects of a logger."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.terminal = stream.isatty()
        self.prefix = ""
        self.encoding = codecs.lookup(stream.encoding or "utf-8").name  # io.StringIO has none
        # Reentrant, because a signal handler may log while its own thread is writing.
        self._lock = threading.RLock()

    def write(self, line: str) -> None:
        # A character that the stream cannot encode becomes an escape, which is valid in JSON too.
        line = line.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with self._lock:
            try:
                self._stream.write(f"{self.prefix}{line}\n")
                self._stream.flush()
            except (OSError, ValueError, RuntimeError):
                # The pipe is broken, the disk full, the stream closed, or busy in this very thread. The line is lost:
                # there is no other place to report that.
                return

    msg = debug = info = warning = error = critical = exception = fatal = warn = log = write


class _LinesHandler(logging.Handler):
    """Handler that writes records of the standard library's logging as lines."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A library's defect: the arguments do not fit the message. Write both.
            record.msg, record.args = f"{record.msg} {record.args!r}", ()
        self._lines.write(self.format(record))


def _drop(event: EventDict, left_out: Collection[str]) -> EventDict:
    if event.get("event") in left_out:
        raise structlog.DropEvent
    return event


def _add_time(_: object, __: str, event: EventDict) -> EventDict:
    event["time"] = iso_text(datetime.now(UTC))
    return {**{key: event[key] for key in _FIRST if key in event}, **event}


def _plain(value: object) -> Any:
    """The value in JSON's types, with passwords redacted. Values of other types become text."""
    match value:
        case str():
            return redacted(value)
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {redacted(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    return redacted(str(value))


def _console(lines: "_Lines", *, colours: bool) -> list[Processor]:
    """Processors that make a readable line of an event, wrapped at a terminal; a traceback follows on its own lines."""
    # Without padding, so that most lines fit into 80 columns.
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours,
        sort_keys=False,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        pad_level=False,
    )
    return [
        _short_time,
        _without_nulls,
        _printable,
        *([_short_words, renderer, _wrapped] if lines.terminal else [renderer]),
    ]


def _without_nulls(_: object, __: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if value is not None}


def _short_words(_: object, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and key not in ("event", "exception"):
            event[key] = with_short_words(value, _MAX_WORD_LENGTH)
    return event


def _wrapped(_: object, __: str, line: Any) -> str:
    columns = shutil.get_terminal_size().columns
    first, *traceback = str(line).split("\n")
    return "\n".join([wrapped(first, columns), *traceback])


def _short_time(_: object, __: str, event: EventDict) -> EventDict:
    event["time"] = event["time"][11:19]
    return event


def _printable(_: object, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable_lines(value) if key == "exception" else printable(value)
    return event
