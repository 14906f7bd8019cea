"""Worker process: reads documents, and can be killed.

It reads requests from standard input and writes answers to standard output (see messages.py). It ends when its input or
its parent ends, or when it has grown too large.
"""

import gc
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kzfeed.errors import DocumentError
from kzfeed.model.articles import Document, HtmlPage, ParsedDocument
from kzfeed.model.pages import ArticlePage, RobotsQuestion
from kzfeed.sandbox.messages import LENGTH, READY, Answer, Request, encode, max_answer_size
from kzfeed.sandbox.process import end_with_parent

_WARM_UP = Document(
    b"<rss \x81\x8d\x8f\x90\x9d\x81\x8d\x8f\x90",
    None,
    "https://example.org/",
    timezone=None,
    now=datetime(2000, 1, 1, tzinfo=UTC),
)
"""A broken document in an unknown encoding: reading it runs, and imports, every part of the parser."""

Reader = Callable[[Document], ParsedDocument]

MIB = 2**20

_GRACE_SECONDS = 1.0
"""The kernel kills this process so long after the time limit, if the parent has not."""


def _read_document(document: Document) -> ParsedDocument:
    # The workers that read pages need not import the parsers of feeds.
    from kzfeed.sandbox.document_reader import read_document

    return read_document(document)


def main(reader: Reader = _read_document, warm_up: Request = _WARM_UP) -> None:
    """Answer documents until standard input ends. Arguments: the bytes and the seconds that one document may take.

    `warm_up` is read before the first of them.
    """
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    end_with_parent(os.getppid())
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    answers = os.fdopen(os.dup(1), "wb")
    # A library may print to standard output: that must not mix with answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _answer(warm_up, reader)
    idle = _limit(memory)
    answers.write(READY)
    answers.flush()
    while header := sys.stdin.buffer.read(LENGTH.size):
        # Normally the parent kills a worker that takes too long; the alarm is for a parent that hangs or is gone.
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
        try:
            frame = _answer_frame(sys.stdin.buffer.read(LENGTH.unpack(header)[0]), reader, max_answer_size(memory))
        except MemoryError:
            frame = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(frame or encode(_too_much(memory)))
        answers.flush()
        # End: the memory would lack for the next document, or part of this one is still unread.
        if frame is None or _has_grown(idle + memory // 4):
            break
        del frame


def _answer_frame(request: bytes, reader: Reader, longest: int) -> memoryview:
    """The frame with the answer to a request. Raises MemoryError, also if the frame is longer than allowed."""
    document: Request = pickle.loads(request)  # noqa: S301 - from our own parent
    del request
    frame = encode(_answer(document, reader))
    if len(frame) > LENGTH.size + longest:
        raise MemoryError
    return frame


def _answer(document: Request, reader: Reader) -> Answer:
    """What reading the document gives. Raises MemoryError."""
    try:
        return reader(document) if isinstance(document, Document) else _answer_about_page(document)
    except DocumentError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        return error
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - it fails only this document, and is recorded with its poll
        # In ASCII: the error may quote text that no database can store.
        return DocumentError("internal", f"a fault of kzfeed's own, worth a report: {ascii(error)[:200]}")


def _answer_about_page(question: HtmlPage | ArticlePage | RobotsQuestion) -> Answer:
    # The workers that read feeds need not import Beautiful Soup and Protego.
    if isinstance(question, RobotsQuestion):
        from kzfeed.sandbox.robots_reader import read_robots

        return read_robots(question)
    if isinstance(question, ArticlePage):
        from kzfeed.sandbox.page_reader import read_page

        return read_page(question)
    from kzfeed.sandbox.feed_links import find_feed_links

    return find_feed_links(question)


def _too_much(memory: int) -> DocumentError:
    return DocumentError(
        "parse", f"reading it takes more memory than allowed: `memory` under [parse] is {memory / MIB:g} MiB"
    )


def _limit(memory: int) -> int:
    """Limit the address space to `memory` bytes more than are in use; return how many are."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    idle = _address_space()
    if idle:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = idle + memory if hard == resource.RLIM_INFINITY else min(idle + memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return idle


def _has_grown(most: int) -> bool:
    if _address_space() <= most:
        return False
    gc.collect()
    return _address_space() > most


def _address_space() -> int:
    """The bytes of address space that this process uses, as RLIMIT_AS counts them; 0 without /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text("ascii").split()[0]) * resource.getpagesize() if statm.exists() else 0


if __name__ == "__main__":
    main()
