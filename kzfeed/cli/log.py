"""structlog set up once: readable lines on a terminal, JSON lines elsewhere, the libraries' own logging among them.

Events come in from every thread, lines go out, each in one write. Every string passes `redact_text` on the way, so no
credentials of a URL reach a log; and a stream that takes no more lines never stops the work they tell of.
"""

import codecs
import logging
import math
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from kzfeed.config.settings import colours_wanted
from kzfeed.text import redact_text

_FIRST: Final = ("time", "level", "event")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def configure(
    *,
    format: Literal["auto", "console", "json"],  # noqa: A002 - it is called so in kzfeed.toml
    level: str,
    stream: TextIO | None = None,
) -> None:
    """Send every event of at least `level` to `stream`, else to standard error; an earlier set-up is replaced.

    `auto` is `console` on a terminal and `json` elsewhere. Colours need a terminal and no NO_COLOR. Other libraries'
    records join in from WARNING up, or from `level` where that is higher.
    """
    lines = _Lines(sys.stderr if stream is None else stream)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    readable = format == "console" or (format == "auto" and lines.terminal)
    # Characters stand in JSON as they are wherever the stream can carry them.
    as_json = structlog.processors.JSONRenderer(ensure_ascii=lines.encoding != "utf-8")
    chain: list[Processor] = [
        _stamp,
        structlog.processors.format_exc_info,
        lambda _, __, event: _clean(event),
        *(_console(colours=lines.terminal and colours_wanted()) if readable else [as_json]),
    ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *chain],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    handler = _LinesHandler(lines)
    begin = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    finish = [ProcessorFormatter.remove_processors_meta, *chain]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=begin, processors=finish))
    root = logging.getLogger()
    root.handlers[:] = [earlier for earlier in root.handlers if not isinstance(earlier, _LinesHandler)]
    root.addHandler(handler)
    root.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)


class _Lines:
    """A stream that takes whole lines: one write each, whoever writes. It is also what structlog calls a logger."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.terminal = stream.isatty()
        self.encoding = codecs.lookup(stream.encoding or "utf-8").name  # a stream in memory has none
        # Reentrant: a signal handler may log while its own thread is in here.
        self._lock = threading.RLock()

    def write(self, line: str) -> None:
        # What the stream cannot carry (a lone surrogate, if nothing else) becomes an escape, in JSON a valid one.
        line = line.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError, RuntimeError):
                # The reader is gone, the disk full, the stream closed or busy in this very thread: the line is lost,
                # and there is nowhere left to say so.
                return

    msg = debug = info = warning = error = critical = exception = fatal = warn = log = write


class _LinesHandler(logging.Handler):
    """Standard logging records as lines."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.getMessage()
        except (TypeError, ValueError, KeyError):
            # A library's own slip: arguments that do not fit its message. Both are told side by side.
            record.msg, record.args = f"{record.msg} {record.args!r}", ()
        self._lines.write(self.format(record))


def _stamp(_: object, __: str, event: EventDict) -> EventDict:
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**{key: event[key] for key in _FIRST if key in event}, **event}


def _clean(value: object) -> Any:
    """The same in plain JSON types, credentials redacted; what JSON has no type for becomes its text."""
    match value:
        case str():
            return redact_text(value)
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case datetime():
            return value.isoformat()
        case Mapping():
            return {redact_text(str(key)): _clean(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(item) for item in value]
    return redact_text(str(value))


def _console(*, colours: bool) -> list[Processor]:
    """One readable line an event; an exception follows on lines of its own."""
    plain = structlog.dev.plain_traceback
    return [
        _visible,
        structlog.dev.ConsoleRenderer(colors=colours, sort_keys=False, timestamp_key="time", exception_formatter=plain),
    ]


def _visible(_: object, __: str, event: EventDict) -> EventDict:
    """Control characters as escapes: a feed's title must not move the cursor of the terminal that shows it."""
    for key, value in event.items():
        if isinstance(value, str):
            control = _CONTROL_BUT_LINES if key == "exception" else _CONTROL
            event[key] = control.sub(lambda match: f"\\x{ord(match[0]):02x}", value)
    return event
