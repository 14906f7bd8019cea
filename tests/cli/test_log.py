"""What a log line looks like, who may write one, and what never stands in it."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from kzfeed.cli import log

SECRET = "https://user:hunter2@example.org/feed"  # noqa: S105 - the thing that must not be seen again
REDACTED = "https://***@example.org/feed"


class Terminal(io.StringIO):
    """Text in memory that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def out() -> io.StringIO:
    """Where JSON lines from `debug` up go."""
    out = io.StringIO()
    log.configure(format="json", level="debug", stream=out)
    return out


def told(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_a_json_line_begins_with_time_level_and_event(out: io.StringIO) -> None:
    structlog.get_logger().info("poll finished", source="voa", title="美国之音", entries=20)
    (line,) = told(out)
    assert list(line)[:3] == ["time", "level", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "event": "poll finished",
        "source": "voa",
        "title": "美国之音",
        "entries": 20,
    }
    assert "美国之音" in out.getvalue()


def test_what_json_has_no_type_for_becomes_text(out: io.StringIO) -> None:
    structlog.get_logger().info(
        "values",
        at=datetime(2024, 1, 2, tzinfo=UTC),
        wait=timedelta(minutes=5),
        path=Path("feeds") / "voa.xml",
        rate=float("nan"),
        share=0.5,
        nothing=None,
        names=("a", {1}),
        table={7: b"x"},
    )
    (line,) = told(out)
    assert (
        line.items()
        >= {
            "at": "2024-01-02T00:00:00+00:00",
            "wait": "0:05:00",
            "path": str(Path("feeds") / "voa.xml"),
            "rate": "nan",
            "share": 0.5,
            "nothing": None,
        }.items()
    )
    assert (line["names"], line["table"]) == (["a", [1]], {"7": "b'x'"})


def test_an_exception_is_text_under_its_own_key(out: io.StringIO) -> None:
    try:
        raise LookupError("no such feed")
    except LookupError:
        structlog.get_logger().exception("poll failed")
    (line,) = told(out)
    assert (line["level"], line["event"]) == ("error", "poll failed")
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("LookupError: no such feed")


def test_an_event_of_several_lines_is_one_line(out: io.StringIO) -> None:
    structlog.get_logger().info("one\ntwo", title="a\r\nb")
    assert out.getvalue().count("\n") == 1
    assert told(out)[0]["event"] == "one\ntwo"


def test_a_lone_surrogate_does_not_lose_the_line() -> None:
    raw = io.BytesIO()
    log.configure(format="json", level="info", stream=io.TextIOWrapper(raw, encoding="utf-8"))
    structlog.get_logger().info("title", title="法广\ud800")
    assert json.loads(raw.getvalue())["title"] == "法广\ud800"


def test_a_stream_that_cannot_carry_chinese_gets_escapes() -> None:
    raw = io.BytesIO()
    log.configure(format="json", level="info", stream=io.TextIOWrapper(raw, encoding="ascii"))
    structlog.get_logger().info("title", title="法广😀")
    assert json.loads(raw.getvalue())["title"] == "法广😀"


def test_what_is_bound_to_the_task_is_in_every_line(out: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(source="voa"):
        structlog.get_logger().info("here")
        logging.getLogger("httpcore2").warning("there")
    assert [line["source"] for line in told(out)] == ["voa", "voa"]


# --- levels and other libraries --------------------------------------------------------------------------------------


def test_events_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    log.configure(format="json", level="warning", stream=out)
    logger = structlog.get_logger()
    logger.debug("a")
    logger.info("b")
    logger.warning("c")
    logger.error("d")
    assert [line["event"] for line in told(out)] == ["c", "d"]


def test_other_libraries_join_in_from_warning_up(out: io.StringIO) -> None:
    logging.getLogger("httpx2").info("a request")
    logging.getLogger("apscheduler.scheduler").warning("missed by %s", timedelta(seconds=3))
    (line,) = told(out)
    assert (
        line.items()
        >= {
            "level": "warning",
            "event": "missed by 0:00:03",
            "logger": "apscheduler.scheduler",
        }.items()
    )
    assert list(line)[:3] == ["time", "level", "event"]


def test_other_libraries_follow_a_level_above_warning() -> None:
    out = io.StringIO()
    log.configure(format="json", level="error", stream=out)
    logging.getLogger("alembic").warning("a")
    logging.getLogger("alembic").error("b")
    assert [line["event"] for line in told(out)] == ["b"]


def test_another_library_s_exception_is_text_too(out: io.StringIO) -> None:
    try:
        raise LookupError(SECRET)
    except LookupError:
        logging.getLogger("sqlalchemy.pool").exception("reset")
    assert told(out)[0]["exception"].endswith(f"LookupError: {REDACTED}")


def test_another_library_s_slip_in_its_arguments_is_told_as_it_is(out: io.StringIO) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if type(handler).__module__ == "kzfeed.cli.log"]
    logging.getLogger("httpcore2").error("%d bytes", SECRET)
    assert told(out)[0]["event"] == f"%d bytes ('{REDACTED}',)"


def test_a_python_warning_is_a_line() -> None:
    out = io.StringIO()
    with warnings.catch_warnings():  # pytest makes errors of them
        warnings.simplefilter("default")
        log.configure(format="json", level="info", stream=out)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    (line,) = told(out)
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: old way" in line["event"]


def test_a_second_set_up_replaces_the_first(out: io.StringIO) -> None:
    logger = structlog.get_logger()
    logger.info("first")
    second = io.StringIO()
    log.configure(format="json", level="info", stream=second)
    logger.info("second")
    logging.getLogger("httpcore2").warning("third")
    assert [line["event"] for line in told(out)] == ["first"]
    assert [line["event"] for line in told(second)] == ["second", "third"]


# --- the terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "stream", "readable"),
    [
        ("auto", Terminal, True),
        ("auto", io.StringIO, False),
        ("console", io.StringIO, True),
        ("json", Terminal, False),
    ],
)
def test_auto_is_readable_on_a_terminal_only(form: Any, stream: type[io.StringIO], readable: bool) -> None:
    out = stream()
    log.configure(format=form, level="info", stream=out)
    structlog.get_logger().info("poll finished", source="voa")
    assert out.getvalue().startswith("{") is not readable


@pytest.mark.parametrize(
    ("stream", "no_color", "coloured"),
    [(Terminal, None, True), (Terminal, "", True), (Terminal, "1", False), (io.StringIO, None, False)],
)
def test_colours_need_a_terminal_and_no_no_color(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], no_color: str | None, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    out = stream()
    log.configure(format="console", level="info", stream=out)
    structlog.get_logger().info("poll finished", source="voa", title="美国之音")
    assert ("\x1b[" in out.getvalue()) is coloured
    assert "美国之音" in out.getvalue()


def test_a_title_cannot_steer_the_terminal() -> None:
    out = io.StringIO()
    log.configure(format="console", level="info", stream=out)
    try:
        raise LookupError("\x1b[31m")
    except LookupError:
        structlog.get_logger().exception("new\x1b[2J\nforged line", title="\x9b2J\x07", names=["\x1b"])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out.getvalue())
    first, second, *_ = out.getvalue().splitlines()
    assert r"new\x1b[2J\x0aforged line" in first
    assert second == "Traceback (most recent call last):"


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "console"])
def test_credentials_of_a_url_are_nowhere_in_a_line(form: Any) -> None:
    out = io.StringIO()
    log.configure(format=form, level="info", stream=out)
    try:
        raise LookupError(f"cannot reach {SECRET}")
    except LookupError as error:
        structlog.get_logger().exception(
            f"visiting {SECRET}",
            url=SECRET,
            nested={"urls": [SECRET, (SECRET,)], SECRET: 1},
            error=error,
        )
    logging.getLogger("httpcore2").warning("at %s", SECRET, exc_info=LookupError(SECRET))
    assert "hunter2" not in out.getvalue()
    assert REDACTED in out.getvalue()


# --- streams ---------------------------------------------------------------------------------------------------------


class OneByOne(io.StringIO):
    """Text in memory that remembers every write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return len(text)


@pytest.mark.parametrize("form", ["json", "console"])
def test_each_line_is_one_write_whichever_thread_it_comes_from(form: Any) -> None:
    out = OneByOne()
    log.configure(format=form, level="info", stream=out)

    def speak(number: int) -> None:
        structlog.get_logger().info("event", number=number)
        logging.getLogger("httpcore2").warning("record %d", number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(speak, range(200)))
    assert len(out.writes) == 400
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in out.writes)


def test_a_closed_stream_stops_nobody() -> None:
    out = io.StringIO()
    log.configure(format="json", level="info", stream=out)
    out.close()
    structlog.get_logger().info("unheard")
    logging.getLogger("httpcore2").warning("unheard")


@pytest.mark.slow
def test_a_reader_that_is_gone_stops_nobody() -> None:
    program = """
        import structlog, sys
        from kzfeed.cli import log
        log.configure(format="json", level="info")
        for number in range(2000):
            structlog.get_logger().info("event", number=number)
        print("done")
    """
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=writing, check=False
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stdout.strip()) == (0, b"done")


def test_standard_error_is_where_lines_go_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(format="auto", level="info")
    structlog.get_logger().info("poll finished")
    captured = capsys.readouterr()
    assert json.loads(captured.err)["event"] == "poll finished"
    assert captured.out == ""
